"""Recipes that are weighed: for which models, and one that falls costs the others nothing."""

import json

import pytest

from lazarus_bench.benchmark import recipes
from lazarus_bench.benchmark.recipes import RECIPES, SETTLING, task_of
from lazarus_bench.benchmark.rivals import Effort
from lazarus_bench.benchmark.sections import Subject, measure_sections
from lazarus_bench.models import lab
from lazarus_bench.training import Pretrain
from lazarus_bench.training.apart import ProcessError, Weighed


@pytest.mark.parametrize("family", ["llama", "olmoe", "gpt-oss"])
def test_pretraining_is_of_the_models_own_family(tmp_path, family):
    (tmp_path / "config.json").write_text(json.dumps(lab.config_of(family)))
    spec, base = task_of("pretraining", tmp_path, 7, lab=True)
    assert (spec, base) == (Pretrain(family=family, steps=7), None)
    spec, base = task_of("SFT, LoRA", tmp_path, 7, lab=False)
    assert (spec.kind, spec.steps, base) == ("sft", 7, tmp_path)


def test_what_falls_or_does_not_apply_is_left_out_alone(monkeypatch, tmp_path):
    def weighed(name, spec, base, seed):
        if name == "GRPO":
            raise ProcessError("it fell")
        return Weighed(rates=(9.0,) * SETTLING + (1.0, 2.0), allocated=3, resident=4, before=2)

    monkeypatch.setattr(recipes, "weighed", weighed)
    subject = Subject(name="m", directory=tmp_path, lab=False)
    effort, told = Effort(steps=2), []
    found = measure_sections(["recipes"], subject, effort, told.append, "made up")
    corpus = "it reads the lab's corpus, which is for the lab's tokenizer"
    left = {"pretraining": corpus, "instruction tuning": corpus, "GRPO": "it fell"}
    assert found.skipped == left
    assert {reading.name for reading in found.readings} == set(RECIPES) - set(left)
    speeds = [r.found.value for r in found.readings if r.unit == "training tok/s"]
    assert speeds == [1.5] * len(speeds)
    assert told == [f"{name} (recipes)" for name in RECIPES]
