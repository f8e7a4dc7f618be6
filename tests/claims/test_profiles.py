"""Profiles: known names, and a number of seeds of one's own."""

import pytest

from lazarus_bench import LAB_BASE, LAB_EVERY, LAB_MIXTURES
from lazarus_bench.claims.profiles import PROFILES, asked, left_out, profile
from lazarus_bench.plugin.hooks import PytestOptions
from lazarus_bench.session.options import Options


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_found_by_its_name(name):
    found = profile(name)
    assert found.name == name
    assert found.seeds >= 1
    assert found.prompts >= 1


def test_profiles_grow():
    smoke, default, full = (PROFILES[name] for name in ("smoke", "default", "full"))
    assert smoke.seeds < default.seeds < full.seeds
    assert smoke.prompts < default.prompts <= full.prompts


def test_further_families_cost_a_seed_by_default_and_one_family_in_smoke():
    smoke, default, full = (PROFILES[name] for name in ("smoke", "default", "full"))
    assert [found.bases("lab:olmoe") for found in (smoke, default, full)] == [1, 1, 5]
    assert [found.bases("lab:llama") for found in (smoke, default, full)] == [1, 5, 10]
    assert default.bases("lab:granite-instruct") == 1
    assert default.bases("lab:llama-instruct") == default.bases("some/model") == 5
    assert asked("smoke", LAB_EVERY) == ("lab:llama", "lab:olmoe")
    assert asked("smoke", LAB_MIXTURES) == ("lab:olmoe",)
    assert asked("default", LAB_EVERY) == asked("full", LAB_EVERY) == LAB_EVERY
    assert asked("smoke", LAB_BASE) == LAB_BASE


def test_what_a_profile_leaves_out_is_said_with_what_asks_it():
    own = PytestOptions
    said = left_out("smoke", (*LAB_EVERY, "lab:granite-instruct"), own.flag, own.ASK_MODELS)
    assert said.startswith("the smoke profile asks llama and olmoe; left out: granite, qwen2, mist")
    assert said.endswith("(-m slow --lb-profile default, or --lb-model lab:granite, asks them)")
    said = left_out("smoke", LAB_EVERY, Options.flag)
    assert said.endswith("(--profile default, or --model lab:granite, asks them)")
    assert left_out("smoke", LAB_BASE, own.flag) is None
    assert left_out("default", LAB_EVERY, own.flag) is None


@pytest.mark.parametrize("named", [False, True])
def test_given_seeds_are_the_seeds_of_every_family(named):
    for name, seeds in (("full", 3), ("default", 9), ("default", 5)):
        found = profile(name, seeds, named=named)
        assert [found.bases(family) for family in ("lab:llama", "lab:olmoe")] == [seeds, seeds]


@pytest.mark.parametrize("name", PROFILES)
def test_a_named_family_has_the_seeds_of_the_main_one(name):
    found = profile(name, named=True)
    assert found.bases("lab:granite") == found.bases("lab:llama") == PROFILES[name].seeds


def test_a_label_tells_the_seeds_of_a_subject_from_the_usual_ones():
    assert profile("default").label("lab:granite") == "default"
    assert profile("default", named=True).label("lab:granite") == "default, 5 seeds"
    assert profile("default", 5).label("lab:granite") == "default, 5 seeds"
    assert profile("smoke", 3).label("lab:granite") == "smoke, 3 seeds"
    for usual in (profile("default", named=True), profile("default", 5)):
        assert usual.label("lab:llama") == usual.label("some/model") == "default"
    assert profile("default", 3).label("lab:llama") == "default, 3 seeds"


def test_other_seeds_keep_the_rest():
    chosen = profile("default", 1)
    assert (chosen.seeds, chosen.prompts) == (1, PROFILES["default"].prompts)
    assert chosen != PROFILES["default"]
