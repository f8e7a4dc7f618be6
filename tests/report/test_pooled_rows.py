"""Which rows are pooled, with what, and how the report shows it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_report import SAMPLE, estimate, row, verdict

from lazarus_bench.judge import AtLeast, Outcome
from lazarus_bench.judge.pool import pool, standard_error
from lazarus_bench.report.markdown import render
from lazarus_bench.report.pooling import model_family, pool_rows
from lazarus_bench.report.schema import Report
from lazarus_bench.report.terminal import pooled_line


def judged(value, half=0.1, outcome=Outcome.SUPPORTED, **rest):
    return verdict(outcome, AtLeast(0.25), estimate(value, value - half, value + half, **rest))


def on(subject, value=0.5, half=0.1, architecture="", **rest):
    return row("probe/a", subject, judged(value, half, **rest), architecture=architecture)


def rendered(*rows):
    about = dict.fromkeys(("created", "profile", "command"), "")
    return render(Report(**about, manifest={}, rows=rows, pooled=pool_rows(rows)))


@pytest.mark.parametrize(
    ("subject", "architecture", "family"),
    [
        ("lab:llama", "", "llama"),
        ("lab:llama-instruct", "", "llama"),
        ("lab:gpt-oss", "", "gpt_oss"),
        ("models/Llama-3.2-1B-instruct", "", "models/Llama-3.2-1B-instruct"),
        ("models/Llama-3.2-1B", "llama", "llama"),
    ],
)
def test_a_family_is_that_of_the_config_else_of_the_name(subject, architecture, family):
    assert model_family(on(subject, architecture=architecture)) == family


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [on("lab:llama")],
        [on("lab:llama"), on("published")],
        [on("lab:llama"), on("lab:llama-instruct"), on("m", architecture="llama")],
        [on("lab:llama"), row("probe/b", "lab:granite", judged(0.5))],
        [on("lab:llama"), row("probe/a", "lab:x", verdict(Outcome.NOT_APPLICABLE, AtLeast(0)))],
    ],
)
def test_one_family_is_not_pooled(rows):
    assert pool_rows(rows) == ()
    assert "Pooled" not in rendered(*rows)


def test_two_families_are_pooled_without_the_published_number():
    rows = [on("lab:llama", 0.4), on("published", 9.0), on("lab:granite", 0.6, 0.2)]
    (found,) = pool_rows(rows)
    errors = [standard_error(rows[i].verdict.estimate) for i in (0, 2)]
    assert found.result == pool([0.4, 0.6], errors)
    assert [family.name for family in found.families] == ["llama", "granite"]
    assert found.left_out == ()


def test_subjects_of_one_family_count_once():
    rows = [on("lab:llama", 0.4), on("lab:llama-instruct", 0.6), on("lab:granite", 0.5)]
    (found,) = pool_rows(rows)
    llama, granite = found.families
    assert (llama.value, llama.subjects) == (0.5, ("lab:llama", "lab:llama-instruct"))
    assert llama.standard_error == pytest.approx(granite.standard_error)
    assert found.result.weights == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (on("lab:qwen2", half=math.inf), "no finite interval"),
        (on("lab:qwen2", scope="exact"), "computed"),
        (on("lab:qwen2", outcome=Outcome.INVALID), "invalid"),
    ],
)
def test_what_cannot_be_pooled_is_left_out_by_name(bad, reason):
    rows = [on("lab:llama"), bad, on("lab:granite")]
    (found,) = pool_rows(rows)
    ((subject, why),) = found.left_out
    assert (subject, found.result.families) == ("lab:qwen2", 2)
    assert reason in why
    text = rendered(*rows)
    assert "`lab:qwen2` left out" in text
    assert reason in text


def test_families_without_intervals_are_shown_and_not_pooled():
    rows = [on("lab:llama"), on("lab:granite", half=math.inf)]
    (found,) = pool_rows(rows)
    assert found.result is None
    text = rendered(*rows)
    assert "| not pooled |" in text
    assert "not pooled, since that takes two families with an interval" in text
    assert "Pooled over 1" not in text
    tables = [block for block in text.split("\n\n") if block.startswith("| ")]
    assert all(len({line.count("|") for line in block.splitlines()}) == 1 for block in tables)


@given(st.permutations(range(4)))
def test_the_order_of_the_rows_does_not_matter(order):
    rows = [on("lab:llama", 0.1), on("lab:granite", 0.5, 0.2), on("x", 0.3), on("y", 0.9)]
    (first,), (second,) = pool_rows(rows), pool_rows([rows[i] for i in order])
    assert first.result.value == pytest.approx(second.result.value)
    assert first.result.i2 == pytest.approx(second.result.i2)
    assert {f.name for f in first.families} == {f.name for f in second.families}


def test_the_terminal_has_one_line_for_all_of_them():
    line = pooled_line(SAMPLE.pooled, 200)
    assert line == "pooled in the report: 1 claim, over up to 3 families, I² 0.95 to 0.95"
    assert len(pooled_line(SAMPLE.pooled, 20)) == 20
    agreeing = [row("probe/b", s, judged(0.5)) for s in ("lab:llama", "lab:granite")]
    both = pooled_line((*SAMPLE.pooled, *pool_rows(agreeing)), 200)
    assert both == "pooled in the report: 2 claims, over up to 3 families, I² 0.00 to 0.95"
    one = pool_rows([on("lab:llama"), on("lab:granite", half=math.inf)])
    assert pooled_line((), 80) == pooled_line(one, 80) == ""
