"""The audit reproduces, from the printed tables, what the list of claims has on record."""

import re

import pytest

from hypotheses.writeups import audit, raw_results
from hypotheses.writeups import task_classifier_emergence as task
from hypotheses.writeups.emergence_results import grpo, probes, router
from lazarus_bench.analysis.nulls import ExtremeNull
from lazarus_bench.judge import Outcome, family_level


@pytest.fixture(scope="module")
def audited(judged_family):
    return judged_family("test_audit")


def beside(audited, name, label):
    """The audit's number whose label begins so."""
    found = [item.evidence for item in audited[name][1].others if item.label.startswith(label)]
    assert len(found) == 1, label
    return found[0].point


def test_every_row_of_the_list_is_judged(audited, claims):
    listed = re.findall(r"^\| audit/([\w-]+) \|", claims, re.MULTILINE)
    assert len(listed) == 10
    assert set(audited) == set(listed)


def test_every_claim_rests_on_printed_numbers_and_asks_no_model(audited):
    for claim, finding, verdict in audited.values():
        assert (claim.subjects, claim.published) == ((), finding.evidence)
        assert verdict.estimate.scope in ("run", "exact")


def test_a_penalty_of_minus_420_is_no_divergence(audited):
    _, _, verdict = audited["kl-sign"]
    assert verdict.outcome is Outcome.SUPPORTED
    assert beside(audited, "kl-sign", "chance that 16 answers") < -180
    assert beside(audited, "kl-sign", "the k3 estimator") > 180


def test_eight_of_eight_is_inconclusive_and_29_would_decide(audited):
    _, _, verdict = audited["eight-of-eight"]
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert (verdict.estimate.interval95.low, verdict.estimate.interval95.high) == (
        pytest.approx(0.63, abs=0.005),
        1.0,
    )
    assert 0.9**29 < 0.05 < 0.9**28
    assert verdict.needed.startswith("51 prompts")
    assert 0.9**51 < 0.005 < 0.9**50


def test_d_of_zero_is_equivalence_at_ten_points_and_not_at_five(audited):
    _, _, verdict = audited["no-difference-d0"]
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert 0.05 < beside(audited, "no-difference-d0", "smallest margin of equivalence") < 0.10


def test_the_detectable_d_is_that_of_a_two_sided_t_test(audited):
    power = pytest.importorskip("statsmodels.stats.power").TTestIndPower()
    found = beside(audited, "no-difference-d0", "Cohen's d")
    assert power.solve_power(nobs1=5, alpha=0.05, power=0.8) == pytest.approx(found, abs=1e-3)


def test_granites_best_layer_is_below_the_best_of_forty_that_guess(audited):
    _, finding, verdict = audited["granite-31"]
    assert verdict.outcome is Outcome.INCONCLUSIVE
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


def test_the_family_is_judged_at_its_own_level(audited):
    assert {verdict.level for _, _, verdict in audited.values()} == {family_level(10)}
