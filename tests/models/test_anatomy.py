"""Anatomy: every family's record reproduces its own logits, and a wrong one is refused."""

from dataclasses import replace

import numpy as np
import pytest
from families import CONFIGS, MIXTURES, made

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import FAMILIES, Anatomy, anatomy_of, part, unembed
from lazarus_bench.models.load import lens_error, verify_anatomy


def test_every_family_is_tried_here():
    assert CONFIGS.keys() == FAMILIES.keys()


@pytest.mark.parametrize("family", CONFIGS)
def test_the_last_layer_reproduces_the_logits(family):
    loaded = made(family)
    verify_anatomy(loaded)
    tokens = mx.array(np.random.default_rng(0).integers(0, 61, (2, 9)))
    assert lens_error(loaded.model, loaded.anatomy, tokens) <= 1e-4
    assert loaded.depth == 3


def test_the_tied_and_the_untied_head_are_both_found():
    for tied in (True, False):
        loaded = made("llama", tie_word_embeddings=tied)
        assert hasattr(loaded.model, "lm_head") is not tied
        verify_anatomy(loaded)


@pytest.mark.parametrize(
    ("family", "wrong"),
    [
        ("granite", {"logit_scale": 1.0}),
        ("gemma2", {"softcap": None}),
        ("llama", {"logit_scale": 0.5}),
        ("llama", {"norm": "model.layers.0.input_layernorm"}),
    ],
)
def test_a_wrong_anatomy_is_refused_and_names_the_file_to_mend(family, wrong):
    loaded = made(family)
    if "norm" in wrong:
        loaded.model.model.wrong_norm = lambda hidden: hidden
        wrong = {"norm": "model.wrong_norm"}
    mistaken = replace(loaded, anatomy=replace(loaded.anatomy, **wrong))
    with pytest.raises(UserError, match=r"differs from the logits.*models/anatomy\.py"):
        verify_anatomy(mistaken)


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


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("targets", ["vo", "qk", "mlp", "all"])
def test_targets_name_linear_layers_of_every_block(family, targets):
    loaded = made(family)
    if family in MIXTURES and targets == "mlp":
        with pytest.raises(UserError, match="'mlp' are not in this family: choose vo, qk, all"):
            loaded.anatomy.target_keys(targets)
        return
    keys = loaded.anatomy.target_keys(targets)
    assert keys
    for block in part(loaded.model, loaded.anatomy.layers):
        for key in keys:
            assert part(block, key).weight.ndim == 2


def test_an_unknown_target_set_is_refused():
    with pytest.raises(UserError, match=r"'heads'.*choose vo, qk, mlp, all"):
        Anatomy().target_keys("heads")


def test_all_is_the_union_of_the_sets_without_repeats():
    anatomy = Anatomy()
    keys = anatomy.target_keys("all")
    assert len(keys) == len(set(keys)) == 7
    assert set(keys) == {k for name in ("vo", "qk", "mlp") for k in anatomy.target_keys(name)}


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
