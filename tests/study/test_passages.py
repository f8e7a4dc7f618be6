"""The passages that no row of the list of claims judges: their numbers follow from the print."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypotheses.writeups import model_sizes, passages
from lazarus_bench.judge import Outcome, family_level


@pytest.fixture(scope="module")
def judged(judged_family):
    return judged_family("test_passages")


def beside(judged, name, label):
    """The number beside the finding whose label begins so."""
    found = [item.evidence for item in judged[name][1].others if item.label.startswith(label)]
    assert len(found) == 1, label
    return found[0]


def test_they_are_a_family_of_their_own(judged):
    assert {claim.family for claim, _, _ in judged.values()} == {"passages"}
    levels = {verdict.level for _, _, verdict in judged.values() if verdict}
    assert levels == {family_level(len(judged))}


def test_every_finding_has_a_source_and_a_note(judged):
    for _, finding, _ in judged.values():
        assert finding.note.endswith(".")
        assert finding.source[0] in "ACDE"


def test_what_has_no_number_there_is_asked_of_the_lab(judged):
    for claim, _, verdict in judged.values():
        assert verdict is not None or claim.subjects


def test_no_single_step_of_granites_curve_is_shown(judged):
    _, finding, verdict = judged["granite-phases"]
    assert verdict.outcome is Outcome.INCONCLUSIVE
    steps = {name: round(16 * step.point) for name, step in passages.PHASES.items()}
    assert list(steps.values()) == [2, 5, 3, 1, 1, 1]
    assert [name for name, step in passages.PHASES.items() if step.limits(0.95)[0] > 0] == []
    assert {item.label for item in finding.others} >= set(passages.PHASES)


def test_a_loss_between_ten_and_thirteen_ends_at_three_quarters_of_its_start_at_least(judged):
    _, _, verdict = judged["class-loss-stays"]
    assert verdict.outcome is Outcome.SUPPORTED
    chance = beside(judged, "class-loss-stays", "loss of an even guess").point
    low, high = passages.CLASSIFIER_LOSS_RANGE
    assert low < chance < high


def test_the_engrams_count_is_41_million_with_its_head(judged):
    _, _, verdict = judged["engram-parameters"]
    assert verdict.outcome is Outcome.SUPPORTED
    assert model_sizes.adapter_parameters() == 40_370_176
    assert model_sizes.model_parameters() == 7_615_616_512
    assert beside(judged, "engram-parameters", "distance from the print, the adapter").point > 0.5
    assert beside(judged, "engram-parameters", "share of the model").point < 0.01


def test_the_printed_trend_reaches_half_after_forty_thousand_steps(judged):
    _, _, verdict = judged["ten-thousand-steps"]
    assert verdict.outcome is Outcome.REFUTED
    steps = beside(judged, "ten-thousand-steps", "steps at which").point
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
