"""Routing traces: the model's own choices and weights, and what independent layers would do."""

import numpy as np
import pytest
from families import made

from lazarus_bench.analysis import routing
from lazarus_bench.analysis.router import routed_layers
from lazarus_bench.analysis.routing import Routing, gate_logits, read_routing, trace_prompts
from lazarus_bench.backend import mx
from lazarus_bench.models.anatomy import blocks, part
from lazarus_bench.models.families import FAMILIES

EXPERTS = {
    "olmoe": "mlp.switch_mlp",
    "gpt_oss": "mlp.experts",
    "mixtral": "block_sparse_moe.switch_mlp",
    "granitemoe": "block_sparse_moe.switch_mlp",
    "phimoe": "block_sparse_moe.switch_mlp",
    "qwen2_moe": "mlp.switch_mlp",
    "qwen3_moe": "mlp.switch_mlp",
}
PROMPTS = [[3, 1, 4, 1, 5], [9, 2, 6], [5, 3, 5, 8, 9], [7]]


VARIANTS = [(family, {}) for family in EXPERTS]
VARIANTS += [("olmoe", {"norm_topk_prob": True}), ("qwen3_moe", {"norm_topk_prob": False})]
# Far from its own 0.01, at which a random gate's choices are alone within their band.
VARIANTS += [("phimoe", {"router_jitter_noise": noise}) for noise in (0.2, 0.5, 2.0)]


class _Experts:
    """Stands in for the experts of a layer and keeps what they are asked for."""

    def __init__(self, own, asked):
        self.own, self.asked = own, asked

    def __call__(self, x, indices):
        output = self.own(x, indices)
        self.asked.append((indices, output))
        return output


@pytest.mark.parametrize(("family", "more"), VARIANTS)
def test_choices_and_weights_are_the_models_own(family, more):
    """The experts that the forward calls, and the output that their weighted outputs make."""
    loaded = made(family, **more)
    if family == "qwen2_moe":
        _silence_shared_experts(loaded)
    tokens = mx.array([[3, 1, 4, 1, 5, 9, 2, 6]])
    traces = dict(trace_prompts(loaded, tokens.tolist()))
    logits = gate_logits(loaded, tokens)
    path, _, name = EXPERTS[family].rpartition(".")
    for place, layer in enumerate(routed_layers(loaded)):
        block = blocks(loaded.model, loaded.anatomy)[layer]
        home, asked, outputs = part(block, path), [], []
        own = part(block, EXPERTS[family])
        home[name] = _Experts(own, asked)
        block[path] = lambda x, home=home, outputs=outputs: outputs.append(home(x)) or outputs[-1]
        loaded.model(tokens)
        mx.eval(outputs)
        home[name], block[path] = own, home
        indices, parts = (np.array(side).reshape(8, 2, *side.shape[3:]) for side in _flat(asked))
        experts, weights = traces[0].experts[:, place], traces[0].weights[:, place]
        assert np.array_equal(np.sort(indices, axis=1), np.sort(experts, axis=1))
        order = (indices[:, None, :] == experts[:, :, None]).argmax(axis=2)
        picked = np.take_along_axis(parts, order[:, :, None], axis=1)
        made_up = (picked * weights[:, :, None]).sum(axis=1)
        np.testing.assert_allclose(np.array(outputs[0])[0], made_up, atol=1e-5)
        assert (np.diff(weights, axis=1) <= 0).all() or family == "phimoe"
        assert np.array_equal(experts[:, 0], logits[place][0].argmax(axis=1))
    assert np.isfinite(traces[0].weights).all()


def _silence_shared_experts(loaded):
    """What every token passes is no choice of the router's."""
    for block in blocks(loaded.model, loaded.anatomy):
        down = block.mlp.shared_expert.down_proj
        down.weight = mx.zeros_like(down.weight)


def test_every_family_with_a_router_has_a_rule():
    anatomies = [family.anatomy for family in FAMILIES.values()]
    assert all((a.router is None) == (a.routing is None) for a in anatomies)


def _flat(asked):
    """Indices `[1, token, k]` and outputs `[1, token, k, d]`, whatever shape the family has."""
    (indices, output) = asked[0]
    return indices.reshape(1, 8, 2), output.reshape(1, 8, 2, -1)


def test_loads_are_counts_over_tokens():
    found = read_routing(made("olmoe"), PROMPTS)
    chosen = np.concatenate([trace.experts for trace in found.traces])
    assert found.layers == (0, 1, 2)
    for layer in range(3):
        for one in range(4):
            went = (chosen[:, layer] == one).any(axis=1)
            assert found.load[layer, one] == pytest.approx(went.mean())
            assert found.first[layer, one] == pytest.approx((chosen[:, layer, 0] == one).mean())
    np.testing.assert_allclose(found.load.sum(axis=1), 2)


def test_distinct_experts_are_counted_over_layers():
    found = read_routing(made("olmoe"), PROMPTS)
    for trace in found.traces:
        assert trace.distinct.tolist() == [len(set(token.ravel())) for token in trace.experts]
        assert trace.distinct_first.tolist() == [len(set(token[:, 0])) for token in trace.experts]


def test_the_excess_is_over_what_independent_layers_give():
    found = read_routing(made("olmoe"), PROMPTS)
    for excess, expected, counts in (
        (found.excess, found.expected_distinct, [t.distinct for t in found.traces]),
        (
            found.excess_first,
            found.expected_distinct_first,
            [t.distinct_first for t in found.traces],
        ),
    ):
        np.testing.assert_allclose(excess + expected, [count.mean() for count in counts])
        assert 1 <= expected <= 4


def _independent(rng, tokens, layers, experts, k):
    """Choices `[token, layer, k]` of layers that know nothing of each other, unevenly loaded."""
    taste = rng.normal(size=(layers, experts))
    noise = rng.gumbel(size=(tokens, layers, experts))
    return np.argsort(-(taste + noise), axis=2)[:, :, :k]


def _routing(chosen, experts):
    return Routing(
        layers=tuple(range(chosen.shape[1])),
        traces=(),
        load=routing._hot(chosen, experts).mean(axis=0),
        first=routing._hot(chosen[:, :, :1], experts).mean(axis=0),
    )


@pytest.mark.parametrize("k", [1, 3])
def test_independent_layers_have_as_many_distinct_experts_as_expected(k):
    rng = np.random.default_rng(k)
    chosen = _independent(rng, 4000, 6, 16, k)
    found = _routing(chosen, 16)
    counted = routing._distinct(chosen.reshape(4000, -1)).mean()
    assert found.expected_distinct == pytest.approx(counted, rel=0.01)
    first = routing._distinct(chosen[:, :, 0]).mean()
    assert found.expected_distinct_first == pytest.approx(first, rel=0.01)


def test_random_numbering_gives_the_same_for_any_routing():
    rng = np.random.default_rng(2)
    chosen = np.repeat(_independent(rng, 200, 1, 8, 2), 5, axis=1)
    numberings = np.argsort(rng.random((3000, 5, 8)), axis=2)
    token = numberings[:, np.arange(5)[:, None], chosen[0]]
    counted = routing._distinct(token.reshape(3000, -1)).mean()
    assert _routing(chosen, 8).renumbered_distinct == pytest.approx(counted, rel=0.01)


def test_even_load_has_the_textbook_expectation():
    load = np.full((24, 32), 4 / 32)
    found = Routing(layers=tuple(range(24)), traces=(), load=load, first=load)
    textbook = pytest.approx(32 * (1 - (28 / 32) ** 24))
    assert found.expected_distinct == found.renumbered_distinct == textbook
