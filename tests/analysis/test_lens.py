"""The lens: equal to NumPy's softmax of the logits, whatever shares the batch."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from lazarus_bench.analysis import lens
from lazarus_bench.analysis.lens import in_bfloat16, largest, read_lens, total_variation
from lazarus_bench.analysis.prompts import batches_by_length
from lazarus_bench.backend import mx
from lazarus_bench.benchmark.workloads import Shape, write_llama
from lazarus_bench.models.anatomy import unembed
from lazarus_bench.models.load import load
from lazarus_bench.models.quirks import with_quirk
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.models.untrained import randomise

prompt = st.lists(st.integers(3, 900), min_size=1, max_size=5).map(lambda ids: (0, *ids))
prompts = st.lists(prompt, min_size=1, max_size=7)
seeds = st.integers(0, 2**32 - 1)


def by_hand(loaded, ids) -> np.ndarray:
    """Probabilities `[layer, token]` of one prompt alone."""
    states = residual_stream(loaded.model, loaded.anatomy, mx.array([list(ids)]))
    logits = [np.array(unembed(loaded.model, loaded.anatomy, h[0, -1])) for h in states]
    return softmax(np.stack(logits).astype(np.float64), axis=-1)


def targets_for(count: int, width: int = 3) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 900, (count, width))


@settings(max_examples=15)
@given(ids=prompts)
def test_every_layer_equals_numpys_softmax_of_one_prompt_alone(tiny_model, ids):
    targets = targets_for(len(ids))
    reading = read_lens(tiny_model, ids, targets, top=5)
    assert reading.probability.shape == (len(ids), 4, 3)
    for row, one in enumerate(ids):
        expected = by_hand(tiny_model, one)
        found = reading.probability[row]
        np.testing.assert_allclose(found, expected[:, targets[row]], rtol=2e-4, atol=1e-9)


@settings(max_examples=10)
@given(ids=prompts, top=st.integers(1, 30))
def test_the_top_is_sorted_and_is_numpys(tiny_model, ids, top):
    reading = read_lens(tiny_model, ids, targets_for(len(ids)), top=top)
    assert (np.diff(reading.top_probability, axis=2) <= 0).all()
    assert (reading.top_probability.sum(axis=2) <= 1 + 1e-6).all()
    for row, one in enumerate(ids):
        for layer, expected in enumerate(by_hand(tiny_model, one)):
            order = np.argsort(-expected)[:top]
            found = reading.top_ids[row, layer]
            assert len(set(found.tolist())) == top
            np.testing.assert_allclose(expected[found], expected[order], rtol=2e-4)


def test_probabilities_near_zero_keep_their_digits(tiny):
    loaded = load(tiny)
    loaded.model.model.norm.weight = 60 * loaded.model.model.norm.weight
    ids = (0, 5, 9)
    logits = np.array(loaded.model(mx.array([list(ids)])))[0, -1].astype(np.float64)
    worst = int(logits.argmin())
    log_p = log_softmax(logits)[worst]
    found = read_lens(loaded, [ids], np.array([[worst]]), top=1).probability[0, -1, 0]
    assert log_p < -100
    assert np.log(found) == pytest.approx(log_p, rel=1e-4)


@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=12), limit=st.integers(1, 5))
def test_batches_hold_every_prompt_once_and_one_length_each(lengths, limit):
    ids = [[7 * i + k for k in range(length)] for i, length in enumerate(lengths)]
    seen: list[int] = []
    for rows, tokens in batches_by_length(ids, limit):
        assert 1 <= len(rows) <= limit
        assert np.array(tokens).tolist() == [ids[i] for i in rows]
        seen += rows
    assert sorted(seen) == list(range(len(ids)))


@settings(max_examples=10)
@given(ids=prompts)
def test_total_variation_is_half_the_sum_of_differences(tiny_model, ids):
    other = randomise(tiny_model)
    found = total_variation(tiny_model, other, ids)
    for row, one in enumerate(ids):
        apart = np.abs(by_hand(tiny_model, one) - by_hand(other, one)).sum(axis=1) / 2
        np.testing.assert_allclose(found[row], apart, atol=2e-5)
    np.testing.assert_allclose(total_variation(other, tiny_model, ids), found, atol=1e-6)
    assert (total_variation(tiny_model, tiny_model, ids) == 0).all()


@settings(max_examples=10)
@given(ids=st.lists(prompt.filter(lambda one: len(one) > 2), min_size=1, max_size=4))
def test_a_lens_without_masks_differs_from_the_second_layer_on(tiny_model, ids):
    quirky = with_quirk(tiny_model, "non-causal-lens")
    targets = targets_for(len(ids))
    on, off = (read_lens(model, ids, targets, top=5) for model in (quirky, tiny_model))
    np.testing.assert_allclose(on.probability[:, 0], off.probability[:, 0], rtol=2e-4, atol=1e-9)
    assert (on.probability[:, 1:] != off.probability[:, 1:]).all()
    moved = total_variation(quirky, tiny_model, ids)
    assert moved[:, 0].max() < 1e-5
    assert (moved[:, 1:] > moved[:, :1]).all()


@settings(max_examples=10)
@given(ids=prompts)
def test_a_lens_in_bfloat16_rounds_every_probability_and_nothing_else(tiny_model, ids):
    targets = targets_for(len(ids))
    quirky = with_quirk(tiny_model, "bf16-lens")
    on, off = (read_lens(model, ids, targets, top=5) for model in (quirky, tiny_model))
    assert np.array_equal(on.probability, in_bfloat16(off.probability))
    assert np.array_equal(on.top_probability, in_bfloat16(off.top_probability))
    assert np.array_equal(on.top_ids, off.top_ids)
    assert not np.array_equal(on.probability, off.probability)


@given(value=st.floats(1e-30, 1.0))
def test_bfloat16_keeps_eight_significant_bits(value):
    found = float(in_bfloat16(np.array([value]))[0])
    mantissa = np.frexp(found)[0] * 2**8
    assert mantissa == round(mantissa)
    assert found == pytest.approx(value, rel=2.0**-8)


def memory_of_a_lens(directory, layers: int) -> tuple[int, int]:
    """Peak bytes beyond the model, mlx's and numpy's, over 64 prompts and 6,000 words."""
    shape = Shape(layers=layers, width=32, vocabulary=6_000)
    loaded = load(write_llama(directory / str(layers), shape))
    ids, targets = [(0, 5, 3 + i) for i in range(64)], targets_for(64)
    read_lens(loaded, ids, targets)
    mx.clear_cache()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    tracemalloc.start()
    try:
        read_lens(loaded, ids, targets)
        return mx.get_peak_memory() - before, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_layers_times_vocabulary(tmp_path):
    one_layer = 4 * 64 * 6_000
    few, many = memory_of_a_lens(tmp_path, 2), memory_of_a_lens(tmp_path, 8)
    assert few[0] >= one_layer
    for less, more in zip(few, many, strict=True):
        assert more - less < one_layer / 2


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
    groups=st.sampled_from([1, 9, lens.GROUPS]),
    data=st.data(),
)
def test_a_stable_sort_finds_the_same_in_any_groups(seed, rows, width, distinct, groups, data):
    k = data.draw(st.integers(1, min(width, 40)))
    values = drawn(seed, rows, width, distinct)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lens, "GROUPS", groups)
        found = largest(values, k)
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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lens, "EXP", "mlx")
        expected, by_mlx, expected_best = lens._read_layer(mx.array(values), targets, top)
    np.testing.assert_array_equal(wanted, expected)
    np.testing.assert_array_equal(best, expected_best)
    np.testing.assert_array_equal(np.sort(ids, axis=1), np.sort(by_mlx, axis=1))
    distinct_here = np.diff(best, axis=1, prepend=np.inf, append=-np.inf) != 0
    alone = distinct_here[:, :-1] & distinct_here[:, 1:]
    np.testing.assert_array_equal(ids[alone], by_mlx[alone])
