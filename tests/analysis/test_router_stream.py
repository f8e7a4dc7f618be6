"""Streamed projection: NumPy's cosines, whatever holds the rows, in little memory."""

import subprocess
import sys

import numpy as np
import pytest
from claimfiles import clean_environment

from lazarus_bench.analysis import vocabulary
from lazarus_bench.analysis.vocabulary import dense, row_count, strongest
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError

D, V = 64, 300
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(V, D)).astype(np.float32)
DIRECTIONS = RNG.normal(size=(7, D)).astype(np.float32)


def cosines(directions, rows):
    return (directions / np.linalg.norm(directions, axis=1)[:, None]) @ (
        rows / np.linalg.norm(rows, axis=1)[:, None]
    ).T


@pytest.mark.parametrize(("tokens", "directions"), [(4096, 1024), (7, 2), (1, 7), (V, 3)])
def test_blocks_of_any_size_find_what_numpy_finds(monkeypatch, tokens, directions):
    monkeypatch.setattr(vocabulary, "TOKENS", tokens)
    monkeypatch.setattr(vocabulary, "DIRECTIONS", directions)
    found = strongest(100 * DIRECTIONS, mx.array(ROWS), 5)
    expected = cosines(DIRECTIONS, ROWS)
    order = np.argsort(-expected, axis=1)[:, :5]
    assert np.array_equal(found.tokens, order)
    np.testing.assert_allclose(found.cosines, np.take_along_axis(expected, order, 1), atol=1e-6)


HELD = (
    *("memory-mapped", "lazy file", "half", "embedding", "linear"),
    *("quantised embedding", "quantised linear"),
)


def held(kind, folder):
    if kind == "memory-mapped":
        np.save(folder / "rows.npy", ROWS.astype(np.float16))
        return np.load(folder / "rows.npy", mmap_mode="r")
    if kind == "lazy file":
        mx.save_safetensors(str(folder / "rows.safetensors"), {"rows": mx.array(ROWS)})
        return mx.load(str(folder / "rows.safetensors"))["rows"]
    if kind == "half":
        return mx.array(ROWS).astype(mx.bfloat16)
    layer = nn.Embedding(V, D) if "embedding" in kind else nn.Linear(D, V, bias=False)
    layer.weight = mx.array(ROWS)
    return layer.to_quantized(group_size=32, bits=8) if "quantised" in kind else layer


@pytest.mark.parametrize("kind", HELD)
def test_rows_are_read_from_whatever_holds_them(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(vocabulary, "TOKENS", 64)
    rows = held(kind, tmp_path)
    assert row_count(rows) == V
    np.testing.assert_allclose(np.array(dense(rows, 10, 20)), ROWS[10:20], atol=0.05)
    found = strongest(ROWS[:4], rows, 1)
    assert found.tokens[:, 0].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found.cosines, 1, atol=1e-3)


def test_equal_cosines_stand_in_the_order_of_their_tokens(monkeypatch):
    monkeypatch.setattr(vocabulary, "TOKENS", 3)
    rows = np.repeat(np.eye(2, dtype=np.float32), [6, 2], axis=0)
    assert strongest([[1.0, 0.0]], rows, 8).tokens.tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]]


def test_a_vocabulary_smaller_than_k_is_given_whole_and_zero_rows_have_cosine_zero():
    rows = np.array([[0.0, 0.0], [3.0, 0.0], [-1.0, 0.0]])
    found = strongest([[1.0, 0.0], [0.0, 0.0]], rows, 9)
    assert found.tokens[0].tolist() == [1, 0, 2]
    assert found.cosines.tolist() == [[1, 0, -1], [0, 0, 0]]


def test_what_cannot_be_projected_is_refused():
    with pytest.raises(UserError, match="at least 1 token, not 0"):
        strongest(DIRECTIONS, ROWS, 0)
    broken = ROWS.copy()
    broken[5, 3] = np.nan
    with pytest.raises(UserError, match="not finite"):
        strongest(DIRECTIONS, broken, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("row", [0, V // 2, V - 1])
def test_a_row_that_is_not_finite_is_refused_in_whatever_block(monkeypatch, row, value):
    monkeypatch.setattr(vocabulary, "TOKENS", 64)
    broken = ROWS.copy()
    broken[row, 3] = value
    with pytest.raises(UserError, match="not finite"):
        strongest(DIRECTIONS, broken, 3)


MEASURE = """
import resource
import numpy as np
from lazarus_bench.analysis.vocabulary import strongest
from lazarus_bench.backend import mx

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

rows = mx.random.normal((2048, 1024)).astype(mx.bfloat16)
rows = mx.concatenate([rows] * 64)
mx.eval(rows)
strongest(np.ones((1, 1024)), rows[:4096], 20)
before = peak()
strongest(np.random.default_rng(0).normal(size=(64, 1024)), rows, 20)
print(before, peak())
"""


def test_no_float32_copy_of_the_vocabulary_is_ever_made():
    """131,072 rows of 1,024 numbers: 512 MiB in float32, of which a block takes 16."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        capture_output=True,
        text=True,
        timeout=120,
        env=clean_environment(),
        check=True,
    )
    before, after = map(float, done.stdout.split())
    assert after - before < 128
