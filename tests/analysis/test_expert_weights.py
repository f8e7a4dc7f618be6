"""Weights of experts: planted copies are found, in every family and however they are held."""

import numpy as np
import pytest
from families import made

from lazarus_bench.analysis import expert_weights
from lazarus_bench.analysis.expert_weights import Likeness, read_weights
from lazarus_bench.analysis.router import routed_layers
from lazarus_bench.backend import nn
from lazarus_bench.models.anatomy import blocks, part

HOMES = {
    "gpt_oss": "mlp.experts",
    "granitemoe": "block_sparse_moe.switch_mlp",
    "llama4": "feed_forward.experts",
    "mixtral": "block_sparse_moe.switch_mlp",
    "olmoe": "mlp.switch_mlp",
    "phimoe": "block_sparse_moe.switch_mlp",
    "qwen2_moe": "mlp.switch_mlp",
    "qwen3_moe": "mlp.switch_mlp",
}
MATRICES = ("gate_proj", "up_proj", "down_proj")


def stacks(loaded, layer):
    family = loaded.config["model_type"]
    home = part(blocks(loaded.model, loaded.anatomy)[layer], HOMES[family])
    return [getattr(home, name) for name in MATRICES]


@pytest.mark.parametrize("family", HOMES)
def test_norms_and_cosines_are_those_of_all_matrices_end_to_end(family):
    loaded = made(family)
    for layer, gate in routed_layers(loaded).items():
        found = read_weights(loaded, layer)
        whole = np.concatenate(
            [np.array(s.weight).reshape(4, -1) for s in stacks(loaded, layer)], 1
        )
        for ours, rows in ((found.router, np.array(gate.weight)), (found.experts, whole)):
            lengths = np.linalg.norm(rows, axis=1)
            assert ours.width == rows.shape[1]
            np.testing.assert_allclose(ours.norms, lengths, rtol=1e-5)
            cosines = rows @ rows.T / np.outer(lengths, lengths)
            np.testing.assert_allclose(ours.cosines, cosines, atol=1e-5)


def test_a_copied_expert_is_the_closest():
    loaded = made("olmoe")
    for stack in stacks(loaded, 1):
        stack.weight[3] = -2 * stack.weight[0]
    routed_layers(loaded)[1].weight[2] = 3 * routed_layers(loaded)[1].weight[1]
    found = read_weights(loaded, 1)
    assert found.experts.cosines[0, 3] == pytest.approx(-1, abs=1e-5)
    np.testing.assert_allclose(found.experts.closest[[0, 3]], 1, atol=1e-5)
    assert found.experts.closest[[1, 2]].max() < 0.2
    assert found.experts.norms[3] == pytest.approx(2 * found.experts.norms[0], rel=1e-5)
    assert found.router.closest[[1, 2]] == pytest.approx([1, 1], abs=1e-5)
    assert found.router.norms[2] == pytest.approx(3 * found.router.norms[1], rel=1e-5)


def test_parts_add_up_to_the_whole(monkeypatch):
    loaded = made("gpt_oss")
    whole = read_weights(loaded, 0).experts
    monkeypatch.setattr(expert_weights, "MAX_NUMBERS", 1)
    parts = read_weights(loaded, 0).experts
    assert parts.width == whole.width
    np.testing.assert_allclose(parts.cosines, whole.cosines, atol=1e-5)


def test_quantised_experts_are_read_as_the_numbers_they_stand_for():
    loaded = made("olmoe", hidden_size=64, intermediate_size=64, head_dim=16)
    exact = read_weights(loaded, 2)
    nn.quantize(loaded.model, group_size=64, bits=8)
    close = read_weights(loaded, 2)
    assert close.experts.width == exact.experts.width
    np.testing.assert_allclose(close.experts.norms, exact.experts.norms, rtol=0.01)
    np.testing.assert_allclose(close.experts.cosines, exact.experts.cosines, atol=0.01)
    np.testing.assert_allclose(close.router.norms, exact.router.norms, rtol=0.01)


def test_random_directions_have_the_chance_they_are_told_to_have():
    rows = np.random.default_rng(1).normal(size=(60, 50))
    likeness = Likeness.of(rows @ rows.T, 50)
    assert len(likeness.pairs) == 60 * 59 // 2
    assert likeness.pairs.std() == pytest.approx(likeness.chance, rel=0.1)
    assert abs(likeness.pairs.mean()) < 0.02


def test_rows_of_zeros_are_like_nothing():
    rows = np.array([[0.0, 0.0], [3.0, 4.0]])
    likeness = Likeness.of(rows @ rows.T, 2)
    assert likeness.norms.tolist() == [0, 5]
    assert likeness.closest.tolist() == [0, 0]
