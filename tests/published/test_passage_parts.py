"""Parts of passages that other claims leave out: their numbers follow from the print."""

import importlib.util
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.claims.claim import REGISTRY
from lazarus_bench.judge import Outcome, decide, family_level
from lazarus_bench.published import passage_parts as parts
from lazarus_bench.published.emergence_results import probes

FILE = Path(__file__).parents[2] / "hypotheses" / "test_parts.py"


@pytest.fixture(scope="module")
def judged():
    """Claim, finding and verdict on the printed number by name, as `pytest hypotheses/` has it."""
    with REGISTRY.set_apart():
        spec = importlib.util.spec_from_file_location("part_claims", FILE)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        claims = dict(REGISTRY.claims)
    return {
        name.removeprefix("parts/"): (
            claim,
            claim.finding,
            claim.published and decide(claim.published, claim.region, family_size=len(claims)),
        )
        for name, claim in claims.items()
    }


def point(judged, name):
    return judged[name][2].estimate.value


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


def test_answers_are_surer_than_right_by_one_prompt_of_seven(judged):
    """Mean of 1, 1, 0.98, 1, 1, 1, 1 minus 6/7; under full fine-tuning one more has 0.73."""
    assert point(judged, "answer-confidence") == pytest.approx((6.98 - 6) / 7)
    assert beside(judged, "answer-confidence") == pytest.approx([(6.71 - 6) / 7])


def test_no_token_has_more_than_the_top_one(judged):
    assert point(judged, "answer-transition") == 0.091
    evidence = judged["answer-transition"][0].published
    assert (evidence.low, evidence.high) == (0.0, 0.091)


def test_one_of_two_prompts_shows_its_operand(judged):
    assert point(judged, "operand-recognised") == 0.5


def test_both_methods_lie_above_two_fifths_on_two_prompts(judged):
    """The least margin is LoRA's, the mean of 53.9% and 46.3% minus 0.4."""
    assert point(judged, "subtraction-both") == pytest.approx(0.501 - 0.4)
    assert [round(value, 3) for value in beside(judged, "subtraction-both")] == [0.501, 0.66, 0.968]


def test_one_prompt_peaks_where_three_layers_of_sixteen_would_by_chance(judged):
    assert point(judged, "subtraction-peak") == 1 - 3 / 16


def test_half_the_steps_already_name_the_operation_in_the_printed_log(judged):
    assert point(judged, "fewer-steps") == pytest.approx(math.exp(-0.1228))
    rest = beside(judged, "fewer-steps")
    assert len(rest) == 4
    assert rest == sorted(rest)
    assert rest[0] > 0.36, "step 100"


def test_two_experiments_fuse_and_one_of_them_loses_half(judged):
    assert point(judged, "fusing-preserves") == 0.5
    assert beside(judged, "fusing-preserves") == [0.0]


def test_no_printed_initial_loss_is_one_before_training(judged):
    assert point(judged, "instruct-starts-higher") == pytest.approx(5.0 / 0.97)
    base, instruct = beside(judged, "instruct-starts-higher")
    assert base > instruct > 8.9 > max(parts.INITIAL_LOSSES)


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=9), st.floats(0.0, 1.0))
def test_the_least_loss_is_below_that_of_every_number_that_prints_so(printed, share):
    """Whatever was rounded to the printed numbers costs at least as much."""
    actual = [p + (2 * share - 1) * parts.PRINTED_TO for p in printed]
    costs = [-math.log(max(p, 1e-300)) for p in actual]
    assert parts.least_loss(printed) <= math.fsum(costs) / len(costs) + 1e-9


def test_tinyllamas_late_layer_is_one_prompt_above_its_early_one(judged):
    assert point(judged, "peaks-late") == 1 / 16
    assert (parts.EARLY_DEPTH, parts.LATE_DEPTH) == (5 / 21, 16 / 21)
    early = [parts._at(probes.WORDS_TINYLLAMA, layer) for layer in range(8)]
    assert early.index(max(early)) == parts.EARLY
    assert parts._at(probes.WORDS_TINYLLAMA, parts.LATE) == probes.WORDS_TINYLLAMA.peak


def test_two_of_sixteen_are_not_below_chance(judged):
    claim, _, verdict = judged["below-random"]
    assert verdict.estimate.value == 2 / 16
    assert verdict.estimate.interval95.high > 0.25
    assert beside(judged, "below-random") == [3 / 16, 1 / 16]
    assert claim.region.contains_value(1 / 16)


def test_the_second_table_has_three_errors_where_the_first_has_none(judged):
    assert point(judged, "symbols-every-layer") == 0
    assert beside(judged, "symbols-every-layer") == [0, 3 / 16]
