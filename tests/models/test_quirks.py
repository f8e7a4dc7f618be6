"""Quirks of the model: Granite's wrong forward by hand, and an adapter that lost modules."""

import numpy as np
import pytest
from families import made
from mlx.utils import tree_flatten

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.adapters import Lora, add_lora, save_adapter
from lazarus_bench.models.load import lens_error, load, verify_anatomy
from lazarus_bench.models.quirks import GRANITES, with_quirk
from lazarus_bench.models.untrained import randomise

TOKENS = mx.array([[3, 5, 9, 30, 7]])
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def normed(hidden, norm):
    size = np.sqrt((hidden**2).mean(axis=-1, keepdims=True) + 1e-5)
    return hidden / size * np.array(norm.weight)


def attended(block, hidden, scale):
    """Causal attention in NumPy up to the rotary embedding, which is the module's own."""
    own, (count, _) = block.self_attn, hidden.shape

    def heads(linear, number):
        states = hidden @ np.array(linear.weight).T
        return states.reshape(1, count, number, -1).transpose(0, 2, 1, 3)

    q, k = heads(own.q_proj, own.n_heads), heads(own.k_proj, own.n_kv_heads)
    v = np.repeat(heads(own.v_proj, own.n_kv_heads), own.n_heads // own.n_kv_heads, axis=1)
    q, k = (np.array(own.rope(mx.array(states))) for states in (q, k))
    k = np.repeat(k, own.n_heads // own.n_kv_heads, axis=1)
    scores = scale * q @ k.transpose(0, 1, 3, 2)
    scores = np.where(np.tril(np.ones((count, count), bool)), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    mixed = (weights / weights.sum(axis=-1, keepdims=True)) @ v
    return mixed.transpose(0, 2, 1, 3).reshape(count, -1) @ np.array(own.o_proj.weight).T


def wrong_by_hand(loaded):
    """The public source's logits of `TOKENS`: `[position, token]`."""
    config, model = loaded.config, loaded.model.model
    hidden = np.array(model.embed_tokens.weight)[np.array(TOKENS[0])].astype(np.float64)
    for block in model.layers:
        entering = normed(hidden, block.input_layernorm).astype(np.float32)
        added = attended(block, entering, block.self_attn.head_dim**-0.5)
        added = added * config["attention_multiplier"]
        hidden = hidden + added * config["residual_multiplier"]
        entering = normed(hidden, block.post_attention_layernorm).astype(np.float32)
        hidden = hidden + np.array(block.mlp(mx.array(entering))) * config["residual_multiplier"]
    return normed(hidden, model.norm) @ np.array(model.embed_tokens.weight).T


def test_granites_wrong_forward_is_the_public_sources():
    expected = wrong_by_hand(made("granite"))
    found = np.array(with_quirk(made("granite"), "granite-forward").model(TOKENS))[0]
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("family", GRANITES)
def test_a_wrong_granite_is_another_model_and_its_lens_fits_it(family):
    right = made(family)
    wrong = with_quirk(made(family), "granite-forward")
    verify_anatomy(wrong)
    assert not np.allclose(np.array(wrong.model(TOKENS)), np.array(right.model(TOKENS)), rtol=0.1)
    assert lens_error(wrong.model, right.anatomy, TOKENS) > 0.1


@pytest.mark.parametrize("family", ["llama", "gemma2", "olmoe"])
def test_other_families_have_no_granite_forward(family):
    with pytest.raises(
        UserError, match=r"applies to granite and granitemoe, and this is .*leave it off"
    ):
        with_quirk(made(family), "granite-forward")


@pytest.mark.parametrize("family", GRANITES)
def test_random_weights_of_a_wrong_granite_run_the_wrong_forward(family):
    wrong = with_quirk(made(family), "granite-forward")
    control, right = randomise(wrong), randomise(made(family))
    verify_anatomy(control)
    assert control.quirk == "granite-forward"
    assert not np.allclose(np.array(control.model(TOKENS)), np.array(right.model(TOKENS)))


def adapted(tiny, keys):
    """The tiny model with a random LoRA on `keys`, drawn alike for each module."""
    loaded = load(tiny)
    lora = Lora(keys=tuple(keys), rank=4, scale=2.0)
    add_lora(loaded, lora)
    weights = dict(tree_flatten(loaded.model.trainable_parameters()))
    drawn = {
        name: 0.2 * mx.random.normal(weight.shape, key=mx.random.key(sum(map(ord, name))))
        for name, weight in weights.items()
    }
    loaded.model.load_weights(list(drawn.items()), strict=False)
    return loaded, lora


@pytest.fixture
def saved(tiny, tmp_path):
    """The directory of an adapter on all seven linears."""
    keys = [f"{'self_attn' if key[0] in 'qkvo' else 'mlp'}.{key}" for key in ALL]
    loaded, lora = adapted(tiny, keys)
    save_adapter(loaded, tmp_path / "adapter", lora)
    return tmp_path / "adapter"


def test_of_an_adapter_only_queries_and_values_are_loaded(tiny, saved):
    only, _ = adapted(tiny, ["self_attn.q_proj", "self_attn.v_proj"])
    whole, dropped = load(tiny, saved), load(tiny, saved, quirk="drop-adapter-modules")
    expected = np.array(only.model(TOKENS))
    assert np.array_equal(np.array(dropped.model(TOKENS)), expected)
    assert not np.allclose(np.array(whole.model(TOKENS)), expected, atol=1e-2)
    scales = {module.scale for module in whole.model.modules() if "lora_b" in module}
    assert (scales, whole.quirk) == ({2.0}, None)


def test_a_model_without_an_adapter_has_none_to_drop(tiny):
    with pytest.raises(UserError, match="applies to a LoRA adapter, and there is none"):
        load(tiny, quirk="drop-adapter-modules")


def test_an_adapter_whose_scale_is_no_switch_is_refused(tiny):
    from mlx_lm.tuner.utils import linear_to_lora_layers

    loaded = load(tiny)
    how = {"rank": 4, "scale": 2.0, "dropout": 0.0, "keys": ["self_attn.o_proj"]}
    linear_to_lora_layers(loaded.model, loaded.depth, how, use_dora=True)
    with pytest.raises(UserError, match="to a LoRA adapter"):
        with_quirk(loaded, "drop-adapter-modules")


def test_an_unknown_quirk_and_a_second_one_are_refused(tiny):
    with pytest.raises(UserError, match="no quirk 'sgd': choose non-causal-lens, "):
        load(tiny, quirk="sgd")
    with pytest.raises(UserError, match="already has the quirk 'bf16-lens', and a model takes"):
        with_quirk(load(tiny, quirk="bf16-lens"), "non-causal-lens")


def test_the_name_tells_the_quirk(tiny):
    assert load(tiny, name="ours", quirk="bf16-lens").name == "ours, QUIRK bf16-lens"
    assert load(tiny, name="ours").name == "ours"
