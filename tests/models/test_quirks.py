"""Quirks of the model: Granite's wrong forward, and an adapter that lost modules."""

import numpy as np
import pytest
from families import GRANITE, made
from mlx.utils import tree_flatten

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.adapters import Lora, add_lora, save_adapter
from lazarus_bench.models.load import lens_error, load, verify_anatomy
from lazarus_bench.models.quirks import GRANITES, with_quirk
from lazarus_bench.models.untrained import randomise

TOKENS = mx.array([[3, 5, 9, 30, 7]])
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@pytest.mark.parametrize("family", GRANITES)
def test_granites_wrong_forward_is_the_public_sources(family):
    """That of other multipliers, whose attention writes as much less as its scale was smaller."""
    public = made(
        family, embedding_multiplier=1.0, logits_scaling=1.0, attention_multiplier=8**-0.5
    )
    for block in public.model.model.layers:
        projection = block.self_attn.o_proj
        projection.weight = GRANITE["attention_multiplier"] * projection.weight
    expected = np.array(public.model(TOKENS))
    found = np.array(with_quirk(made(family), "granite-forward").model(TOKENS))
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


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
