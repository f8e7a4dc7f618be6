"""Expert use: shares are counts, planted specialisation is found, shuffled labels find none."""

import numpy as np
import pytest
from families import made
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.analysis.expert_use import (
    busiest,
    by_class,
    entropy_bits,
    expert_use,
    specialisation,
    specialisation_null,
)
from lazarus_bench.analysis.routing import read_routing

PROMPTS = [[3, 1, 4, 1, 5], [9, 2, 6], [5, 3, 5, 8, 9], [7]]
LABELS = [0, 0, 0, 0, 1, 1, 1, 1]


def planted(shared=0.0):
    """Two classes in one layer of four experts: each has two, or `shared` of it goes to all."""
    own = np.repeat([[[0.5, 0.5, 0, 0]], [[0, 0, 0.5, 0.5]]], 4, axis=0)
    return (1 - shared) * own + shared / 4


@pytest.mark.parametrize("last", [False, True])
def test_shares_are_counts_of_assignments(last):
    routing = read_routing(made("olmoe"), PROMPTS)
    use = expert_use(routing, last=last)
    assert (use.layers, use.chosen, use.share.shape) == ((0, 1, 2), 2, (4, 3, 4))
    for prompt, trace in enumerate(routing.traces):
        tokens = trace.experts[-1:] if last else trace.experts
        for layer in range(3):
            for expert in range(4):
                counted = (tokens[:, layer] == expert).sum() / (2 * len(tokens))
                assert use.share[prompt, layer, expert] == pytest.approx(counted)


def test_classes_are_means_over_their_prompts():
    share = np.random.default_rng(3).dirichlet(np.ones(4), size=(5, 2))
    first, second = by_class(share, np.array([1, 0, 1, 1, 0]))
    np.testing.assert_allclose(first, share[[1, 4]].mean(axis=0))
    np.testing.assert_allclose(second, share[[0, 2, 3]].mean(axis=0))


def test_an_even_load_has_all_bits_and_one_expert_none():
    load = np.array([[0.25] * 4, [1, 0, 0, 0], [0.5, 0.5, 0, 0]])
    np.testing.assert_allclose(entropy_bits(load), [2, 0, 1])
    np.testing.assert_allclose(busiest(load), [1, 4, 2])


def test_classes_with_experts_of_their_own_are_told_apart_completely():
    assert specialisation(planted(), LABELS) == pytest.approx([1.0])
    assert specialisation(planted(shared=1.0), LABELS) == pytest.approx([0.0], abs=1e-12)
    half = specialisation(planted(shared=0.5), LABELS)
    assert 0 < half[0] < 1


@given(
    prompts=st.integers(2, 9),
    classes=st.integers(1, 3),
    experts=st.integers(2, 6),
    seed=st.integers(),
)
def test_it_is_the_mutual_information_of_class_and_expert(prompts, classes, experts, seed):
    rng = np.random.default_rng(abs(seed))
    share = rng.dirichlet(np.ones(experts), size=(prompts, 2))
    labels = [*range(classes), *rng.integers(0, classes, prompts)][:prompts]
    found = specialisation(share, labels)
    for layer in range(2):
        joint = np.zeros((max(labels) + 1, experts))
        for label, row in zip(labels, share[:, layer], strict=True):
            joint[label] += row / prompts
        apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        assert found[layer] == pytest.approx((joint * np.log2(joint / apart)).sum(), abs=1e-9)
    assert (found >= -1e-12).all()
    assert (found <= np.log2(experts) + 1e-12).all()


def test_shuffled_labels_tell_what_chance_does():
    share = np.concatenate([planted(shared=0.5), planted(shared=1.0)], axis=1)
    null = specialisation_null(share, LABELS, 199)
    assert null.permuted.shape == (199, 2)
    # Of the 35 ways to halve eight prompts one is the true one.
    assert null.layer_p_values[0] == pytest.approx(1 / 35, abs=0.03)
    assert null.layer_p_values[1] == 1
    noise = np.random.default_rng(0).dirichlet(np.ones(4), size=(8, 3))
    chance = specialisation_null(noise, LABELS, 199)
    assert chance.observed.min() > 0
    assert chance.p_value > 0.05
    again = specialisation_null(noise, LABELS, 199)
    np.testing.assert_array_equal(again.permuted, chance.permuted)
