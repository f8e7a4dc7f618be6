"""Taps: they record every layer, change nothing, and let gradients through."""

import numpy as np
import pytest
from families import CONFIGS, made
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx.utils import tree_flatten

from lazarus_bench.backend import mx, nn
from lazarus_bench.models import lab
from lazarus_bench.models.anatomy import blocks, holder, part
from lazarus_bench.models.edits import Ablate
from lazarus_bench.models.families import anatomy_of
from lazarus_bench.models.heads import without_heads
from lazarus_bench.models.load import load
from lazarus_bench.models.taps import (
    edited,
    prefixed,
    residual_from,
    residual_stream,
    router_logits,
    tapped,
    unmasked,
)

TOKENS = mx.array([[0, 5, 9, 300], [0, 7, 7, 12]])


def own_residuals(model: nn.Module, tokens: mx.array) -> list[mx.array]:
    """The residual stream by hand: embedding, then each block under a causal mask."""
    hidden, found = model.model.embed_tokens(tokens), []
    for block in model.model.layers:
        hidden = block(hidden, "causal", None)
        found.append(hidden)
    return found


def test_one_residual_a_layer_equal_to_the_blocks_outputs(tiny_model):
    recorded = residual_stream(tiny_model.model, tiny_model.anatomy, TOKENS)
    expected = own_residuals(tiny_model.model, TOKENS)
    assert len(recorded) == tiny_model.depth == 4
    for ours, theirs in zip(recorded, expected, strict=True):
        np.testing.assert_allclose(np.array(ours), np.array(theirs), atol=1e-5)


def test_every_forward_within_the_block_appends_its_layers(tiny_model):
    before = np.array(tiny_model.model(TOKENS))
    with tapped(tiny_model.model, tiny_model.anatomy) as residuals:
        assert np.array_equal(before, np.array(tiny_model.model(TOKENS)))
        tiny_model.model(TOKENS[:1])
    assert [r.shape[0] for r in residuals] == [2] * 4 + [1] * 4
    tiny_model.model(TOKENS)
    assert len(residuals) == 8


@pytest.mark.parametrize("family", CONFIGS)
def test_a_forward_goes_on_from_the_middle(family):
    """From its own residual it ends as it would; from another, as the patched forward does."""
    loaded = made(family)
    model, anatomy, tokens = loaded.model, loaded.anatomy, TOKENS % 61
    own = residual_stream(model, anatomy, tokens)
    other = residual_stream(model, anatomy, tokens[::-1])
    for layer in range(loaded.depth):
        found = residual_from(model, anatomy, tokens, layer, own[layer])
        np.testing.assert_array_equal(np.array(found), np.array(own[-1]))
        swapped = residual_from(model, anatomy, tokens, layer, other[layer])
        np.testing.assert_array_equal(np.array(swapped), np.array(other[-1]))
    assert residual_stream(model, anatomy, tokens)[0].shape == own[0].shape


def test_the_blocks_below_the_middle_are_not_run():
    loaded = made("llama")
    own = residual_stream(loaded.model, loaded.anatomy, TOKENS % 61)
    blocks(loaded.model, loaded.anatomy)[1].mlp = None
    found = residual_from(loaded.model, loaded.anatomy, TOKENS % 61, 1, own[1])
    np.testing.assert_array_equal(np.array(found), np.array(own[-1]))


INSIDE = {
    "edited": lambda m: edited(m.model, m.anatomy, (Ablate(layer=1), Ablate(layer=1, part="mlp"))),
    "tapped": lambda m: tapped(m.model, m.anatomy),
    "unmasked": lambda m: unmasked(m.model, m.anatomy),
    "prefixed": lambda m: prefixed(m.model, m.anatomy, mx.ones((2, 32))),
    "routers": lambda m: router_logits([holder(b, m.anatomy.router) for b in m.model.layers]),
    "heads": lambda m: without_heads(m, 1, (0,)),
}


@pytest.mark.parametrize("inside", INSIDE.values(), ids=INSIDE)
def test_a_model_is_itself_again_afterwards_also_after_an_error(inside):
    loaded, tokens = made("olmoe"), TOKENS % 61

    def parts():
        modules = [(name, id(module)) for name, module in loaded.model.named_modules()]
        return modules, [name for name, _ in tree_flatten(loaded.model.parameters())]

    before, plain = parts(), np.array(loaded.model(tokens))
    with inside(loaded):
        loaded.model(tokens)
    with pytest.raises(RuntimeError, match="inside"), inside(loaded):
        raise RuntimeError("inside")
    assert parts() == before
    assert np.array_equal(np.array(loaded.model(tokens)), plain)


def test_taps_work_with_a_cache(tiny_model):
    from mlx_lm.models.cache import make_prompt_cache

    whole = residual_stream(tiny_model.model, tiny_model.anatomy, TOKENS)
    cache = make_prompt_cache(tiny_model.model)
    tiny_model.model(TOKENS[:, :-1], cache=cache)
    with tapped(tiny_model.model, tiny_model.anatomy) as last:
        tiny_model.model(TOKENS[:, -1:], cache=cache)
    for full, step in zip(whole, last, strict=True):
        np.testing.assert_allclose(np.array(full[:, -1]), np.array(step[:, 0]), atol=1e-5)


