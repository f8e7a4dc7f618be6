"""The page of a hand-made report: whole, closed to what a report could smuggle in, and legible.

`python tests/report/sample_report.py` writes `golden.html` anew.
"""

import base64
import dataclasses
import hashlib
import math
import re
from pathlib import Path

import pytest
from figure_strategies import luminance
from hypothesis import given, settings
from rendered_page import NASTY, Page
from sample_report import CURVES, HEAT, LAYERS, LENS, SAMPLE, SCATTER

from lazarus_bench.judge import Outcome
from lazarus_bench.report.html import render_html
from lazarus_bench.report.html.claims import claim_views
from lazarus_bench.report.schema import load

DIAMOND = 'viewBox="0 0 100 14"'
LAB = Path(__file__).parents[2] / "reports" / "lab" / "report.json"


TEXT = render_html(SAMPLE)
PAGE = Page(TEXT)


def test_ids_are_unique_and_every_link_and_label_leads_to_one():
    ids = PAGE.attributes("id")
    assert len(ids) == len(set(ids))
    named = [name for at in PAGE.attributes("aria-labelledby") for name in at.split()]
    links = PAGE.attributes("href")
    assert all(link.startswith("#") for link in links)
    assert {*PAGE.attributes("for"), *named, *(link[1:] for link in links)} <= set(ids)


def test_nothing_on_the_page_is_fetched_or_styled_in_place():
    attributes = {name for _, attrs in PAGE.elements for name in attrs}
    assert not {"src", "srcset", "style", "action", "data", "poster"} & attributes
    assert not {"link", "img", "iframe", "base", "object", "embed"} & set(PAGE.tags)
    assert "url(" not in TEXT
    assert "@import" not in TEXT


