"""A training in a process of its own is weighed, or says why it cannot be."""

import json

import pytest

from lazarus_bench.benchmark.alone import weighed
from lazarus_bench.benchmark.recipes import RECIPES, applies, readings_of, task_of
from lazarus_bench.errors import UserError
from lazarus_bench.models import lab
from lazarus_bench.training import Pretrain


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
    foreign = [name for name, recipe in RECIPES.items() if applies(recipe, lab=False)]
    assert set(RECIPES) - set(foreign) == {"pretraining", "instruction tuning"}


@pytest.mark.parametrize("family", ["llama", "olmoe", "gpt-oss"])
def test_pretraining_is_of_the_models_own_family(tmp_path, family):
    (tmp_path / "config.json").write_text(json.dumps(lab.config_of(family)))
    spec, base = task_of("pretraining", tmp_path, 7)
    assert (spec, base) == (Pretrain(family=family, steps=7), None)
    spec, base = task_of("SFT, LoRA", tmp_path, 7)
    assert (spec.kind, spec.steps, base) == ("sft", 7, tmp_path)
