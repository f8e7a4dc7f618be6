"""Anatomy: every family's record reproduces its own logits, and a wrong one is refused."""

import dataclasses
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from families import CONFIGS, SHAPE, made, text_config

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.subjects import subject
from lazarus_bench.models import families, lab
from lazarus_bench.models.anatomy import Anatomy, head, part, unembed
from lazarus_bench.models.families import FAMILIES, Family, LabModel, anatomy_of
from lazarus_bench.models.load import lens_error, load, verify_anatomy

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
    with pytest.raises(UserError, match=r"differs from the logits.*models/families\.py"):
        verify_anatomy(replace(loaded, anatomy=forgotten))


@pytest.mark.parametrize("family", CONFIGS)
def test_another_norm_than_the_last_is_refused(family):
    loaded = made(family)
    norm = part(loaded.model, loaded.anatomy.norm)
    loaded.model.other = type(norm)(text_config(family)["hidden_size"])
    with pytest.raises(UserError, match=r"differs from the logits.*models/families\.py"):
        verify_anatomy(replace(loaded, anatomy=replace(loaded.anatomy, norm="other")))


@pytest.mark.parametrize("tied", [True, False])
def test_the_tied_and_the_untied_head_are_both_found(tied):
    loaded = made("llama", tie_word_embeddings=tied)
    assert head(loaded.model, loaded.anatomy)[1] is tied
    verify_anatomy(loaded)


@pytest.mark.parametrize("family", ["gemma3", "llama4"])
def test_a_head_inside_a_multimodal_model_is_found(family):
    loaded = made(family)
    module, tied = head(loaded.model, loaded.anatomy)
    assert (module, tied) == (loaded.model.language_model.lm_head, False)


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
    assert "lazarus_bench/models/families.py" in text
    assert all(family in text for family in FAMILIES)


@pytest.mark.parametrize("value", [None, "eight", 0])
def test_a_multiplier_that_is_no_number_is_refused_by_name(value):
    with pytest.raises(UserError, match="logits_scaling"):
        anatomy_of({"model_type": "granite", "logits_scaling": value})


@pytest.mark.parametrize("model_type", ["llama", "granite", "olmoe"])
def test_an_activation_that_mlx_lm_would_not_compute_is_refused(model_type):
    with pytest.raises(UserError, match=f"hidden_act is 'gelu'.* every {model_type} with silu"):
        anatomy_of({"model_type": model_type, "hidden_act": "gelu"})
    assert anatomy_of({"model_type": model_type, "hidden_act": "silu"}).layers


@pytest.mark.parametrize(("family", "bounded"), [("granite", False), ("gemma2", True)])
def test_a_head_divides_by_its_scaling_or_is_bounded_by_its_softcap(family, bounded):
    loaded = made(family)
    hidden = 100 * mx.random.normal((3, 32), key=mx.random.key(2))
    plain = replace(loaded.anatomy, logit_scale=1.0, softcap=None)
    raw = np.array(unembed(loaded.model, plain, hidden))
    expected = 3 * np.tanh(raw / 3) if bounded else raw / 8
    found = np.array(unembed(loaded.model, loaded.anatomy, hidden))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


WIDE = Family(
    model_type="wide_llama",
    lab=LabModel(architecture="LlamaForCausalLM", config={"hidden_act": "silu"}, steps=5),
)


@pytest.fixture
def renamed(tmp_path, tiny):
    """A llama whose config.json names a family that nobody here knows."""
    shutil.copytree(tiny, tmp_path / "wide")
    file = tmp_path / "wide" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_type": "wide_llama"}))
    return tmp_path / "wide"


@pytest.fixture
def remapped(monkeypatch):
    """mlx-lm runs its llama for the family."""
    import mlx_lm.utils

    monkeypatch.setitem(mlx_lm.utils.MODEL_REMAPPING, "wide_llama", "llama")


def installed(monkeypatch, *entries):
    found = [
        SimpleNamespace(value=f"theirs:{i}", load=lambda e=e: e) for i, e in enumerate(entries)
    ]
    monkeypatch.setattr(families, "entry_points", lambda **_: found)


def test_a_family_is_passed_as_an_object(renamed, remapped):
    with pytest.raises(UserError, match="'wide_llama' is unknown"):
        load(renamed)
    assert load(renamed, family=WIDE).depth == 4


@pytest.mark.parametrize("named", [WIDE, [WIDE]], ids=["one", "list"])
def test_the_family_of_an_installed_package_is_found_by_name(monkeypatch, renamed, remapped, named):
    installed(monkeypatch, named)
    assert load(renamed).depth == 4
    assert subject(str(renamed)).model_type == "wide_llama"
    base = subject("lab:wide-llama").base(2).recipe
    assert (base.family, base.steps) == ("wide-llama", 5)
    assert lab.config_of("wide-llama")["model_type"] == "wide_llama"
    assert base.lab_seconds > 0


@pytest.mark.parametrize(
    ("named", "says"),
    [("wide", "no model family"), (replace(WIDE, model_type="qwen3"), "'qwen3', which there is")],
)
def test_a_package_that_names_no_new_family_is_refused(monkeypatch, named, says):
    installed(monkeypatch, named)
    with pytest.raises(UserError, match=f"entry point theirs:0 .*{says}"):
        anatomy_of({"model_type": "mamba"})


def test_an_unknown_target_set_is_refused():
    with pytest.raises(UserError, match=r"'heads'.*choose vo, qk, mlp, all"):
        Anatomy().target_keys("heads")
