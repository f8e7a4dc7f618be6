"""What the writeups offer for each claim of the families lens, sft and dual."""

import re
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.judge import (
    AtLeast,
    AtMost,
    Hits,
    Means,
    Outcome,
    Within,
    decide,
)
from lazarus_bench.published import classifier_emergence_cli as cli
from lazarus_bench.published import task_classifier_emergence as task
from lazarus_bench.published.emergence_results import dual, lens
from lazarus_bench.published.records import (
    Finding,
    LensTable,
    depth_of,
    operation_of,
    percent,
    reading,
)

FINDINGS = tuple(
    value
    for module in (task, cli, lens, dual)
    for value in vars(module).values()
    if isinstance(value, Finding)
)
BY_CLAIM = {finding.claim: finding for finding in FINDINGS}


def test_every_claim_of_the_three_families_has_one_finding(claims):
    listed = set(re.findall(r"^\| ((?:lens|sft|dual)/[\w-]+) \|", claims, re.MULTILINE))
    assert set(BY_CLAIM) == listed


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.claim)
def test_every_finding_can_be_read_and_estimated(finding):
    assert finding.note.endswith(".")
    assert finding.source[0] in "ABC"
    evidence = [item.evidence for item in finding.others]
    for item in [*evidence, *([finding.evidence] if finding.evidence else [])]:
        estimate = item.estimate(0.99)
        assert estimate.interval.low <= estimate.value <= estimate.interval.high


def _verdict(claim, region, family_size):
    return decide(BY_CLAIM[claim].evidence, region, family_size=family_size)


def test_eight_of_eight_does_not_show_nine_in_ten():
    verdict = _verdict("dual/vo-all-right", AtLeast(0.9), 8)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.estimate.interval95.low == pytest.approx(0.63, abs=0.005)


def test_none_of_eight_does_not_show_at_most_one_in_twenty():
    assert _verdict("lens/base-no-hit", AtMost(0.05), 6).outcome is Outcome.INCONCLUSIVE


def test_a_bare_range_decides_nothing():
    assert _verdict("lens/gpt-oss-announces", Within(0.5, 0.8), 6).outcome is Outcome.INCONCLUSIVE
    assert _verdict("lens/base-no-layer", AtMost(0.01), 6).outcome is Outcome.INCONCLUSIVE


def test_the_parameter_count_is_decided_exactly():
    region = Within(dual.VO_PARAMETERS, dual.VO_PARAMETERS)
    assert _verdict("dual/params", region, 8).outcome is Outcome.SUPPORTED


def test_the_threshold_of_36_percent_is_the_smallest_printed_number():
    assert min(dual.DUAL_REWARD_LLAMA_BASE.probability) == 0.3616
    assert mean(dual.DUAL_REWARD_LLAMA_BASE.probability) == pytest.approx(0.5707)


def test_gold_probability_reads_the_column_of_the_right_operation():
    expected = (5e-05, 6e-05, 2e-08, 1e-08, 1.4e-04, 1.1e-04, 9e-06, 5e-06)
    assert lens.LENS_LLAMA_BASE.gold_probability == Means(values=(expected,))


def test_a_hit_names_the_prompts_own_operation():
    table = LensTable(
        model="any",
        layer=0,
        layers=1,
        rows=(
            reading("1 + 2 =", "add", "90% 1% 90% 0% 0%"),
            reading("3 * 2 =", "add", "90% 1% 90% 0% 0%"),
        ),
    )
    assert table.hits == Hits(values=((1.0, 0.0),))
    assert table.gold_probability == Means(values=((0.9, 0.01),))


@pytest.mark.parametrize(
    ("printed", "fraction"),
    [("76.55%", 0.7655), ("0.000002%", 2e-08), ("~0%", 0.0), ("~67%", 0.67), ("100.0%", 1.0)],
)
def test_percentages_are_read_as_fractions(printed, fraction):
    assert percent(printed) == fraction


@settings(deadline=None)
@given(st.decimals(min_value=0, max_value=100, places=4))
def test_a_percentage_reads_back(value):
    assert percent(f"{value}%") == pytest.approx(float(value) / 100, abs=1e-12)


@pytest.mark.parametrize(
    ("prompt", "operation"),
    [("7 * 8 =", "multiply"), ("23+45=", "add"), ("100 - 43 =", "subtract"), ("48/6=", "divide")],
)
def test_the_symbol_decides_the_operation(prompt, operation):
    assert operation_of(prompt) == operation


def test_depth_counts_as_the_writeups_do():
    assert depth_of(10, 16) == 0.625
    assert cli.crystallises_at(cli.SUBTRACTION_BY_LAYER, "55") == 14 / 16
    assert cli.crystallises_at(cli.MULTIPLICATION_BY_LAYER, "56") == 13 / 16
