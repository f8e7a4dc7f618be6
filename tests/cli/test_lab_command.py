"""`lazarus-bench lab`: what the lab has, what is built, and building it."""

import json
import time
from pathlib import Path

import pytest

from lazarus_bench import cli
from lazarus_bench.errors import UserError
from lazarus_bench.jobs import subjects
from lazarus_bench.jobs.store import STORE_VARIABLE, Store
from lazarus_bench.jobs.subjects import LAB, lab_subject
from lazarus_bench.models import lab
from lazarus_bench.training import Pretrain, pretrain

SHORT = Pretrain(steps=2, symbols=4, words=2, prose=1)


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """An empty store, and a llama of the lab that takes two steps."""
    monkeypatch.setitem(subjects.LAB_FAMILIES, "llama", SHORT)
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "store"))
    return Store(tmp_path / "store")


def models(out):
    return {model["name"]: model for model in json.loads(out)["models"]}


def test_an_empty_store_lists_every_model_with_its_size(told):
    code, out, _ = told("list", "--json")
    found = models(out)
    assert (code, list(found)) == (0, list(LAB))
    assert found["lab:llama"]["parameters"] == parameters("llama")
    assert found["lab:olmoe"]["family"] == "olmoe"
    assert all(model["built"] == [] and model["seconds"] > 0 for model in found.values())
    assert found["lab:llama-instruct"]["seconds"] > found["lab:llama"]["seconds"]


def parameters(family):
    from mlx.utils import tree_flatten

    model = lab.initialise(lab.config_of(family), 0)
    return sum(array.size for _, array in tree_flatten(model.parameters()))


def test_a_model_is_built_once_and_then_there_for_every_command(told, store, capsys):
    began = time.time()
    code, out, err = told("build", "llama", "--workers", "1")
    directory = store.path(lab_subject("lab:llama").base(0))
    assert (code, directory.is_dir()) == (0, True)
    assert out.startswith("lab:llama seed 0: built in ")
    assert out.endswith(f", {directory}\n")
    assert "1 training to run, 1 at a time on this machine" in err
    assert "[1/1] pretrain seed 0: " in err
    assert told("build", "lab:llama") == (0, f"lab:llama seed 0: there already, {directory}\n", "")
    [built] = models(told("list", "--json")[1])["lab:llama"]["built"]
    assert (built["seed"], built["state"]) == (0, "whole")
    assert 0 < built["seconds"] < time.time() - began
    line = next(line for line in told("list")[1].splitlines() if line.startswith("lab:llama "))
    assert line.split()[1] == "0"
    assert cli.main(["lens", "lab:llama", "7 * 8 = ", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["directory"] == str(directory)


def test_building_as_json_names_each_artifact(told, store):
    code, out, _ = told("build", "llama", "--seeds", "2", "--workers", "1", "--json")
    found = json.loads(out)["models"]
    assert (code, [item["seed"] for item in found]) == (0, [0, 1])
    assert {item["directory"] for item in found} == {
        str(store.path(lab_subject("lab:llama").base(seed))) for seed in (0, 1)
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("build", "gpt5"), "gpt5 is not in the lab: choose from lab:llama, lab:llama-instruct"),
        (("build", "blank"), "lab:blank is untrained and made for the data that a claim reads"),
        (("build", "llama", "--seeds", "0"), "--seeds 0 must be at least 1"),
        (
            ("build", "llama", "--workers", "no"),
            "--workers no is not a number of processes: give 1",
        ),
        (("build", "llama", "--store", "/dev/null/x"), "the store /dev/null/x cannot be made"),
    ],
)
def test_a_mistake_is_one_sentence(told, arguments, sentence):
    code, out, err = told(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"lazarus-bench: {sentence}")
    assert len(err.splitlines()) == 1


def test_a_training_that_fails_is_told_and_sets_the_exit_code(told, store, monkeypatch):
    def refuse(*_, **__):
        raise UserError("the disk said no")

    monkeypatch.setattr(pretrain.Pretrain, "train", refuse)
    code, out, _ = told("build", "llama", "--workers", "1")
    assert (code, out) == (1, "lab:llama seed 0: the disk said no\n")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="a file system that makes nothing")
def test_a_store_that_cannot_be_made_is_told_without_a_trace(told):
    code, out, _ = told("build", "llama", "--store", "/proc/none")
    assert code == 1
    assert out.startswith("lab:llama seed 0: the store /proc/none cannot be made: choose another")


def test_what_lens_says_of_a_missing_model_builds_it(told, capsys):
    assert cli.main(["lens", "lab:olmoe", "7 * 8 = "]) == 2
    assert "build it with `lazarus-bench lab build olmoe`" in capsys.readouterr().err
