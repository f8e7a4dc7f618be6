"""What the writeups offer for each claim of the families that are judged."""

import re
from dataclasses import replace
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypotheses.writeups import classifier_emergence_cli as cli
from hypotheses.writeups import dual_objective_engram as engram
from hypotheses.writeups import task_classifier_emergence as task
from hypotheses.writeups import two_stage_classifier as two_stage
from hypotheses.writeups.emergence_results import (
    dual,
    grpo,
    lens,
    probing,
    reinforcement,
    router,
)
from hypotheses.writeups.records import LensTable, depth_of, operation_of, percent, reading
from lazarus_bench.claims.finding import Finding
from lazarus_bench.judge import (
    SHARE,
    Above,
    AllOf,
    AtLeast,
    ClassEntropy,
    Condition,
    HitDifferences,
    Hits,
    Means,
    Outcome,
    decide,
)


def _spread(predictions, classes):
    return ClassEntropy(predictions=predictions, classes=classes)


def _both(first, second):
    parts = {"fall": first, "rise": second}
    return AllOf(
        conditions=[
            Condition(name=name, evidence=evidence, region=Above(0.0))
            for name, evidence in parts.items()
        ]
    )


def _words(distances, words):
    parts = [
        Condition(name=word, evidence=Means(values=[[value]]), region=AtLeast(-3.0))
        for word, value in zip(words, distances[0], strict=True)
    ]
    return AllOf(conditions=parts)


def _first_layer(after, before):
    sides = ([[prompt[0] for prompt in seed] for seed in side] for side in (after, before))
    return HitDifferences(first=next(sides), second=next(sides))


FINDINGS = (
    *(
        value
        for module in (task, cli, lens, dual, probing, reinforcement, router, two_stage, engram)
        for value in vars(module).values()
        if isinstance(value, Finding)
    ),
    *(
        finding
        for value in vars(engram).values()
        if isinstance(value, dict)
        for finding in value.values()
        if isinstance(finding, Finding)
    ),
    reinforcement.collapses(_spread),
    reinforcement.improves_answers(_both),
    probing.base_equals_instruct(_first_layer),
    probing.not_vocabulary(_words),
)
BY_CLAIM = {finding.claim: finding for finding in FINDINGS}


FIXES = ("balanced", "entropy", "low-rate", "class-weight")
"""What the list of claims calls [fix]."""


BOTH_DATA_SETS = {"engram/gain-grows"}
"""The row of its family that compares the data sets; each other is asked of each of them."""


LEFT_OPEN = {"intervention/classifier-layer-needed"}
"""Predictions that the list of claims names without a row of their own."""


def test_every_claim_of_these_families_has_one_finding(claims):
    families = "lens|sft|dual|grpo|grpo-dual|two-stage|finetune|probe|router"
    row = rf"^\| ((?:{families})/[\w-]+)(\[fix\])? \|"
    listed = {
        f"{name}[{fix}]" if fixes else name
        for name, fixes in re.findall(row, claims, re.MULTILINE)
        for fix in FIXES
    }
    rows = set(re.findall(r"^\| (engram/[\w-]+) \|", claims, re.MULTILINE))
    listed |= rows & BOTH_DATA_SETS
    listed |= {f"{name}[{role}]" for name in rows - BOTH_DATA_SETS for role in engram.ROLES}
    assert set(BY_CLAIM) == listed | LEFT_OPEN
    assert len(FINDINGS) == len(BY_CLAIM)


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.claim)
def test_every_finding_can_be_read_and_estimated(finding):
    assert finding.note.endswith(".")
    assert finding.source[0] in "ABCDE"
    evidence = [item.evidence for item in finding.others]
    for item in [*evidence, *([finding.evidence] if finding.evidence else [])]:
        estimate = item.estimate(0.99)
        assert estimate.interval.low <= estimate.value <= estimate.interval.high


def test_printed_rewards_are_of_sixteen_answers():
    first = BY_CLAIM["grpo-dual/reward-dies"].others[0].evidence
    assert (first.shape, sum(first.values[0])) == ((1, 16), 7)
    assert round(first.rate, 3) == pytest.approx(grpo.GRPO_DUAL_DYNAMICS[0].reward, abs=6e-4)


def test_both_tables_of_each_untrained_model_give_its_operations_no_mass():
    finding = BY_CLAIM["lens/base-no-mass"]
    again = next(item for item in finding.others if "GRPO section" in item.label)
    assert again.evidence.values == ((0.0,) * 6,)
    first = next(item for item in finding.others if item.label == "TinyLlama 1.1B at L12")
    assert min(first.evidence.values[0]) > 0, "and the two tables do not agree"


