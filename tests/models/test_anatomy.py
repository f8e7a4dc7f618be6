"""Anatomy: every family's record reproduces its own logits, and a wrong one is refused."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from families import CONFIGS, SHAPE, made, text_config

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import FAMILIES, Anatomy, anatomy_of, head, part, unembed
from lazarus_bench.models.load import lens_error, verify_anatomy

SCALED = ("cohere", "cohere2", "gemma2", "granite", "granitemoe")


def test_every_family_is_tried_here():
    assert CONFIGS.keys() == FAMILIES.keys()


@pytest.mark.parametrize("family", CONFIGS)
def test_the_last_layer_reproduces_the_logits(family):
    loaded = made(family)
    verify_anatomy(loaded)
    tokens = mx.array(np.random.default_rng(0).integers(0, 61, (2, 9)))
    assert lens_error(loaded.model, loaded.anatomy, tokens) <= 1e-4
    assert loaded.depth == text_config(family)["num_hidden_layers"]


@pytest.mark.parametrize("family", CONFIGS)
def test_no_number_that_changes_the_logits_is_left_as_if_it_were_not_there(family):
    from mlx_lm.utils import _get_classes

    _, arguments = _get_classes(SHAPE | CONFIGS[family] | {"model_type": family})
    names = {field.name for field in dataclasses.fields(arguments) if "logit" in field.name}
    assert all(text_config(family).get(name, 1.0) != 1.0 for name in names)
    changed = anatomy_of(SHAPE | CONFIGS[family] | {"model_type": family})
    assert bool(names) == (family in SCALED)
    assert (changed.logit_scale != 1.0 or changed.softcap is not None) == (family in SCALED)


@pytest.mark.parametrize("family", SCALED)
def test_a_forgotten_multiplier_or_softcap_is_refused(family):
    loaded = made(family)
    forgotten = replace(loaded.anatomy, logit_scale=1.0, softcap=None)
    with pytest.raises(UserError, match=r"differs from the logits.*models/anatomy\.py"):
        verify_anatomy(replace(loaded, anatomy=forgotten))


@pytest.mark.parametrize("family", CONFIGS)
def test_another_norm_than_the_last_is_refused(family):
    loaded = made(family)
    norm = part(loaded.model, loaded.anatomy.norm)
    loaded.model.other = type(norm)(text_config(family)["hidden_size"])
    with pytest.raises(UserError, match=r"differs from the logits.*models/anatomy\.py"):
        verify_anatomy(replace(loaded, anatomy=replace(loaded.anatomy, norm="other")))


def test_the_tied_and_the_untied_head_are_both_found():
    for tied in (True, False):
        loaded = made("llama", tie_word_embeddings=tied)
        assert head(loaded.model, loaded.anatomy)[1] is tied
        verify_anatomy(loaded)


def test_a_head_inside_a_multimodal_model_is_found():
    for family in ("gemma3", "llama4"):
        loaded = made(family)
        module, tied = head(loaded.model, loaded.anatomy)
        assert module is loaded.model.language_model.lm_head
        assert not tied


def test_logits_that_are_no_numbers_are_refused():
    loaded = made("llama")
    loaded.model.model.norm.weight = mx.full((32,), float("nan"))
    with pytest.raises(UserError, match="llama"):
        verify_anatomy(loaded)


def test_an_unknown_family_names_the_file_to_edit_and_the_known_families():
    with pytest.raises(UserError) as error:
        anatomy_of({"model_type": "mamba"})
    text = str(error.value)
    assert "'mamba'" in text
    assert "lazarus_bench/models/anatomy.py" in text
    assert all(family in text for family in FAMILIES)


@pytest.mark.parametrize("value", [None, "eight", 0])
def test_a_multiplier_that_is_no_number_is_refused_by_name(value):
    with pytest.raises(UserError, match="logits_scaling"):
        anatomy_of({"model_type": "granite", "logits_scaling": value})


def test_granites_head_divides_by_its_logits_scaling():
    loaded = made("granite")
    hidden = mx.random.normal((3, 32), key=mx.random.key(2))
    unscaled = unembed(loaded.model, replace(loaded.anatomy, logit_scale=1.0), hidden)
    ours = unembed(loaded.model, loaded.anatomy, hidden)
    np.testing.assert_allclose(np.array(ours), np.array(unscaled) / 8.0, rtol=1e-5)


def test_gemma2s_head_is_bounded_by_its_softcap():
    loaded = made("gemma2")
    logits = unembed(loaded.model, loaded.anatomy, 100 * mx.random.normal((3, 32)))
    assert 2.0 < float(np.abs(np.array(logits)).max()) <= 3.0


def test_a_granite_without_its_scaling_is_refused_in_words(tmp_path, tiny):
    import json
    import shutil

    from lazarus_bench.models.load import load

    broken = tmp_path / "granite"
    shutil.copytree(tiny, broken)
    config = json.loads((broken / "config.json").read_text()) | {"model_type": "granite"}
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="granite"):
        load(broken)


def test_an_unknown_target_set_is_refused():
    with pytest.raises(UserError, match=r"'heads'.*choose vo, qk, mlp, all"):
        Anatomy().target_keys("heads")
