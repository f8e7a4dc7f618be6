"""What keeps a step below the machine's product rate, from its parts."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_benchmark import DOCUMENT

from lazarus_bench.benchmark.document import REST, WANTED_SHARE, Part

(PROFILE,) = DOCUMENT.profiles


def test_no_step_is_above_its_own_operations():
    assert PROFILE.ceiling == pytest.approx(0.5 / (9e-3 + 15.5e-3) / 100)
    assert PROFILE.share < PROFILE.ceiling < WANTED_SHARE
    assert PROFILE.outcome == "forbidden"


def test_a_goal_that_its_operations_allow_is_missed():
    (products, _, optimizer, rest) = PROFILE.parts
    idle = Part(kind="dispatch", operations=30, milliseconds=0.5)
    allowed = replace(PROFILE, parts=(products, idle, optimizer, rest))
    assert allowed.ceiling > WANTED_SHARE
    assert allowed.outcome == "missed"
    assert replace(allowed, achieved=WANTED_SHARE * allowed.machine).outcome == "met"


def test_a_profile_without_operations_has_no_ceiling():
    assert replace(PROFILE, parts=()).ceiling == 0


@given(count=st.integers(0, 5))
def test_the_dearest_are_neither_products_nor_the_rest(count):
    found = PROFILE.dearest(count)
    assert [part.kind for part in found] == ["dispatch", "optimizer"][:count]
    assert REST not in [part.kind for part in found]
