"""Subjects: lab names, directories, and fingerprints that tell contents apart."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from lazarus_bench.claims.subjects import is_further, lab_family
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.jobs.subjects import (
    LAB,
    LAB_FAMILIES,
    MIXTURES,
    subject,
)
from lazarus_bench.models import files
from lazarus_bench.training import Instruct, Pretrain


def test_a_lab_base_is_pretrained_once_a_seed():
    base = subject("lab:llama").base(3)
    assert base == Job(recipe=Pretrain(family="llama"), base=None, seed=3)


def test_a_lab_instruct_model_is_tuned_from_the_same_base():
    tuned = subject("lab:llama-instruct").base(3)
    assert isinstance(tuned.recipe, Instruct)
    assert tuned.base == subject("lab:llama").base(3)
    assert tuned.seed == 3


LLAMA_DIGEST = "81af442579572c9a72a67fed587d03ed7402c2c394fb465bda59f92f428000d1"


def test_the_llamas_jobs_are_those_of_every_store_there_is():
    base = subject("lab:llama").base(0)
    assert base.digest == LLAMA_DIGEST
    assert base.label == "pretrain"


@pytest.mark.parametrize("family", LAB_FAMILIES)
def test_every_family_has_a_base_and_an_instruct_model_of_its_own(family):
    base, tuned = subject(f"lab:{family}").base(0), subject(f"lab:{family}-instruct").base(0)
    assert base.recipe.family == family
    assert tuned.base == base
    assert lab_family(f"lab:{family}") == lab_family(f"lab:{family}-instruct") == family
    assert (family in base.label) == is_further(f"lab:{family}-instruct") == (family != "llama")


def test_further_families_cost_less():
    assert MIXTURES == ("olmoe", "gpt-oss")
    further = [spec for family, spec in LAB_FAMILIES.items() if family != "llama"]
    assert all(spec.lab_seconds <= 75 for spec in further)
    assert sum(spec.lab_seconds for spec in further) < 2 * 6 * 60


@pytest.mark.parametrize("name", ["some/llama", "/models/lab", "llama"])
def test_what_is_not_the_labs_has_no_family_there(name):
    assert lab_family(name) is None
    assert not is_further(name)


@pytest.mark.parametrize("name", ["lab:lama", "lab:", "lab:llama-chat"])
def test_an_unknown_lab_name_lists_the_known(name):
    with pytest.raises(UserError, match=", ".join(LAB)):
        subject(name)


def test_a_directory_is_the_same_checkpoint_for_every_seed(tiny):
    given = subject(str(tiny))
    assert not given.is_lab
    assert subject("lab:llama").is_lab
    assert given.base(0) == given.base(7)
    assert isinstance(given.base(0), Checkpoint)
    assert given.model_type == json.loads((tiny / "config.json").read_text())["model_type"]


@pytest.fixture
def copy(tiny, tmp_path) -> Path:
    shutil.copytree(tiny, tmp_path / "copy")
    return tmp_path / "copy"


def test_the_fingerprint_is_of_the_content_not_of_the_place(tiny, copy):
    assert files.fingerprint(copy) == files.fingerprint(tiny)


def other_config(directory: Path) -> None:
    file = directory / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"rope_theta": 500.0}))


def one_weight_in_the_middle(directory: Path) -> None:
    file = directory / "model.safetensors"
    weights = load_file(file)
    weights["model.layers.1.mlp.up_proj.weight"][5, 5] += 1
    save_file(weights, file, metadata={"format": "mlx"})


def other_tokenizer(directory: Path) -> None:
    file = directory / "tokenizer.json"
    file.write_text(file.read_text().replace("multiply", "multiple"))


def other_special_tokens(directory: Path) -> None:
    file = directory / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"add_bos_token": False}))


CHANGES = [other_config, one_weight_in_the_middle, other_tokenizer, other_special_tokens]


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_that_a_result_depends_on_changes_the_fingerprint(tiny, copy, change):
    change(copy)
    assert files.fingerprint(copy) != files.fingerprint(tiny)


def test_every_part_of_a_large_file_is_sampled(copy, monkeypatch):
    monkeypatch.setattr(files, "_SAMPLE", 16)
    before = files.fingerprint(copy)
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    stride = len(content) // 64 + 16
    middle = len(content) // 2
    content[middle : middle + stride] = bytes(b ^ 1 for b in content[middle : middle + stride])
    weights.write_bytes(bytes(content))
    assert files.fingerprint(copy) != before


def test_an_unknown_family_is_refused_before_any_training(copy):
    file = copy / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_type": "reservoir"}))
    with pytest.raises(UserError, match=r"'reservoir' is unknown.*families\.py"):
        subject(str(copy))


def test_a_damaged_tokenizer_is_refused_before_any_training(copy):
    file = copy / "tokenizer.json"
    file.write_text(file.read_text()[:1000])
    with pytest.raises(UserError, match=r"tokenizer\.json is not valid JSON"):
        subject(str(copy))


def test_an_empty_name_is_not_the_current_directory():
    with pytest.raises(UserError, match="empty"):
        subject("")
