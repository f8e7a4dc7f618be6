"""Judging: evidence in, one verdict and one row out, and what it means for the exit code."""

from dataclasses import replace

import pytest

from lazarus_bench.claims.claim import Claim, OnOff
from lazarus_bench.claims.finding import Finding, Labelled
from lazarus_bench.claims.pins import Design, Pin, Pins
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.figures.heatmap import HeatGroup, HeatMap, HeatRow
from lazarus_bench.figures.layers import LayerCurves
from lazarus_bench.figures.training import Curves
from lazarus_bench.judge import AtLeast, Means, Outcome, Reported, family_level
from lazarus_bench.report.schema import LensTable
from lazarus_bench.session.judging import (
    NoVerdict,
    Trial,
    category,
    explained,
    fails,
    judge,
    merged,
    sentence,
)
from lazarus_bench.session.options import FAILABLE, Options
from lazarus_bench.session.session import Session

VERDICTS = [outcome for outcome in Outcome if outcome is not Outcome.ERROR]
NARROW = Means(values=((0.50, 0.51, 0.52, 0.53) * 5,))


def finding(evidence, *others):
    note = "printed without its sample"
    return Finding(claim="fam/one", source="A", evidence=evidence, note=note, others=others)


CLAIM = Claim(
    id="fam/one",
    says="It is so.",
    estimand="a number",
    region=AtLeast(0.3),
    finding=finding(NARROW),
    subjects=("lab:llama",),
)


def trial(size=4, subject="published", **about):
    return Trial(claim=replace(CLAIM, **about), subject=subject, family_size=size)


@pytest.fixture
def session(tmp_path):
    return Session(Options(store=tmp_path))


def row_of(session, asked, test=lambda: None):
    return judge(session, asked, test, {}).rows[0]


@pytest.fixture
def row(session):
    made = row_of(session, trial())

    def of(outcome, pinned):
        moved = "" if pinned in (None, outcome.value) else f"{pinned} is on record"
        judged = replace(made.verdict, outcome=outcome)
        return replace(made, verdict=judged, pinned=pinned, moved=moved)

    return of


@pytest.mark.parametrize("size", [1, 4, 20])
def test_the_family_sets_the_level(size):
    verdict = trial(size)(NARROW)
    assert verdict.outcome == Outcome.SUPPORTED_RUN
    assert verdict.level == pytest.approx(1 - 2 * 0.05 / size)
    assert verdict == trial(size).judge_published()


def test_one_test_one_verdict():
    asked = trial()
    first = asked(NARROW)
    with pytest.raises(ValueError, match="fam/one is judged twice"):
        asked(Means(values=((0.0, 0.01, 0.0),)))
    assert asked.verdict is first


def test_what_stands_beside_has_the_claims_level_and_order():
    asked = trial()
    for label in "bac":
        asked.add((label, NARROW))
    assert [item.label for item in asked.secondary] == ["b", "a", "c"]
    assert {item.estimate.interval.level for item in asked.secondary} == {family_level(4)}
    assert asked.verdict is None


def test_what_is_shown_is_in_the_report_once_for_each_title_and_subject(session):
    asked = trial()
    table = LensTable(title="A", subject="s", layer=0, rows=())
    curves = Curves(title="A", subject="s", unit="nats", series=())
    layers = LayerCurves(title="A", subject="s", unit="nats", layers=(0,), series=())
    lines = HeatGroup(name="g", rows=(HeatRow(prompt="p", gold="add", probability=(0.5,)),))
    heat = HeatMap(title="A", subject="s", layer=0, seeds=1, groups=(lines,))
    for item in (curves, table, heat, layers, curves):
        asked.add(item)
    first = judge(session, asked, None, {})
    for report in (first, merged([first, first], "command")):
        assert (report.lens_tables, report.curves) == ((table,), (curves,))
        assert (report.layer_curves, report.heatmaps) == ((layers,), (heat,))
    assert (report.command, len(report.rows)) == ("command", 2)


def test_nothing_printed_is_not_applicable_with_the_note(session):
    found = row_of(session, trial(finding=finding(None))).verdict
    assert (found.outcome, found.reason) == (Outcome.NOT_APPLICABLE, "printed without its sample")


def test_the_sources_other_numbers_stand_beside(session):
    other = Labelled(label="another model", evidence=NARROW)
    (beside,) = row_of(session, trial(finding=finding(None, other))).secondary
    assert beside.label == "another model"
    assert beside.estimate.value == pytest.approx(0.515)


def raising(error):
    def test():
        raise error

    return test


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(NotApplicable("why"), Outcome.NOT_APPLICABLE), (UserError("why"), Outcome.INVALID)],
)
def test_a_verdict_without_evidence_keeps_its_reason(session, tiny, error, outcome):
    made = row_of(session, trial(subject=str(tiny)), raising(error))
    assert (made.verdict.outcome, made.verdict.reason, made.verdict.estimate) == (
        outcome,
        "why",
        None,
    )
    assert (made.published.outcome, made.architecture) == (Outcome.SUPPORTED_RUN, "llama")