@settings(max_examples=4)
@given(layer=st.integers(0, 3))
def test_gradients_equal_those_of_an_untapped_equivalent(tiny, layer):
    loaded = load(tiny)
    target = mx.random.normal((2, 4, 48), key=mx.random.key(3))

    def with_taps(model: nn.Module) -> mx.array:
        return ((residual_stream(model, loaded.anatomy, TOKENS)[layer] - target) ** 2).mean()

    def by_hand(model: nn.Module) -> mx.array:
        return ((own_residuals(model, TOKENS)[layer] - target) ** 2).mean()

    value, gradients = nn.value_and_grad(loaded.model, with_taps)(loaded.model)
    wanted, expected = nn.value_and_grad(loaded.model, by_hand)(loaded.model)
    np.testing.assert_allclose(np.array(value), np.array(wanted), rtol=1e-6)
    ours, theirs = dict(tree_flatten(gradients)), dict(tree_flatten(expected))
    assert ours.keys() == theirs.keys()
    assert any(float(mx.abs(g).max()) > 0 for g in theirs.values())
    for name, gradient in theirs.items():
        np.testing.assert_allclose(np.array(ours[name]), np.array(gradient), atol=1e-6)


@pytest.mark.parametrize("family", CONFIGS)
def test_without_masks_the_last_position_sees_the_future_of_the_others(family):
    loaded = made(family)
    embedding = part(loaded.model, loaded.anatomy.embedding)
    embedding.weight = embedding.weight / 30  # so that attention is no small part of the residual
    tokens = mx.array([[3, 5, 9, 30]])
    causal, unmasked = (
        [np.array(h[0]) for h in residual_stream(loaded.model, loaded.anatomy, tokens, causal=on)]
        for on in (True, False)
    )
    size = np.abs(causal[0]).max()
    np.testing.assert_allclose(unmasked[0][-1], causal[0][-1], atol=1e-5 * size)
    assert np.abs(unmasked[0][0] - causal[0][0]).max() > 1e-3 * size
    assert np.abs(unmasked[-1][-1] - causal[-1][-1]).max() > 1e-4 * np.abs(causal[-1]).max()


def test_masks_are_back_afterwards_and_one_token_needs_none(tiny_model):
    model, one = tiny_model.model, mx.array([[7]])
    before, alone = np.array(model(TOKENS)), np.array(model(one))
    with unmasked(model, tiny_model.anatomy):
        assert not np.allclose(before, np.array(model(TOKENS)))
        np.testing.assert_allclose(np.array(model(one)), alone, atol=1e-5)
    assert np.array_equal(before, np.array(model(TOKENS)))


@pytest.fixture(scope="module", params=["olmoe", "gpt-oss"])
def routed(request):
    """An untrained mixture of the lab, and what holds its routers."""
    config = lab.config_of(request.param)
    model, anatomy = lab.initialise(config, 0), anatomy_of(config)
    return model, [holder(block, anatomy.router) for block in blocks(model, anatomy)]


def test_recorded_routers_change_neither_the_logits_nor_the_order_of_parameters(routed):
    model, routers = routed
    before = [name for name, _ in tree_flatten(model.parameters())]
    plain = np.array(model(TOKENS))
    with router_logits(routers) as logits:
        recorded = np.array(model(TOKENS))
        model(TOKENS[:1])
    assert np.array_equal(plain, recorded)
    assert [name for name, _ in tree_flatten(model.parameters())] == before
    assert [[x.size for x in layer] for layer in logits] == [[8 * 8, 4 * 8]] * 8


def test_what_is_recorded_is_what_the_router_says(routed):
    model, routers = routed
    home, name = routers[0]
    heard, own = [], home[name]
    home[name] = lambda states: heard.append(states) or own(states)
    with router_logits(routers) as logits:
        model(TOKENS)
    home[name] = own
    assert np.array_equal(np.array(logits[0][0]), np.array(own(heard[0])))


@pytest.mark.parametrize("family", sorted(CONFIGS))
def test_a_prefix_takes_the_place_of_the_first_embedding(family):
    """The prefix of a token's own embedding is that token; any other changes what follows."""
    loaded = made(family)
    tokens = mx.array([[5, 9, 3], [8, 7, 1]])
    other = mx.array([[2, 9, 3], [2, 7, 1]])
    own = np.array(loaded.model(tokens))
    path, _, name = loaded.anatomy.embedding.rpartition(".")
    keys = list(part(loaded.model, path))
    embeddings = part(loaded.model, loaded.anatomy.embedding)(tokens)[:, 0]
    with prefixed(loaded.model, loaded.anatomy, embeddings):
        replaced = np.array(loaded.model(other))
    with prefixed(loaded.model, loaded.anatomy, mx.zeros_like(embeddings)):
        changed = np.array(loaded.model(other))
    np.testing.assert_allclose(replaced, own, atol=1e-5 * np.abs(own).max())
    assert np.abs(changed - own).max() > 1e-3 * np.abs(own).max()
    assert list(part(loaded.model, path)) == keys
    assert name in keys
    assert np.array_equal(np.array(loaded.model(tokens)), own)
