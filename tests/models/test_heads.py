"""Heads: leaving one out is zeroing what the output projection has of it, in every family."""

from dataclasses import replace

import numpy as np
import pytest
from families import CONFIGS, made

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import blocks, part
from lazarus_bench.models.edits import Ablate
from lazarus_bench.models.heads import (
    head_count,
    head_values,
    output_projection,
    without_heads,
    written_by,
)
from lazarus_bench.models.taps import contributions, edited

TOKENS = mx.array([[0, 5, 9, 30], [0, 7, 7, 12]])


def logits(loaded):
    return np.array(loaded.model(TOKENS).astype(mx.float32))


def projection(loaded, layer):
    return part(blocks(loaded.model, loaded.anatomy)[layer], output_projection(loaded.anatomy))


@pytest.mark.parametrize("family", CONFIGS)
def test_a_head_left_out_is_its_columns_of_the_projection_zeroed(family):
    loaded = made(family)
    assert head_count(loaded) == 4
    plain = logits(loaded)
    with without_heads(loaded, 1, (2,)):
        found = logits(loaded)
    own = projection(loaded, 1)
    width = own.weight.shape[1] // 4
    own.weight[:, 2 * width : 3 * width] = 0
    np.testing.assert_allclose(found, logits(loaded), atol=1e-5 * plain.std())
    assert np.abs(found - plain).max() > 1e-4 * plain.std()


@pytest.mark.parametrize("family", CONFIGS)
def test_what_heads_write_adds_up_to_the_attention(family):
    loaded = made(family)
    whole = contributions(loaded.model, loaded.anatomy, TOKENS, "attention")
    for layer, values in enumerate(head_values(loaded, TOKENS)):
        bias = projection(loaded, layer)(mx.zeros_like(values))
        written = sum(written_by(loaded, layer, head, values) for head in range(4)) + bias
        np.testing.assert_allclose(np.array(written), np.array(whole[layer]), atol=2e-5)


def test_without_any_head_a_layer_without_biases_has_no_attention(tiny_model):
    plain = np.array(tiny_model.model(TOKENS))
    with edited(tiny_model.model, tiny_model.anatomy, (Ablate(layer=2, part="attention"),)):
        expected = np.array(tiny_model.model(TOKENS))
    with without_heads(tiny_model, 2, (0, 1, 2)):
        found = np.array(tiny_model.model(TOKENS))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not np.allclose(found, plain, atol=1e-3)


def test_what_a_head_writes_in_its_own_place_changes_nothing(tiny_model):
    tokens = TOKENS[:1, :1]
    plain = np.array(tiny_model.model(tokens))
    written = written_by(tiny_model, 1, 2, head_values(tiny_model, tokens)[1])
    with without_heads(tiny_model, 1, (2,), written[0, 0]):
        np.testing.assert_allclose(np.array(tiny_model.model(tokens)), plain, atol=1e-5)


def test_decoding_with_a_cache_leaves_the_head_out_of_every_token(tiny_model):
    from mlx_lm.models.cache import make_prompt_cache

    cache = make_prompt_cache(tiny_model.model)
    with without_heads(tiny_model, 1, (0,)):
        whole = np.array(tiny_model.model(TOKENS)[:, -1])
        tiny_model.model(TOKENS[:, :2], cache=cache)
        steps = [tiny_model.model(TOKENS[:, at : at + 1], cache=cache) for at in (2, 3)]
    np.testing.assert_allclose(np.array(steps[-1][:, -1]), whole, atol=1e-5)


def test_quantised_and_adapted_projections_are_called_as_they_are():
    loaded = made("llama", hidden_size=64, intermediate_size=64, head_dim=16)
    nn.quantize(loaded.model, group_size=64, bits=8)
    with without_heads(loaded, 0, (0, 1, 2, 3)):
        found = logits(loaded)
    with edited(loaded.model, loaded.anatomy, (Ablate(layer=0, part="attention"),)):
        np.testing.assert_allclose(found, logits(loaded), atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "head", "complaint"),
    [
        (4, 0, "layer 4 is not in this model: choose 0 to 3"),
        (1, 3, "head 3 is not in this model: choose 0 to 2"),
        (1, -1, "head -1 is not in this model"),
    ],
)
def test_what_is_not_in_the_model_is_refused(tiny_model, layer, head, complaint):
    with pytest.raises(UserError, match=complaint), without_heads(tiny_model, layer, (head,)):
        pass


def test_a_configuration_that_does_not_count_heads_is_told():
    with pytest.raises(UserError, match="has no num_attention_heads: add it"):
        head_count(replace(made("llama"), config={"model_type": "llama"}))