def test_a_design_that_decides_nothing_is_not_put_to_the_test(session, tiny):
    asked = trial(subject=str(tiny))
    asked.hopeless = "too small"
    made = row_of(session, asked, raising(AssertionError("the test ran")))
    assert (made.verdict.outcome, made.verdict.reason) == (Outcome.INCONCLUSIVE, "too small")
    assert made.verdict.level == family_level(4)


def test_a_test_that_judges_nothing_is_a_mistake(session, tiny):
    with pytest.raises(NoVerdict, match=r"fam/one: its test must return evidence"):
        judge(session, trial(subject=str(tiny)), lambda: None, {})


def test_a_defect_that_something_was_read_with_is_named_in_its_own_row_alone(session, tiny):
    asked = trial(subject=str(tiny))

    def reads():
        session.runs(str(tiny), None)[0].with_quirk("bf16-lens")
        return NARROW

    assert row_of(session, asked, reads).quirks == ("bf16-lens",)
    other = trial(subject=str(tiny))
    assert row_of(session, other, lambda: NARROW).quirks == ()


def pins(verdict):
    on_record = {"published": {"fam/one": Pin(verdict=verdict)}}
    return Pins(designs={"published": Design(machine={}, claims=on_record)})


def test_a_pin_is_that_of_the_subject_and_of_what_it_was_judged_with(session):
    asked = trial()
    asked.pins = pins("refuted")
    found = row_of(session, asked)
    assert (found.pinned, category(found)) == ("refuted", "moved")
    assert sentence(found).startswith(
        "fam/one on published: moved (refuted is on record for this kind of machine): supported "
    )
    held = trial()
    held.pins = pins("supported for this run")
    assert row_of(session, held).moved == ""
    session.options = replace(session.options, update_pins=True)
    assert row_of(session, asked).pinned is None


@pytest.mark.parametrize("outcome", VERDICTS)
def test_without_a_pin_the_verdict_is_the_category(row, outcome):
    found = row(outcome, None)
    assert category(found) == outcome.value
    assert fails(found, FAILABLE) == (outcome.value.removesuffix(" for this run") in FAILABLE)
    assert not fails(found, ())


@pytest.mark.parametrize("outcome", VERDICTS)
def test_a_pin_that_holds_never_fails(row, outcome):
    found = row(outcome, outcome.value)
    assert category(found) == outcome.value
    assert not fails(found, FAILABLE)


@pytest.mark.parametrize("pinned", [None, "supported"])
def test_an_error_fails_whatever_is_on_record(row, pinned):
    assert fails(row(Outcome.ERROR, pinned), ())


@pytest.mark.parametrize("outcome", [o for o in VERDICTS if o != Outcome.REFUTED])
def test_a_moved_pin_fails_where_moving_does(row, outcome):
    found = row(outcome, "refuted")
    assert category(found) == "moved"
    assert fails(found, ("moved",))
    assert not fails(found, ("refuted", "invalid", "inconclusive"))


def test_the_row_is_the_claim_on_its_subject(session):
    made = row_of(session, trial())
    assert (made.claim_id, made.family, made.subject) == ("fam/one", "fam", "published")
    assert made.published_note == "printed without its sample"
    assert made.seconds == round(made.seconds, 3)


def test_what_a_defect_explains_stands_beside_what_was_printed(session):
    printed = [Labelled(label=name, evidence=NARROW) for name in ("accuracy", "unmeasured")]
    about = replace(finding(None), explains=tuple(printed))
    asked = trial(quirk="sgd", finding=about)
    low, high = (Means(values=((v, v + 0.1, v + 0.2) * 5,)) for v in (0.1, 0.6))
    asked.add(("accuracy", OnOff(low, high)))
    asked.add(("unprinted", OnOff(high, low)))
    made = row_of(session, asked)
    assert [item.reads for item in made.explained] == ["accuracy", "unmeasured", "unprinted"]
    first, second, third = made.explained
    assert first.published.value == pytest.approx(0.515)
    assert (first.on.value, first.off.value) == pytest.approx((0.2, 0.7))
    assert first.on.interval.level == family_level(4)
    assert (second.on, second.off, third.published) == (None, None, None)
    assert made.quirk == "sgd"


def test_a_printed_range_keeps_its_ends():
    ranged = Labelled(label="loss", evidence=Reported(value=11.5, low=10, high=13))
    one_end = Labelled(label="at most", evidence=Reported(value=1, high=2))
    found = explained(replace(finding(None), explains=(ranged, one_end)), {}, 0.95)
    assert [item.span for item in found] == [(10, 13), None]


def test_a_claim_about_no_defect_explains_nothing():
    with pytest.raises(ValueError, match=r"fam/one is about no defect"):
        trial().add(("accuracy", OnOff(NARROW, NARROW)))
