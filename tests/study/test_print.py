"""Families that are judged by the print alone: their numbers follow from it.

Which verdicts follow is on record (`pins.json`), and held by `test_hypotheses.py`.
"""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypotheses.writeups import audit, model_sizes, passages, raw_results
from hypotheses.writeups import passage_parts as parts
from hypotheses.writeups import task_classifier_emergence as task
from hypotheses.writeups.emergence_results import grpo, probes, router
from lazarus_bench.analysis.nulls import ExtremeNull
from lazarus_bench.judge import Outcome, family_level


@pytest.fixture(scope="module")
def audited(judged_family):
    return judged_family("test_audit")


@pytest.fixture(scope="module")
def passage(judged_family):
    return judged_family("test_passages")


@pytest.fixture(scope="module")
def part(judged_family):
    return judged_family("test_parts")


def beside(family, name, label=""):
    """The number beside a finding whose label begins so; all, in order, without one."""
    found = [o.evidence.point for o in family[name][1].others if o.label.startswith(label)]
    if not label:
        return found
    [number] = found
    return number


def test_each_is_a_family_of_its_own_with_sources_and_notes(audited, passage, part):
    for family in (audited, passage, part):
        levels = {verdict.level for _, _, verdict in family.values() if verdict}
        assert levels == {family_level(len(family))}
        for _, finding, _ in family.values():
            assert finding.note.endswith(".")
            assert finding.source[0] in "ABCDE"


def test_every_row_of_the_list_is_judged(audited, claims):
    listed = re.findall(r"^\| audit/([\w-]+) \|", claims, re.MULTILINE)
    assert len(listed) == 10
    assert set(audited) == set(listed)


def test_every_claim_rests_on_printed_numbers_and_asks_no_model(audited):
    for claim, finding, verdict in audited.values():
        assert (claim.subjects, claim.published) == ((), finding.evidence)
        assert verdict.estimate.scope in ("run", "exact")


def test_a_penalty_of_minus_420_is_no_divergence(audited):
    assert beside(audited, "kl-sign", "chance that 16 answers") < -180
    assert beside(audited, "kl-sign", "the k3 estimator") > 180


def test_eight_of_eight_is_inconclusive_and_29_would_decide(audited):
    _, _, verdict = audited["eight-of-eight"]
    assert (verdict.estimate.interval95.low, verdict.estimate.interval95.high) == (
        pytest.approx(0.63, abs=0.005),
        1.0,
    )
    assert 0.9**29 < 0.05 < 0.9**28
    assert verdict.needed.startswith("51 prompts")
    assert 0.9**51 < 0.005 < 0.9**50


def test_d_of_zero_is_equivalence_at_ten_points_and_not_at_five(audited):
    assert 0.05 < beside(audited, "no-difference-d0", "smallest margin of equivalence") < 0.10


def test_the_detectable_d_is_that_of_a_two_sided_t_test(audited):
    power = pytest.importorskip("statsmodels.stats.power").TTestIndPower()
    found = beside(audited, "no-difference-d0", "Cohen's d")
    assert power.solve_power(nobs1=5, alpha=0.05, power=0.8) == pytest.approx(found, abs=1e-3)


def test_granites_best_layer_is_below_the_best_of_forty_that_guess(audited):
    _, finding, verdict = audited["granite-31"]
    chance = beside(audited, "granite-31", "best of 40 independent layers")
    assert probes.WORDS_GRANITE.peak < chance < 0.5
    assert verdict.estimate.value == pytest.approx(5 / 16 - chance)
    assert beside(audited, "granite-31", "chance that it is 5") > 0.999
    assert beside(audited, "granite-31", "the same chance of one layer") > 0.3
    assert "25%" in finding.note


def test_the_best_printed_expert_is_no_better_than_the_best_of_as_many_random_ones():
    null = ExtremeNull(width=audit.GPT_OSS_WIDTH, vocabulary=audit.GPT_OSS_VOCABULARY)
    best = max(score for expert in router.SAMPLE_EXPERTS for score in expert.scores)
    assert best < null.quantile(0.95, audit.EXPERTS)
    low, high = router.SCORE_RANGE
    assert low < null.quantile(0.05) < null.quantile(0.95) < high


def test_the_printed_steps_are_not_monotone_and_the_printed_means_are_equal():
    assert list(task.MEAN_PEAK_PROBABILITY) != sorted(task.MEAN_PEAK_PROBABILITY)
    assert not any(raw_results.HAS_CLASSIFIERS)
    assert (grpo.VALIDATION_BASE.mean, grpo.VALIDATION_GRPO.mean) == (0.54, 0.54)


