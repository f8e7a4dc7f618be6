"""Parts of passages that other claims leave out: their numbers follow from the print."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypotheses.writeups import passage_parts as parts
from hypotheses.writeups.emergence_results import probes
from lazarus_bench.judge import Outcome, family_level


@pytest.fixture(scope="module")
def judged(judged_family):
    return judged_family("test_parts")


def beside(judged, name):
    """The numbers beside a finding, in order."""
    return [item.evidence.point for item in judged[name][1].others]


def test_they_are_a_family_of_their_own(judged):
    assert {claim.family for claim, _, _ in judged.values()} == {"parts"}
    assert {verdict.level for _, _, verdict in judged.values() if verdict} == {
        family_level(len(judged))
    }


def test_every_finding_has_a_source_and_a_note(judged):
    for _, finding, _ in judged.values():
        assert finding.note.endswith(".")
        assert finding.source[0] in "ABCD"


def test_what_is_printed_of_parts_decides_none_of_them(judged):
    outcomes = {verdict.outcome for _, _, verdict in judged.values() if verdict}
    assert outcomes == {Outcome.INCONCLUSIVE}
    unprinted = {name for name, (_, _, verdict) in judged.items() if not verdict}
    assert unprinted == {"full-stronger", "granite-architecture"}


def test_all_of_them_are_asked_of_the_lab(judged):
    assert all(claim.subjects for claim, _, _ in judged.values())


def test_half_the_steps_already_name_the_operation_in_the_printed_log(judged):
    rest = beside(judged, "fewer-steps")
    assert len(rest) == 4
    assert rest == sorted(rest)
    assert rest[0] > 0.36, "step 100"


def test_no_printed_initial_loss_is_one_before_training(judged):
    base, instruct = beside(judged, "instruct-starts-higher")
    assert base > instruct > 8.9 > max(parts.INITIAL_LOSSES)


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=9), st.floats(0.0, 1.0))
def test_the_least_loss_is_below_that_of_every_number_that_prints_so(printed, share):
    """Whatever was rounded to the printed numbers costs at least as much."""
    actual = [p + (2 * share - 1) * parts.PRINTED_TO for p in printed]
    costs = [-math.log(max(p, 1e-300)) for p in actual]
    assert parts.least_loss(printed) <= math.fsum(costs) / len(costs) + 1e-9


def test_tinyllamas_late_layer_is_one_prompt_above_its_early_one(judged):
    assert (parts.EARLY_DEPTH, parts.LATE_DEPTH) == (5 / 21, 16 / 21)
    early = [parts._at(probes.WORDS_TINYLLAMA, layer) for layer in range(8)]
    assert early.index(max(early)) == parts.EARLY
    assert parts._at(probes.WORDS_TINYLLAMA, parts.LATE) == probes.WORDS_TINYLLAMA.peak
