"""The largest numbers: those of a stable sort; in the lens, the same numbers as mlx finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.analysis import lens
from lazarus_bench.analysis.lens import largest
from lazarus_bench.backend import mx

seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int, rows: int, width: int, distinct: int) -> np.ndarray:
    """Random numbers; few `distinct` ones make ties."""
    draw = np.random.default_rng(seed)
    if distinct:
        return draw.integers(0, distinct, (rows, width)).astype(np.float32)
    return draw.normal(size=(rows, width)).astype(np.float32)


@settings(max_examples=60)
@given(
    seed=seeds,
    rows=st.integers(1, 5),
    width=st.integers(1, 3000),
    distinct=st.sampled_from([0, 1, 2, 7, 500]),
    data=st.data(),
)
def test_a_stable_sort_finds_the_same(seed, rows, width, distinct, data):
    k = data.draw(st.integers(1, min(width, 40)))
    values = drawn(seed, rows, width, distinct)
    np.testing.assert_array_equal(
        largest(values, k), np.argsort(-values, axis=1, kind="stable")[:, :k]
    )


@given(seed=seeds, groups=st.integers(1, 9), width=st.integers(1, 60), data=st.data())
def test_any_number_of_groups_finds_the_same(seed, groups, width, data):
    k = data.draw(st.integers(1, width))
    values = drawn(seed, 3, width, data.draw(st.sampled_from([0, 3])))
    kept, lens.GROUPS = lens.GROUPS, groups
    try:
        found = largest(values, k)
    finally:
        lens.GROUPS = kept
    np.testing.assert_array_equal(found, np.argsort(-values, axis=1, kind="stable")[:, :k])


@given(seed=seeds, width=st.sampled_from([8, 4000]), where=st.integers(0, 7))
def test_nan_is_never_larger(seed, width, where):
    values = drawn(seed, 2, width, 0)
    values[1, where] = np.nan
    found = largest(values, 5)
    values[1, where] = -np.inf
    np.testing.assert_array_equal(found, largest(values, 5))
    assert where not in found[1]


def test_infinities_are_numbers():
    values = np.array([[-np.inf, np.inf, 0.0, -np.inf]], dtype=np.float32)
    assert largest(values, 4).tolist() == [[1, 2, 0, 3]]


@pytest.mark.parametrize("k", [0, -1, 5])
def test_there_are_no_more_than_a_row_has(k):
    with pytest.raises(ValueError, match=f"no {k} largest of 4"):
        largest(np.zeros((2, 4), dtype=np.float32), k)


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds,
    rows=st.integers(1, 70),
    width=st.sampled_from([1, 30, 1192, 2048, 5000]),
    distinct=st.sampled_from([0, 3, 400]),
    data=st.data(),
)
def test_the_lens_is_what_mlx_finds_to_the_bit(seed, rows, width, distinct, data):
    if lens.EXP != "numpy" or lens.on_accelerator():
        pytest.skip("here mlx's own is used")
    top = data.draw(st.integers(1, min(width, 25)))
    values = drawn(seed, rows, width, distinct)
    targets = np.random.default_rng(seed).integers(0, width, (rows, 2))
    wanted, ids, best = lens._read_layer(mx.array(values), targets, top)
    expected, by_mlx, expected_best = lens._read_by_mlx(mx.array(values), mx.array(targets), top)
    np.testing.assert_array_equal(wanted, expected)
    np.testing.assert_array_equal(best, expected_best)
    np.testing.assert_array_equal(np.sort(ids, axis=1), np.sort(by_mlx, axis=1))
    distinct_here = np.diff(best, axis=1, prepend=np.inf, append=-np.inf) != 0
    alone = distinct_here[:, :-1] & distinct_here[:, 1:]
    np.testing.assert_array_equal(ids[alone], by_mlx[alone])