def test_the_record_behind_the_steps_prints_as_the_steps():
    """0.41 / 0.75 / 1.18 / 0.83%: three round to the printed number and the last does not."""
    pairs = zip(raw_results.PEAK_PROBABILITY, task.MEAN_PEAK_PROBABILITY, strict=True)
    assert [abs(exact - printed) <= 0.0005 + 1e-9 for exact, printed in pairs] == [True] * 3 + [
        False
    ]


def test_what_has_no_number_there_is_asked_of_the_lab(passage):
    for claim, _, verdict in passage.values():
        assert verdict is not None or claim.subjects


def test_no_single_step_of_granites_curve_is_shown(passage):
    _, finding, _ = passage["granite-phases"]
    steps = {name: round(16 * step.point) for name, step in passages.PHASES.items()}
    assert list(steps.values()) == [2, 5, 3, 1, 1, 1]
    assert [name for name, step in passages.PHASES.items() if step.limits(0.95)[0] > 0] == []
    assert {item.label for item in finding.others} >= set(passages.PHASES)


def test_a_loss_between_ten_and_thirteen_ends_at_three_quarters_of_its_start_at_least(passage):
    chance = beside(passage, "class-loss-stays", "loss of an even guess")
    low, high = passages.CLASSIFIER_LOSS_RANGE
    assert low < chance < high


def test_the_engrams_count_is_41_million_with_its_head(passage):
    assert model_sizes.adapter_parameters() == 40_370_176
    assert model_sizes.model_parameters() == 7_615_616_512
    assert beside(passage, "engram-parameters", "distance from the print, the adapter") > 0.5
    assert beside(passage, "engram-parameters", "share of the model") < 0.01


def test_the_printed_trend_reaches_half_after_forty_thousand_steps(passage):
    _, _, verdict = passage["ten-thousand-steps"]
    steps = beside(passage, "ten-thousand-steps", "steps at which")
    assert 41_000 < steps < 42_000
    line = np.polyfit(passages.CHECKPOINT_STEPS, passages.MEAN_PEAK_PROBABILITY, 1)
    assert np.polyval(line, 10_000) == pytest.approx(verdict.estimate.value)
    assert np.polyval(line, steps) == pytest.approx(0.5)


@given(
    start=st.floats(-10, 10),
    rate=st.floats(-10, 10),
    x=st.lists(st.integers(-100, 100), min_size=2, max_size=8, unique=True),
)
def test_a_line_is_found_again_from_its_points(start, rate, x):
    found = passages.line(x, [start + rate * a for a in x])
    assert all(math.isclose(a, b, abs_tol=1e-9) for a, b in zip(found, (start, rate), strict=True))


def test_what_is_printed_of_parts_decides_none_of_them(part):
    outcomes = {verdict.outcome for _, _, verdict in part.values() if verdict}
    assert outcomes == {Outcome.INCONCLUSIVE}
    unprinted = {name for name, (_, _, verdict) in part.items() if not verdict}
    assert unprinted == {"full-stronger", "granite-architecture"}


def test_all_of_them_are_asked_of_the_lab(part):
    assert all(claim.subjects for claim, _, _ in part.values())


def test_half_the_steps_already_name_the_operation_in_the_printed_log(part):
    rest = beside(part, "fewer-steps")
    assert len(rest) == 4
    assert rest == sorted(rest)
    assert rest[0] > 0.36, "step 100"


def test_no_printed_initial_loss_is_one_before_training(part):
    base, instruct = beside(part, "instruct-starts-higher")
    assert base > instruct > 8.9 > max(parts.INITIAL_LOSSES)


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=9), st.floats(0.0, 1.0))
def test_the_least_loss_is_below_that_of_every_number_that_prints_so(printed, share):
    """Whatever was rounded to the printed numbers costs at least as much."""
    actual = [p + (2 * share - 1) * parts.PRINTED_TO for p in printed]
    costs = [-math.log(max(p, 1e-300)) for p in actual]
    assert parts.least_loss(printed) <= math.fsum(costs) / len(costs) + 1e-9


def test_tinyllamas_late_layer_is_one_prompt_above_its_early_one(part):
    assert (parts.EARLY_DEPTH, parts.LATE_DEPTH) == (5 / 21, 16 / 21)
    early = [parts._at(probes.WORDS_TINYLLAMA, layer) for layer in range(8)]
    assert early.index(max(early)) == parts.EARLY
    assert parts._at(probes.WORDS_TINYLLAMA, parts.LATE) == probes.WORDS_TINYLLAMA.peak
