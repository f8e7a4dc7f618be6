"""A trial: evidence in, one verdict out, and what it means for the exit code."""

from dataclasses import replace

import pytest

from lazarus_bench.figures import Curves, HeatGroup, HeatMap, HeatRow, LayerCurves
from lazarus_bench.judge import AtLeast, Claim, Control, Means, Outcome, Reported, family_level
from lazarus_bench.published.records import Finding, Labelled
from lazarus_bench.report import LensTable
from lazarus_bench.session.trial import (
    FAILABLE,
    Trial,
    category,
    explained,
    fails,
    invalid,
    judge_published,
    make_row,
    published_secondary,
    undecidable,
)

NARROW = Means(values=((0.50, 0.51, 0.52, 0.53) * 5,))
CLAIM = Claim(
    id="fam/one",
    says="It is so.",
    estimand="a number",
    source="A",
    region=AtLeast(0.3),
    subjects=("lab:llama",),
    published_note="printed without its sample",
)


def finding(evidence, *others):
    return Finding(claim="fam/one", source="A", evidence=evidence, note="a note", others=others)


def trial(size=4):
    return Trial(claim=CLAIM, family_size=size)


def row(outcome, pinned):
    made = undecidable(CLAIM, "why", 4)
    verdict = type(made)(
        outcome=outcome, reason="why", estimate=None, region=CLAIM.region, level=made.level
    )
    return make_row(
        CLAIM, "s", verdict, verdict, pinned=pinned, secondary=(), digests=(), seconds=0.12345
    )


@pytest.mark.parametrize("size", [1, 4, 20])
def test_the_family_sets_the_level(size):
    verdict = trial(size)(NARROW)
    assert verdict.outcome == Outcome.SUPPORTED
    assert verdict.level == pytest.approx(1 - 2 * 0.05 / size)
    assert verdict == judge_published(CLAIM, finding(NARROW), size)


def test_a_failed_control_makes_the_verdict_invalid():
    failed = Control(name="overlap", value=3.0, expectation="0", passed=False)
    assert trial()(NARROW, controls=[failed]).outcome == Outcome.INVALID


def test_one_test_one_verdict():
    judge = trial()
    first = judge(NARROW)
    with pytest.raises(ValueError, match="fam/one is judged twice"):
        judge(Means(values=((0.0, 0.01, 0.0),)))
    assert judge.verdict is first


def test_what_stands_beside_has_the_claims_level_and_order():
    judge = trial()
    judge.beside({"b": NARROW, "a": NARROW})
    judge.beside({"c": NARROW})
    assert [item.label for item in judge.secondary] == ["b", "a", "c"]
    assert {item.estimate.interval.level for item in judge.secondary} == {family_level(4)}
    assert judge.verdict is None


def test_tables_and_curves_are_kept_apart():
    judge = trial()
    table = LensTable(title="A", subject="s", layer=0, rows=())
    curves = Curves(title="A", subject="s", unit="nats", series=())
    layers = LayerCurves(title="A", subject="s", unit="nats", layers=(0,), series=())
    lines = HeatGroup(name="g", rows=(HeatRow(prompt="p", gold="add", probability=(0.5,)),))
    heat = HeatMap(title="A", subject="s", layer=0, seeds=1, groups=(lines,))
    for item in (curves, table, heat, layers, curves):
        judge.show(item)
    assert judge.tables == [table]
    assert judge.curves == [curves, curves]
    assert judge.layer_curves == [layers]
    assert judge.heatmaps == [heat]


def test_nothing_printed_is_not_applicable_with_the_note():
    verdict = judge_published(CLAIM, finding(None), 4)
    assert (verdict.outcome, verdict.reason) == (Outcome.NOT_APPLICABLE, "a note")


def test_the_writeups_other_numbers_stand_beside():
    other = Labelled(label="another model", evidence=NARROW)
    (beside,) = published_secondary(finding(None, other), 4)
    assert beside.label == "another model"
    assert beside.estimate.value == pytest.approx(0.515)


@pytest.mark.parametrize(
    ("made", "outcome"), [(undecidable, Outcome.INCONCLUSIVE), (invalid, Outcome.INVALID)]
)
def test_a_verdict_without_evidence_keeps_its_reason(made, outcome):
    verdict = made(CLAIM, "the reason", 4)
    assert (verdict.outcome, verdict.reason, verdict.estimate) == (outcome, "the reason", None)
    assert verdict.level == family_level(4)


@pytest.mark.parametrize("outcome", Outcome)
def test_without_a_pin_the_verdict_is_the_category(outcome):
    found = row(outcome, None)
    assert category(found) == outcome.value
    assert fails(found, FAILABLE) == (outcome.value in FAILABLE)
    assert not fails(found, ())


@pytest.mark.parametrize("outcome", Outcome)
def test_a_pin_that_holds_never_fails(outcome):
    found = row(outcome, outcome.value)
    assert category(found) == outcome.value
    assert not fails(found, FAILABLE)


@pytest.mark.parametrize("outcome", [o for o in Outcome if o != Outcome.REFUTED])
def test_a_moved_pin_fails_where_moving_does(outcome):
    found = row(outcome, "refuted")
    assert category(found) == "moved"
    assert fails(found, ("moved",))
    assert not fails(found, ("refuted", "invalid", "inconclusive"))


def test_the_row_is_the_claim_on_its_subject():
    made = row(Outcome.REFUTED, None)
    assert (made.claim_id, made.family, made.subject) == ("fam/one", "fam", "s")
    assert made.published_note == "printed without its sample"
    assert made.seconds == 0.123


def test_what_a_defect_explains_stands_beside_what_was_printed():
    about = replace(CLAIM, quirk="sgd")
    asked = Trial(claim=about, family_size=4)
    low, high = (Means(values=((v, v + 0.1, v + 0.2) * 5,)) for v in (0.1, 0.6))
    asked.explain({"accuracy": (low, high), "unprinted": (high, low)})
    printed = [Labelled(label=name, evidence=NARROW) for name in ("accuracy", "unmeasured")]
    found = explained(replace(finding(None), explains=tuple(printed)), asked.measured, 4)
    assert [item.reads for item in found] == ["accuracy", "unmeasured", "unprinted"]
    first, second, third = found
    assert first.published.value == pytest.approx(0.515)
    assert (first.on.value, first.off.value) == pytest.approx((0.2, 0.7))
    assert first.on.interval.level == family_level(4)
    assert (second.on, second.off, third.published) == (None, None, None)
    made = make_row(
        about, "s", undecidable(about, "why", 4), undecidable(about, "why", 4), pinned=None,
        secondary=(), digests=(), seconds=0, quirks=["sgd"], explained=found,
    )  # fmt: skip
    assert (made.quirk, made.quirks, made.explained) == ("sgd", ("sgd",), found)


def test_a_printed_range_keeps_its_ends():
    ranged = Labelled(label="loss", evidence=Reported(value=11.5, low=10, high=13))
    one_end = Labelled(label="at most", evidence=Reported(value=1, high=2))
    found = explained(replace(finding(None), explains=(ranged, one_end)), {}, 4)
    assert [item.span for item in found] == [(10, 13), None]


def test_a_claim_about_no_defect_explains_nothing():
    with pytest.raises(ValueError, match=r"fam/one is about no defect"):
        trial().explain({"accuracy": (NARROW, NARROW)})
