"""Profiles: known names, and a number of seeds of one's own."""

import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.trials.profiles import PROFILES, profile


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_found_by_its_name(name):
    found = profile(name)
    assert found.name == name
    assert found.seeds >= 2
    assert found.prompts >= 1


def test_profiles_grow():
    smoke, default, full = (PROFILES[name] for name in ("smoke", "default", "full"))
    assert smoke.seeds < default.seeds < full.seeds
    assert smoke.prompts < default.prompts <= full.prompts


def test_other_seeds_keep_the_rest():
    chosen = profile("default", 1)
    assert (chosen.seeds, chosen.prompts) == (1, PROFILES["default"].prompts)
    assert chosen != PROFILES["default"]
    assert profile("default", PROFILES["default"].seeds) == PROFILES["default"]


@pytest.mark.parametrize(
    ("name", "seeds", "sentence"),
    [
        ("large", None, r"profile 'large' is unknown: choose smoke, default, full"),
        ("smoke", 0, r"--lb-seeds 0 leaves nothing to judge"),
        ("smoke", -3, r"--lb-seeds -3 leaves nothing to judge"),
    ],
)
def test_what_leaves_nothing_to_run_is_refused(name, seeds, sentence):
    with pytest.raises(UserError, match=sentence):
        profile(name, seeds)