def test_the_policy_allows_our_style_and_script_alone():
    policy = next(at["content"] for _, at in PAGE.elements if "http-equiv" in at)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (found,) = re.findall(rf"<{tag}>(.*?)</{tag}>", TEXT, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def hostile(text):
    """The sample with `text` wherever a report has words of others."""
    rows = tuple(
        dataclasses.replace(
            row,
            claim_id=f"{row.claim_id}{text}",
            family=text,
            says=text,
            estimand=text,
            source=text,
            subject=text if i == 0 else row.subject,
            published_note=text,
            digests=(text,),
            pinned=text,
            verdict=dataclasses.replace(row.verdict, reason=text, needed=text),
        )
        for i, row in enumerate(SAMPLE.rows)
    )
    hot = dataclasses.replace(HEAT.groups[0].rows[0], prompt=text, gold=text)
    heat = dataclasses.replace(HEAT.groups[0], name=text, rows=(hot,))
    line = dataclasses.replace(LENS.rows[0], prompt=text, before_token=text, gold=text)
    series = tuple(dataclasses.replace(one, name=text) for one in CURVES.series)
    return dataclasses.replace(
        SAMPLE,
        created=text,
        profile=text,
        command=text,
        manifest={text: text},
        rows=rows,
        lens_tables=(dataclasses.replace(LENS, title=text, subject=text, rows=(line,)),),
        jobs=(dataclasses.replace(SAMPLE.jobs[0], digest=text, what=text),),
        curves=(dataclasses.replace(CURVES, title=text, unit=text, x=text, series=series),),
        layer_curves=(dataclasses.replace(LAYERS, title=text, subject=text, unit=text),),
        heatmaps=(dataclasses.replace(HEAT, title=text, subject=text, groups=(heat,)),),
        scatters=(dataclasses.replace(SCATTER, title=text, subject=text, classes=(text,) * 4),),
    )


SHAPE = [tag for tag, _ in Page(render_html(hostile("word"))).elements]


@pytest.mark.parametrize(
    "text",
    [
        "</script><script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onfocus='alert(1)' autofocus='",
        "<!-- --><style>*{display:none}</style>",
        "]]></svg></title></desc><b>",
        "{{ 7 * 7 }}{% for x in y %}",
        "&lt;b&gt; &#0; &amp",
    ],
)
def test_words_of_others_stay_words(text):
    page = Page(render_html(hostile(text)))
    assert page.tags == SHAPE
    assert text in page.text
    assert not [name for _, at in page.elements for name in at if name.startswith("on")]


@settings(max_examples=25)
@given(NASTY.filter(str.strip))
def test_any_words_leave_the_page_in_one_piece(text):
    page = Page(render_html(hostile(text)))
    tags = page.tags
    assert tags.count("details") == SHAPE.count("details")
    assert (tags.count("script"), tags.count("style")) == (1, 1)


def test_what_html_cannot_hold_is_replaced():
    text = render_html(hostile("a\x00\ud800\x1b[1mb"))
    assert f"a{3 * chr(0xFFFD)}[1mb" in text
    assert text.encode("utf-8")


def test_numbers_that_are_none_leave_no_trace_in_a_drawing():
    line = tuple((float(x), math.nan) for x in range(3))
    series = (dataclasses.replace(CURVES.series[0], lines=(line, ())),)
    lens = dataclasses.replace(LENS.rows[0], before_probability=math.nan)
    cold = dataclasses.replace(HEAT.groups[0].rows[0], probability=(math.nan,) * 4)
    group = dataclasses.replace(HEAT.groups[0], rows=(cold,))
    report = dataclasses.replace(
        SAMPLE,
        heatmaps=(dataclasses.replace(HEAT, groups=(group,)),),
        curves=(dataclasses.replace(CURVES, series=series),),
        lens_tables=(dataclasses.replace(LENS, rows=(lens,)),),
        scatters=(dataclasses.replace(SCATTER, points=((math.nan, 0.0, 0), (1.0, 2.0, 1))),),
    )
    page = Page(render_html(report))
    drawn = {"x", "x1", "x2", "y", "y1", "y2", "cx", "width", "points", "d"}
    values = [v for tag, at in page.elements for n, v in at.items() if n in drawn and tag != "svg"]
    assert not [value for value in values if "nan" in value or "inf" in value]
    assert "No finite number was logged." in page.text
    assert "mean not a number at L2, no finite number." in page.text


def test_evidence_whose_control_failed_replicates_nothing_and_the_page_says_so():
    row = next(row for row in SAMPLE.rows if row.claim_id == "dual/vo-36")
    bad = dataclasses.replace(row.verdict, outcome=Outcome.INVALID)
    judged = [(row, 5, ()), (dataclasses.replace(row, verdict=bad), 0, ("lab:llama",))]
    for item, answers, unasked in judged:
        report = dataclasses.replace(SAMPLE, rows=(item,), pooled=())
        (view,) = claim_views(report)
        assert [len(one.replication) for one in view.judged] == [answers]
        assert view.unasked == unasked
        said = "Not asked of lab:llama: a control failed"
        assert (said in Page(render_html(report)).text) == bool(unasked)


def test_families_that_are_not_pooled_have_no_diamond_and_the_page_says_why():
    (pooled,) = SAMPLE.pooled
    alone = dataclasses.replace(pooled, families=pooled.families[:1], result=None)
    text = render_html(dataclasses.replace(SAMPLE, pooled=(alone,)))
    (table,) = re.findall(r'<table class="lanes forest".*?</table>', text, re.DOTALL)
    assert len(re.findall(r'<rect x="-[\d.]+"', table)) == 1
    assert DIAMOND not in text
    assert "Not pooled, since that takes two families" in text


def test_every_figure_is_inlined_as_the_markdown_links_it():
    for item in (*SAMPLE.heatmaps, *SAMPLE.scatters, *SAMPLE.layer_curves, *CURVES.series):
        assert item.svg() in TEXT
    (table,) = re.findall(r'<table class="heattable">.*?</table>', TEXT, re.DOTALL)
    numbers = re.findall(r'<td class="num">(.*?)</td>', table)
    assert numbers[:4] == ["0", "3e-05", "0.910", "0.200"]
    assert table.count('scope="row"') == 3


def test_every_verdict_has_a_shape_beside_its_colour():
    broken = dataclasses.replace(SAMPLE.rows[0].verdict, outcome=Outcome.ERROR)
    rows = (*SAMPLE.rows, dataclasses.replace(SAMPLE.rows[0], verdict=broken))
    page = render_html(dataclasses.replace(SAMPLE, rows=rows))
    for outcome in Outcome:
        name = outcome.value.replace(" ", "-")
        assert f'<symbol id="v-{name}"' in page
        assert f'<use href="#v-{name}"/></svg>{outcome.value}</span>' in page


def test_the_lab_fits_its_budget():
    assert len(render_html(load(LAB)).encode()) < 3_000_000


def verdict_ink(outcome):
    """The colour's name: what one run shows has that of several, with a lighter mark."""
    return outcome.value.removesuffix(" for this run").replace(" ", "-")


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_all_text_stands_out_from_what_is_behind_it(scheme):
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", TEXT)
    colours = {name: (light, dark)[scheme] for name, light, dark in pairs}
    inks = ["ink", "soft", "link", *(verdict_ink(outcome) for outcome in Outcome)]
    for behind in ("paper", "panel"):
        for ink in inks:
            low, high = sorted((luminance(colours[ink]), luminance(colours[behind])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, behind)
