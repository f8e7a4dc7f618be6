"""Known defects in a report: impossible to overlook, and what of the published they produce."""

import dataclasses
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_report import ROWS, SAMPLE, estimate

from lazarus_bench.report.defects import (
    AS_CLOSE,
    BOTH,
    CLOSER_WITH,
    CLOSER_WITHOUT,
    NOT_MEASURED,
    NOT_PRINTED,
    ONLY_WITH,
    ONLY_WITHOUT,
    TITLE,
    lines,
    outcome,
    produced,
    quirks_line,
    switched_on,
)
from lazarus_bench.report.html import render_html
from lazarus_bench.report.markdown import render
from lazarus_bench.report.schema import Explained
from lazarus_bench.report.terminal import claims_table

ABOUT = next(row for row in ROWS if row.quirks)
PLAIN = [row for row in ROWS if not row.quirk]


def item(published=0.5, on=(0.4, 0.3, 0.5), off=(0.1, 0.0, 0.2)) -> Explained:
    printed = None if published is None else estimate(published, -math.inf, math.inf, "reported")
    found = {"on": on and estimate(*on), "off": off and estimate(*off)}
    return Explained(reads="a number", published=printed, **found)


BARE = (0.5, -math.inf, math.inf)
NEAR, WIDE = estimate(0.78, 0.76, 0.8), estimate(0.81, 0.55, 0.96)


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        (item(0.45), ONLY_WITH),
        (item(0.15), ONLY_WITHOUT),
        (item(0.9), CLOSER_WITH),
        (item(-0.9), CLOSER_WITHOUT),
        (item(None), NOT_PRINTED),
        (item(0.375, on=(0.5, 0.45, 0.55), off=(0.25, 0.2, 0.3)), AS_CLOSE),
        (item(0.35, off=(0.3, 0.2, 0.4)), BOTH),
        (item(on=None, off=None), NOT_MEASURED),
        (item(0.5, on=BARE), ONLY_WITH),
        (item(0.49, on=BARE), CLOSER_WITH),
        (Explained(reads="a sample", published=WIDE, on=NEAR, off=item().off), ONLY_WITH),
        (Explained(reads="a sample", published=WIDE, on=NEAR, off=NEAR), BOTH),
    ],
)
def test_where_a_published_number_is_found(found, answer):
    """Either number lies in the other's interval; one without an interval is met exactly or not."""
    assert produced(found) == answer


@pytest.mark.parametrize(
    ("span", "answer"),
    [
        ((0.35, 0.45), ONLY_WITH),
        ((0.05, 0.45), BOTH),
        ((0.05, 0.1), ONLY_WITHOUT),
        ((0.3, 0.39), CLOSER_WITH),
        ((0.15, 0.2), CLOSER_WITHOUT),
    ],
)
def test_a_printed_range_is_met_by_a_number_inside_it_and_not_by_its_middle(span, answer):
    """On is 0.4 [0.3, 0.5] and off 0.1 [0, 0.2]: an interval that reaches the range is not in."""
    of_range = dataclasses.replace(item(sum(span) / 2), span=span)
    assert produced(of_range) == answer
    row = dataclasses.replace(ABOUT, explained=(of_range,))
    told = " to ".join(f"{end:.3f}" for end in span)
    for page in (render, render_html):
        assert told in page(dataclasses.replace(SAMPLE, rows=(row,), pooled=()))


@given(
    published=st.floats(-2, 2),
    numbers=st.tuples(*[st.floats(-1, 1)] * 2),
    widths=st.tuples(*[st.floats(0.1, 1)] * 2),
)
def test_with_and_without_are_treated_alike(published, numbers, widths):
    on, off = ((n, n - w, n + w) for n, w in zip(numbers, widths, strict=True))
    mirrored = {
        ONLY_WITH: ONLY_WITHOUT,
        ONLY_WITHOUT: ONLY_WITH,
        CLOSER_WITH: CLOSER_WITHOUT,
        CLOSER_WITHOUT: CLOSER_WITH,
    }
    answer = produced(item(published, on, off))
    assert produced(item(published, off, on)) == mirrored.get(answer, answer)


def test_the_outcome_counts_every_measured_number_once():
    assert outcome(lines([dataclasses.replace(ABOUT, explained=(item(on=None, off=None),))])) == ""
    row = dataclasses.replace(ABOUT, explained=(item(0.45), item(0.15), item(None)))
    assert outcome(lines([row])) == (
        "Of 2 published numbers: 1 found only with it (unshifted-labels), 1 found only without it "
        "(unshifted-labels)."
    )


def test_models_replace_the_published_number_alone():
    found = lines(ROWS)
    assert [(line.row.claim_id, line.row.subject, line.first) for line in found] == [
        ("explain/unshifted-destroys", "lab:llama", True),
        ("explain/unshifted-destroys", "lab:llama", False),
        ("explain/bf16-lens", "published", True),
    ]
    assert lines(PLAIN) == ()


def test_a_report_without_defects_says_nothing_of_them():
    plain = dataclasses.replace(SAMPLE, rows=tuple(PLAIN), jobs=SAMPLE.jobs[:2], pooled=())
    for page in (render(plain), render_html(plain)):
        assert TITLE not in page
        assert "QUIRK" not in page
        assert "switched on" not in page
    assert quirks_line(PLAIN) == ""


def test_a_defect_that_was_on_is_named_at_the_top_in_the_row_and_in_the_terminal():
    said = quirks_line(ROWS)
    assert said == (
        "Known defects of the public source were switched on: unshifted-labels in "
        "explain/unshifted-destroys."
    )
    assert said in claims_table(ROWS, 40) + quirks_line(ROWS)
    text, page = render(SAMPLE), render_html(SAMPLE)
    assert text.index(said) < text.index("## Summary")
    assert page.index(said) < page.index('id="summary"')
    assert "supported **⚠️ QUIRK unshifted-labels**" in text
    assert '<span class="tag odd">QUIRK unshifted-labels</span>' in page


def test_the_page_marks_a_verdict_with_a_defect_everywhere():
    odd = next(row for row in ROWS if (row.claim_id, row.subject) == ("dual/vo-36", "lab:llama"))
    rows = [dataclasses.replace(row, quirks=("sgd",)) if row is odd else row for row in ROWS]
    page = render_html(dataclasses.replace(SAMPLE, rows=tuple(rows)))
    mark = '<span class="tag odd">QUIRK sgd</span>'
    about = f'data-claim="{odd.claim_id}"'
    places = {
        "table of claims": rf'<tr role="row" class="row" {about}[^\n]*\n.*\n.*',
        "head of the claim": rf'<details class="claim"[^>]*{about}>\n<summary>.*',
        "scale of the claim": r'<th role="rowheader" scope="row"><code>lab:llama</code>.*',
        "how it was reached": r'<details class="fold"><summary>.* on <code>lab:llama</code>.*',
        "replication": rf'<tr><th scope="row"><a [^>]*>{odd.claim_id}</a></th>.*',
    }
    for place, line in places.items():
        assert any(mark in found for found in re.findall(line, page)), place


def test_a_defect_that_the_claim_is_not_about_is_told_apart():
    odd = dataclasses.replace(PLAIN[0], quirks=("sgd",))
    assert switched_on([ABOUT, odd, odd]) == {
        "unshifted-labels": (ABOUT.claim_id,),
        "sgd": (odd.claim_id,),
    }
    assert quirks_line([ABOUT, odd]).endswith(f" Not asked for by the claim: {odd.claim_id}.")
