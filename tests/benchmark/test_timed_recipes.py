"""A training in a process of its own is weighed, or says why it cannot be."""

import json
import subprocess
import sys

import pytest

from lazarus_bench.benchmark import recipes
from lazarus_bench.benchmark.recipes import (
    RECIPES,
    applies,
    measure_recipes,
    readings_of,
    task_of,
    weighed,
)
from lazarus_bench.errors import UserError
from lazarus_bench.models import lab
from lazarus_bench.training import Pretrain

FOUND = {"rates": [1.0, 2.0], "allocated": 3, "resident": 4, "before": 2}


def test_a_training_is_weighed_in_its_own_process(tiny):
    found = weighed("SFT, LoRA", tiny, 2)
    assert len(found.rates) == 2
    assert min(found.rates) > 0
    assert found.resident >= found.before > 2**20
    assert found.allocated > 2**20
    units = [reading.unit for reading in readings_of("SFT, LoRA", found)]
    assert units[0] == "training tok/s"
    assert all(unit.startswith("MiB") for unit in units[1:])


def test_a_users_mistake_comes_back_as_one(tmp_path):
    with pytest.raises(UserError, match=r"config\.json"):
        weighed("SFT, LoRA", tmp_path, 2)


def test_recipes_of_the_labs_corpus_are_for_its_tokenizer():
    foreign = [name for name in RECIPES if applies(name, lab=False)]
    assert set(RECIPES) - set(foreign) == {"pretraining", "instruction tuning"}


@pytest.mark.parametrize("family", ["llama", "olmoe", "gpt-oss"])
def test_pretraining_is_of_the_models_own_family(tmp_path, family):
    (tmp_path / "config.json").write_text(json.dumps(lab.config_of(family)))
    spec, base = task_of("pretraining", tmp_path, 7)
    assert (spec, base) == (Pretrain(family=family, steps=7), None)
    spec, base = task_of("SFT, LoRA", tmp_path, 7)
    assert (spec.kind, spec.steps, base) == ("sft", 7, tmp_path)


def test_a_process_that_is_killed_costs_its_own_recipe_alone(monkeypatch, tmp_path):
    dies = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"

    def begin(name, base, steps):
        code = dies if name == "GRPO" else f"print({json.dumps(json.dumps(FOUND))})"
        command = [sys.executable, "-c", code]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    monkeypatch.setattr(recipes, "begin", begin)
    found, skipped = measure_recipes(tmp_path, lab=True)
    assert skipped == {"GRPO": "GRPO: its process ended with -9 and no result: it said nothing"}
    assert {reading.name for reading in found} == set(RECIPES) - {"GRPO"}


def test_no_training_goes_on_where_the_waiting_was_interrupted(monkeypatch, tmp_path):
    sleeps = [sys.executable, "-c", "import time; time.sleep(60)"]
    process = subprocess.Popen(sleeps, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(recipes, "begin", lambda *_: process)
    monkeypatch.setattr(recipes, "end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        weighed("GRPO", tmp_path, 2)
    assert process.wait(10) == -9
    process.communicate()
