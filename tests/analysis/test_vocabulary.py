"""Directions against the vocabulary: cosines by NumPy, and random directions as the measure."""

import subprocess
import sys

import numpy as np
import pytest
from claimfiles import clean_environment

from lazarus_bench.analysis import vocabulary
from lazarus_bench.analysis.operations import class_words
from lazarus_bench.analysis.vocabulary import (
    dense,
    row_count,
    strongest,
    unit_directions,
    unit_rows,
    words_in_direction,
)
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.load import load

WIDTH = 48
NOT_FINITE = [np.where(np.arange(WIDTH) == 5, value, 1.0) for value in (np.nan, np.inf)]
D, V = 64, 300
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(V, D)).astype(np.float32)
DIRECTIONS = RNG.normal(size=(7, D)).astype(np.float32)
HELD = (
    *("memory-mapped", "lazy file", "half", "embedding", "linear"),
    *("quantised embedding", "quantised linear"),
)
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


@pytest.fixture(scope="module")
def rows(tiny_model) -> np.ndarray:
    """The unembedding `[token, d]`."""
    return np.array(tiny_model.model.model.embed_tokens.weight, dtype=np.float64)


def vocabulary_cosines(loaded, vectors, normed=False):
    return np.array(unit_directions(loaded, vectors, normed) @ unit_rows(loaded).T)


@pytest.fixture(scope="module")
def words(tiny_model):
    return class_words(tiny_model)


def test_cosines_are_numpys(tiny_model, rows):
    vectors = np.random.default_rng(0).normal(size=(3, WIDTH))
    expected = vectors @ rows.T
    expected /= np.linalg.norm(vectors, axis=1)[:, None] * np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(vocabulary_cosines(tiny_model, vectors), expected, atol=1e-5)


def test_the_final_norm_weighs_the_coordinates_by_its_gain(tiny, rows):
    loaded = load(tiny)
    gain = np.linspace(0.1, 3, WIDTH)
    loaded.model.model.norm.weight = vocabulary.mx.array(gain)
    vector = np.random.default_rng(0).normal(size=WIDTH)
    expected = vocabulary_cosines(loaded, vector * gain)
    np.testing.assert_allclose(vocabulary_cosines(loaded, vector, normed=True), expected, atol=1e-4)
    np.testing.assert_allclose(
        vocabulary_cosines(loaded, 1e-6 * vector, normed=True), expected, atol=1e-4
    )


def test_a_word_is_first_along_its_own_row_and_last_against_it(tiny_model, rows, words):
    add = words[1].bare
    along = words_in_direction(tiny_model, rows[add], words, draws=200)
    against = words_in_direction(tiny_model, -rows[add], words, draws=200)
    assert along.rank[1] == 1
    assert along.z[1] == pytest.approx(np.sqrt(WIDTH), rel=0.2)
    assert against.rank[1] == against.vocabulary
    for reading in (along, against):
        assert reading.hits >= 1
        assert reading.end_distance[1] < 1 / reading.vocabulary


def test_ranks_and_ends_are_those_of_the_sorted_cosines(tiny_model, words):
    direction = np.random.default_rng(5).normal(size=WIDTH)
    cosines = vocabulary_cosines(tiny_model, direction)[0]
    found = words_in_direction(tiny_model, direction, words, draws=2)
    order = np.argsort(-cosines)
    for column, word in enumerate(words):
        assert order[found.rank[column] - 1] == word.bare
    ends = {*order[:30].tolist(), *order[-30:].tolist()}
    assert found.hits == sum(bool(ends & set(word.variants)) for word in words)


def test_random_directions_are_their_own_measure(tiny_model, words):
    """As many hits as tokens at the ends deserve, and p-values that are not too small too often."""
    found = words_in_direction(tiny_model, np.ones(WIDTH), words, draws=2000)
    asked = sum(len(word.variants) for word in words)
    assert found.random_hits.mean() == pytest.approx(asked * 60 / found.vocabulary, rel=0.2)
    rng = np.random.default_rng(1)
    p = [
        words_in_direction(tiny_model, rng.normal(size=WIDTH), words, draws=100).p_value
        for _ in range(40)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.15


def test_neither_length_nor_batch_matters_and_the_seed_does(tiny_model, words, monkeypatch):
    direction = np.random.default_rng(2).normal(size=WIDTH)
    whole = words_in_direction(tiny_model, direction, words, draws=50)
    monkeypatch.setattr(vocabulary, "MAX_LOGITS", 7 * whole.vocabulary)
    longer = words_in_direction(tiny_model, 1e4 * direction, words, draws=50)
    assert np.array_equal(longer.rank, whole.rank)
    assert np.array_equal(longer.random_hits, whole.random_hits)
    np.testing.assert_allclose(longer.z, whole.z, rtol=1e-4)
    other = words_in_direction(tiny_model, direction, words, draws=50, seed=1)
    assert not np.array_equal(other.random_hits, whole.random_hits)


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


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("row", [0, V // 2, V - 1])
def test_a_row_that_is_not_finite_is_refused_in_whatever_block(monkeypatch, row, value):
    monkeypatch.setattr(vocabulary, "TOKENS", 64)
    broken = ROWS.copy()
    broken[row, 3] = value
    with pytest.raises(UserError, match="not finite"):
        strongest(DIRECTIONS, broken, 3)


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
