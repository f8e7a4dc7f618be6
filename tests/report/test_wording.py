"""Numbers for people: three digits, one style, no cell that has to be converted."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_report import estimate, verdict

from lazarus_bench.judge import Above, AtLeast, AtMost, Below, Effect, Outcome, Within
from lazarus_bench.report import printed, wording


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.000002, "2e-06"),
        (0.5707, "0.571"),
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (851_968.0, "851,968"),
        (1234.56, "1235"),
        (-0.05, "−0.0500"),
        (0.00123, "0.00123"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "not a number"),
    ],
)
def test_numbers_are_printed_for_people(value, shown):
    assert printed.number(value) == shown


@given(st.floats(min_value=-1e6, max_value=1e6))
def test_a_printed_number_is_within_half_a_percent(value):
    read = float(printed.number(value).replace("−", "-").replace(",", ""))
    assert read == pytest.approx(value, rel=0.051 if abs(value) < 1e-3 else 0.0051)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.9, 0.86, 0.94), ["0.900", "0.860", "0.940"]),
        ((4.6e-5, 0.0, 0.45), ["4.6e-05", "0", "0.450"]),
        ((4.6e-5, -1e-18, 0.45), ["4.6e-05", "0", "0.450"]),
        ((1.0, 0.53, 1.0), ["1.00", "0.53", "1.00"]),
        ((0.013, 0.0, math.inf), ["0.0130", "0", "∞"]),
        ((4.6e-5, 1.1e-6, 9.3e-5), ["4.6e-05", "1.1e-06", "9.3e-05"]),
    ],
)
def test_numbers_that_belong_together_share_their_decimals(values, shown):
    assert printed.numbers(values) == shown


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (estimate(0.9, 0.8, 1.0), "5 seeds × 200 prompts"),
        (estimate(0.9, 0.8, 1.0, scope="run", seeds=1, prompts=8), "1 run × 8 prompts"),
        (estimate(0.1, 0, math.inf, scope="run", seeds=1, prompts=1), "1 run"),
        (estimate(7.0, 7.0, 7.0, scope="exact", seeds=0, prompts=0), "computed"),
        (estimate(0.6, -math.inf, math.inf, scope="reported"), "sample not printed"),
        (
            estimate(
                0.8,
                -1,
                1,
                scope="run",
                seeds=1,
                prompts=4,
                effect=Effect(name="rank correlation", value=0.8, low=-1, high=1, level=0.9),
            ),
            "1 run × 4 checkpoints",
        ),
        (None, ""),
    ],
)
def test_the_sample_is_named_for_what_it_is(item, said):
    assert wording.sample(item) == said


@pytest.mark.parametrize(
    ("region", "as_set", "as_condition"),
    [
        (AtLeast(0.36), "[0.36, ∞)", "≥ 0.36"),
        (Above(0), "(0, ∞)", "> 0"),
        (AtMost(-0.1), "(−∞, −0.1]", "≤ −0.1"),
        (Below(1), "(−∞, 1)", "< 1"),
        (Within(0.5, 0.8), "[0.5, 0.8]", "within [0.5, 0.8]"),
        (Within(851_968, 851_968), "{851,968}", "= 851,968"),
    ],
)
def test_regions_are_written_as_sets_and_as_conditions(region, as_set, as_condition):
    assert wording.region_set(region) == as_set
    assert wording.region(region) == as_condition


@pytest.mark.parametrize(
    ("outcome", "region", "item", "said"),
    [
        (Outcome.SUPPORTED, AtLeast(0.36), estimate(0.9, 0.86, 0.94), "⊂ [0.36, ∞)"),
        (Outcome.REFUTED, Above(0), estimate(-0.3, -0.4, -0.2), "outside (0, ∞)"),
        (
            Outcome.INCONCLUSIVE,
            Within(0.5, 0.8),
            estimate(0.65, -math.inf, math.inf, scope="reported"),
            "no interval for [0.5, 0.8]",
        ),
    ],
)
def test_the_relation_follows_the_verdict(outcome, region, item, said):
    assert wording.relation(verdict(outcome, region, item)) == said


def test_an_interval_without_an_end_is_written_open():
    assert wording.interval95(estimate(0.2, -math.inf, 0.5)) == "(−∞, 0.470]"
    assert wording.estimate(estimate(0.2, -math.inf, 0.5)) == "0.200 (−∞, 0.500]"


def test_a_published_number_has_its_own_verdict():
    printed = verdict(Outcome.INCONCLUSIVE, AtLeast(0.36), estimate(0.5707, 0.29, 0.79))
    assert wording.published(printed) == "0.571: inconclusive"
    assert wording.published(verdict(Outcome.NOT_APPLICABLE, AtLeast(0.36))) == "no number"
    assert wording.published(None) == ""


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.26, "0.3 s"), (42.4, "42 s"), (200, "3 min 20 s"), (3840, "1 h 4 min")],
)
def test_times_are_printed_in_their_own_unit(seconds, shown):
    assert printed.duration(seconds) == shown
