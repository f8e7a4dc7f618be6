"""Profiles: known names, and a number of seeds of one's own."""

import pytest

from lazarus_bench import LAB_BASE, LAB_EVERY, LAB_MIXTURES
from lazarus_bench.claims.profiles import PROFILES, asked, left_out, profile
from lazarus_bench.plugin.hooks import PytestOptions
from lazarus_bench.session.options import Options


def test_profiles_grow_and_further_families_cost_a_seed_by_default():
    smoke, default, full = map(profile, ("smoke", "default", "full"))
    assert 1 <= smoke.prompts < default.prompts <= full.prompts
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
        assert (found.name, found.prompts) == (name, PROFILES[name].prompts)


@pytest.mark.parametrize("name", PROFILES)
def test_a_named_family_has_the_seeds_of_the_main_one(name):
    found = profile(name, named=True)
    assert found.bases("lab:granite") == found.bases("lab:llama") == PROFILES[name].seeds


@pytest.mark.parametrize(
    ("found", "subject", "label"),
    [
        (profile("default"), "lab:granite", "default"),
        (profile("default", named=True), "lab:granite", "default, 5 seeds"),
        (profile("default", 5), "lab:granite", "default, 5 seeds"),
        (profile("smoke", 3), "lab:granite", "smoke, 3 seeds"),
        (profile("default", named=True), "lab:llama", "default"),
        (profile("default", 5), "some/model", "default"),
        (profile("default", 3), "lab:llama", "default, 3 seeds"),
    ],
)
def test_a_label_has_the_seeds_of_a_subject_unless_they_are_the_usual_ones(found, subject, label):
    assert found.label(subject) == label
