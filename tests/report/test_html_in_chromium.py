"""The page in a real browser: no complaint, no request, and all of it within reach of a keyboard.

`AXE_CORE=.../axe-core/axe.min.js` (npm install axe-core) adds its audit.
"""

import os
from pathlib import Path

import pytest
from headless import CHROMIUM, browser
from sample_report import SAMPLE

from lazarus_bench.report.html import render_html

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the PATH")
AXE = os.environ.get("AXE_CORE", "")
OPEN = "document.querySelectorAll('details').forEach(at => { at.open = true })"
SHOWN = "document.getElementById('shown').textContent"
VISIBLE = "[...document.querySelectorAll('#table .row')].filter(at => at.checkVisibility()).length"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_html(SAMPLE), encoding="utf-8")
    return path


@pytest.fixture
def page(chromium, file):
    chromium.view(1280)
    chromium.open(file)
    yield chromium
    chromium.evaluate("localStorage.clear()")


def test_it_opens_without_a_complaint_and_asks_for_nothing_else(page, file):
    page.evaluate(OPEN)
    page.evaluate("document.getElementById('theme').click()")
    assert page.complaints() == []
    assert page.requests() == [file.as_uri()]


def test_it_filters_by_keyboard(page):
    assert page.evaluate(SHOWN) == "16 of 16 verdicts shown"
    page.tab_to("at.id === 'query'")
    page.type("vo-36")
    assert (page.evaluate(SHOWN), page.evaluate(VISIBLE)) == ("2 of 16 verdicts shown", 2)
    page.tab_to("at.value === 'supported'")
    page.press("Space")
    assert (page.evaluate(SHOWN), page.evaluate(VISIBLE)) == ("1 of 16 verdicts shown", 1)
    claims = (
        "[...document.querySelectorAll('.claim')].filter(at => at.matches('details:not([hidden])'))"
    )
    assert page.evaluate(f"{claims}.map(at => at.dataset.claim)") == ["dual/vo-36"]
    page.tab_to("at.type === 'reset'")
    page.press("Enter")
    page.evaluate("new Promise(done => setTimeout(done, 50))")
    assert (page.evaluate(SHOWN), page.evaluate(VISIBLE)) == ("16 of 16 verdicts shown", 16)


def test_it_chooses_a_family_a_subject_and_nothing_by_keyboard(page):
    page.tab_to("at.id === 'family'")
    page.press("Down")
    assert page.evaluate(SHOWN) == "4 of 16 verdicts shown"
    page.tab_to("at.id === 'subject'")
    page.press("Down")
    assert page.evaluate(SHOWN) == "3 of 16 verdicts shown"
    page.tab_to("at.id === 'query'")
    page.type("xyzzy")
    assert page.evaluate(SHOWN) == "0 of 16 verdicts shown"
    assert page.evaluate("document.getElementById('nothing').checkVisibility()")


def test_a_claim_and_the_numbers_of_a_heat_map_open_by_keyboard(page):
    page.tab_to("at.matches('.claim > summary')")
    for opened in (True, False):
        page.press("Enter")
        assert page.evaluate("document.activeElement.parentElement.open") == opened
    page.tab_to("at.matches('.heats .fold > summary')")
    page.press("Enter")
    assert page.evaluate("document.querySelector('.heattable td').checkVisibility()")
    page.tab_to("at.matches('.heats .scroll')", most=1)


def test_a_link_opens_its_claim_and_moves_there(page):
    page.tab_to("at.matches('#table a')")
    target = page.evaluate("document.activeElement.hash")
    page.press("Enter")
    page.evaluate("new Promise(done => setTimeout(done, 100))")
    assert page.evaluate(f"document.querySelector('{target}').open")
    assert page.evaluate(f"document.activeElement.matches('{target} > summary')")


def test_a_link_leads_to_its_claim_though_the_filters_hide_it(page):
    page.tab_to("at.id === 'query'")
    page.type("xyzzy")
    page.tab_to("at.matches('.defects a')")
    target = page.evaluate("document.activeElement.hash")
    assert not page.evaluate(f"document.querySelector('{target}').checkVisibility()")
    page.press("Enter")
    page.evaluate("new Promise(done => setTimeout(done, 100))")
    assert page.evaluate(f"document.activeElement.matches('{target} > summary')")
    assert page.evaluate(SHOWN) == "16 of 16 verdicts shown"
    assert page.evaluate("document.getElementById('query').value") == ""


def test_a_fragment_of_a_job_opens_the_fold_it_lies_in(page, file):
    page.open(file, "#job-3f9a6c1d2b7e4455")
    assert page.evaluate("document.querySelector('#job-3f9a6c1d2b7e4455').checkVisibility()")


def test_the_theme_follows_the_system_and_then_the_button(page, file):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.view(1280, dark=True)
    dark = page.evaluate(ground)
    assert light != dark
    page.tab_to("at.id === 'theme'")
    page.press("Space")
    assert page.evaluate(ground) == light
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "false"


@pytest.mark.parametrize("width", [320, 390, 700, 1280])
def test_nothing_is_wider_than_the_page(page, width):
    page.evaluate(OPEN)
    page.view(width)
    wide, seen = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= seen == width


def test_print_shows_what_is_folded_and_hides_what_is_pressed(page):
    inside = "document.querySelector('.claim .inside').checkVisibility()"
    assert not page.evaluate(inside)
    page.view(1280, media="print")
    assert page.evaluate(inside)
    assert not page.evaluate("document.getElementById('filters').checkVisibility()")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate(OPEN)
    page.view(718, media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 718, "the width of paper"


def test_without_scripts_all_of_it_is_there(page, file):
    page.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(file)
        assert page.evaluate(VISIBLE) == 16
        assert not page.evaluate("document.getElementById('filters').checkVisibility()")
    finally:
        page.send("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.skipif(not AXE, reason="AXE_CORE names no axe.min.js")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_axe_finds_nothing(page, width, dark):
    page.view(width, dark=dark)
    page.evaluate(OPEN)
    page.send("Page.setBypassCSP", enabled=True)
    page.evaluate(Path(AXE).read_text(encoding="utf-8") + "; 0")
    found = page.evaluate("axe.run().then(r => r.violations.map(v => [v.id, v.impact]))")
    page.send("Page.setBypassCSP", enabled=False)
    assert found == []
