"""The page of a comparison: both intervals of what moved, why, what did not, and nothing asked."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from headless import CHROMIUM, browser
from sample_diff import FOUND, NEW, OLD

from lazarus_bench.report.diff import compare
from lazarus_bench.report.html.comparison import render_comparison

AXE = os.environ.get("AXE_CORE", "")
NASTY = """</title><script>alert(1)</script>"'><img src="https://x.org" onerror=f()> {{ 1 }}"""
TEXT = render_comparison(FOUND)


def changes(text):
    """The sections of claims that moved."""
    return re.findall(r'<section class="change".*?</section>', text, re.DOTALL)


def test_every_claim_that_moved_has_both_intervals_its_verdicts_and_a_reason():
    shown = changes(TEXT)
    assert len(shown) == len(FOUND.moved)
    for pair, section in zip((*FOUND.changed, *FOUND.come, *FOUND.gone), shown, strict=True):
        lines = [row for row in (pair.old, pair.new) if row]
        assert f"<code>{pair.row.claim_id}</code>" in section
        assert section.count('role="img"') == len(lines)
        for row in lines:
            assert f"{row.verdict.outcome.value}</span>" in section
        assert re.search(r"<dt>Why</dt><dd>\S", section)


def test_a_region_that_was_amended_is_drawn_as_each_verdict_saw_it():
    section = next(s for s in changes(TEXT) if "dual/base-beats-instruct" in s)
    assert "Region: &gt; 0 → &gt; −0.5" in section
    starts = re.findall(r'<rect x="([\d.]+)%"', section)
    assert len(set(starts)) == 2


def test_what_did_not_move_is_listed():
    assert "Other estimates, the same verdict" in TEXT
    listed = TEXT.partition('id="unmoved"')[2].partition("</section>")[0]
    assert f"{len(FOUND.unmoved)} verdicts with the same numbers" in listed
    for pair in FOUND.unmoved:
        assert f"<code>{pair.row.claim_id}</code>" in listed
    assert FOUND.same == len(FOUND.unmoved)


def test_nothing_moved_is_said():
    text = render_comparison(compare(OLD, OLD))
    assert "<h1>Nothing moved:" in text
    assert not changes(text)


def test_what_reports_hold_is_escaped_and_nothing_is_asked_for():
    row = replace(NEW.rows[0], says=NASTY, subject=NASTY)
    manifest = {"revision": NASTY}
    text = render_comparison(compare(OLD, replace(NEW, rows=(row,), manifest=manifest)))
    assert "<script>alert" not in text
    assert text.count("<script>") == 1
    assert "<img" not in text
    assert not re.search(r'href="(?!#)', text)
    assert "default-src &#39;none&#39;" in text


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the PATH")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_a_browser_has_no_complaint_and_need_not_scroll_sideways(tmp_path, width, dark):
    file = tmp_path / "diff.html"
    file.write_text(TEXT, encoding="utf-8")
    with browser(tmp_path / "profile") as page:
        page.view(width, dark=dark)
        page.open(file)
        page.evaluate("document.querySelectorAll('details').forEach(at => { at.open = true })")
        assert page.complaints() == []
        assert page.requests() == [file.as_uri()]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if AXE:
            page.send("Page.setBypassCSP", enabled=True)
            page.evaluate(Path(AXE).read_text(encoding="utf-8") + "; 0")
            found = page.evaluate("axe.run().then(r => r.violations.map(v => [v.id, v.impact]))")
            assert found == []