def test_a_number_of_the_text_beside_a_table_has_its_place():
    losses = BY_CLAIM["dual/base-beats-instruct"].others[-1]
    assert losses.evidence.point == pytest.approx(5.0 / 0.97)
    training = BY_CLAIM["finetune/same-loss"].others[0]
    assert training.evidence.point == pytest.approx((0.998 - 1.012) / 1.005)


def test_the_threshold_of_36_percent_is_the_smallest_printed_number():
    assert min(dual.DUAL_REWARD_LLAMA_BASE.probability) == 0.3616
    assert mean(dual.DUAL_REWARD_LLAMA_BASE.probability) == pytest.approx(0.5707)


def test_gold_probability_reads_the_column_of_the_right_operation():
    expected = (5e-05, 6e-05, 2e-08, 1e-08, 1.4e-04, 1.1e-04, 9e-06, 5e-06)
    assert lens.LENS_LLAMA_BASE.gold_probability == Means(values=(expected,), bounds=SHARE)


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
    assert table.gold_probability == Means(values=((0.9, 0.01),), bounds=SHARE)


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


def test_every_count_of_parameters_rounds_to_the_printed_one():
    for count in cli.COUNTS:
        rounded = count.digit * round(count.counted / count.digit)
        assert rounded == pytest.approx(count.printed, rel=1e-9)
        assert count.miss < 0.5


def test_seven_experts_of_one_token_lie_below_what_independent_layers_give():
    assert router.independent_experts(4) == pytest.approx(30.7, abs=0.05)
    assert router.independent_experts(1) == pytest.approx(17.1, abs=0.05)
    context = BY_CLAIM["router/context"]
    assert context.evidence.point < context.others[0].evidence.point < 0


def test_one_of_the_eight_picked_experts_is_general():
    printed = BY_CLAIM["router/all-general"].others[0].evidence
    assert sum(printed.values[0]) == 1


def test_printed_probe_accuracies_are_of_sixteen_prompts():
    start = BY_CLAIM["probe/words-start-low"].evidence
    assert (start.shape, sum(start.values[0])) == ((1, 16), 7)


def test_the_printed_ranks_lie_nineteen_and_six_percent_from_the_ends():
    by_word = BY_CLAIM["probe/not-vocabulary"].evidence.conditions
    distances = [10**condition.evidence.point for condition in by_word]
    assert distances == pytest.approx([0.189, 0.0645], abs=5e-4)


ENGRAM_CLAIMS = 15


def test_printed_accuracies_are_counts_of_the_evaluation_splits():
    for run in (engram.SST2, engram.AG_NEWS):
        for share in (*run.accuracy, run.cluster_accuracy):
            assert round(engram.count(share, run.examples) / run.examples, 4) == share


@pytest.mark.parametrize("name", ["dual-gain[two-class]", "engram-gain[two-class]"])
def test_no_pairing_makes_one_or_three_examples_decide(name):
    favourable = BY_CLAIM[f"engram/{name}"].others[0].evidence
    verdict = decide(favourable, Above(0.0), family_size=ENGRAM_CLAIMS)
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_29_of_7600_would_decide_under_the_most_favourable_pairing():
    favourable = BY_CLAIM["engram/engram-gain[four-class]"].others[0].evidence
    verdict = decide(favourable, AtLeast(0.0), family_size=ENGRAM_CLAIMS)
    assert verdict.outcome is Outcome.SUPPORTED_RUN


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
@settings(deadline=None, max_examples=40)
def test_no_pairing_has_a_wider_interval_than_errors_apart(both, first, second):
    """`both` errors shared, the rest apart, against none shared."""
    n, misses = 120, (both + first, both + second)
    shares = tuple(1 - missed / n for missed in misses)
    run = replace(engram.SST2, examples=n, accuracy=(shares[1], shares[0]))
    later = [0.0] * misses[0] + [1.0] * (n - misses[0])
    earlier = [0.0] * both + [1.0] * first + [0.0] * second
    earlier += [1.0] * (n - len(earlier))
    low, high = HitDifferences(first=[later], second=[earlier]).limits(0.99)
    apart, shared = (
        HitDifferences(first=pair[:1], second=pair[1:]).limits(0.99)
        for pair in (engram.errors_apart(run, 2, 1), engram.errors_shared(run, 2, 1))
    )
    assert apart[0] - 1e-6 <= low <= shared[0] + 1e-6
    assert shared[1] - 1e-6 <= high <= apart[1] + 1e-6


def test_printed_purities_have_the_cluster_accuracy_as_their_mean():
    assert mean(engram.AG_NEWS.purity) == pytest.approx(engram.AG_NEWS.cluster_accuracy, abs=3e-4)
