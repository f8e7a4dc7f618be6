"""Geometry: identities that hold for any states, and values known by construction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import silhouette_score
from sklearn.metrics.pairwise import cosine_similarity

from lazarus_bench.analysis.geometry import (
    Directions,
    class_silhouettes,
    cluster_separation,
    cosine,
    mean_difference,
    permuted_separation,
    unit,
)
from lazarus_bench.analysis.probe_prompts import in_symbols
from lazarus_bench.tasks.arithmetic import held_out

seeds = st.integers(0, 10_000)
LABELS = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2])


def states(seed, prompts=9, layers=2, width=6) -> np.ndarray:
    return np.random.default_rng(seed).normal(1, 1, (prompts, layers, width)).astype(np.float32)


def by_hand(layer, labels) -> float:
    """Separation of one layer `[prompt, d]`, pair by pair."""
    similar = cosine_similarity(layer)
    within = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        within.append(np.mean([similar[i, j] for i in own for j in own if i != j]))
    apart = labels[:, None] != labels[None, :]
    return float(np.mean(within) - similar[apart].mean())


@settings(max_examples=30)
@given(seed=seeds)
def test_separation_is_the_mean_over_pairs(seed):
    given_states = states(seed)
    centred = given_states - given_states.mean(axis=0)
    for layer in range(2):
        assert cluster_separation(given_states, LABELS)[layer] == pytest.approx(
            by_hand(centred[:, layer], LABELS), abs=1e-5
        )
        assert cluster_separation(given_states, LABELS, centred=False)[layer] == pytest.approx(
            by_hand(given_states[:, layer], LABELS), abs=1e-5
        )


def test_known_values():
    orthogonal = np.eye(3)[LABELS][:, None, :]
    assert cluster_separation(orthogonal, LABELS, centred=False) == pytest.approx([1.0])
    opposite = np.array([1, 1, -1, -1])[:, None, None] * np.ones((1, 2, 3))
    assert cluster_separation(opposite, [0, 0, 1, 1]) == pytest.approx([2.0, 2.0])
    assert cluster_separation(np.ones((4, 1, 3)), [0, 0, 1, 1]) == pytest.approx([0.0])


def test_the_null_finds_a_planted_separation_and_only_there():
    prompts = in_symbols(held_out(80, 0))
    given_states = states(0, prompts=80, layers=3)
    given_states[:, 2] += 3 * np.eye(4, 6)[list(prompts.labels)]
    null = permuted_separation(given_states, prompts, permutations=99)
    np.testing.assert_allclose(null.observed, cluster_separation(given_states, prompts.labels))
    assert null.permuted.shape == (99, 3)
    assert null.layer_p_values[2] == pytest.approx(0.01)
    assert (null.layer_p_values[:2] > 0.05).all()


def test_silhouettes_are_scikit_learns_of_the_centred_states():
    prompts = in_symbols(held_out(16, 0))
    given_states = states(1, prompts=16)
    found = class_silhouettes(given_states, prompts)
    assert found.shape == (16, 2)
    centred = given_states - given_states.mean(axis=0)
    for layer in range(2):
        expected = silhouette_score(centred[:, layer], prompts.labels, metric="cosine")
        assert found[:, layer].mean() == pytest.approx(expected, abs=1e-5)


def test_a_vector_of_zeros_has_no_direction():
    assert unit(np.zeros(3)).tolist() == [0, 0, 0]
    assert cosine(np.zeros(3), np.ones(3)) == 0
    assert cosine([[3, 0], [0, -2]], [1, 0]) == pytest.approx([1, 0])


def test_the_difference_of_means_is_that_of_two_classes():
    given_states = states(4)
    found = mean_difference(given_states, LABELS, 1, 0)
    one, other = (given_states[np.array(LABELS) == label].mean(axis=0) for label in (1, 0))
    np.testing.assert_allclose(found, one - other, atol=1e-6)


def test_directions_are_compared_at_a_layer_and_between_layers():
    turned = np.array([[2.0, 0, 0], [0, 3, 0], [1, 1, 0]])
    found = Directions(probe=turned, means=np.array([[5.0, 0, 0], [0, -1, 0], [0, 0, 1]]))
    assert found.agreement == pytest.approx([1, -1, 0])
    half = np.sqrt(0.5)
    assert found.neighbours == pytest.approx([0, half])
