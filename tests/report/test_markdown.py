"""The Markdown of a hand-made report in its parts; `test_renderings` compares the whole."""

import dataclasses

from sample_report import ROWS, SAMPLE

from lazarus_bench.judge import Outcome
from lazarus_bench.report.markdown import render
from lazarus_bench.report.schema import Report
from lazarus_bench.report.summary import count, families, family_sentence, moved, subjects


def test_an_empty_report_says_so():
    empty = Report(created="2026-01-07", profile="smoke", command="pytest", manifest={})
    assert "No claim was judged." in render(empty)
    assert "## Jobs" not in render(empty)


def test_a_moved_verdict_is_in_the_summary():
    assert [row.claim_id for row in moved(ROWS)] == ["dual/base-beats-instruct"]
    unpinned = tuple(dataclasses.replace(row, moved="") for row in ROWS)
    assert "Moved from their pins" not in render(dataclasses.replace(SAMPLE, rows=unpinned))


def test_the_published_numbers_come_last_and_are_counted_apart():
    assert subjects(reversed(ROWS))[-2:] == ("lab:llama", "published")
    lab = [row for row in ROWS if row.subject == "lab:llama" and row.family != "probe"]
    assert count(lab)[Outcome.SUPPORTED] == 2


def test_a_family_has_one_sentence():
    dual = families(ROWS)["dual"]
    assert family_sentence(dual, "lab:llama") == (
        "of 2 claims, 1 supported (vo-36), 1 refuted (base-beats-instruct)"
    )


def test_a_failed_control_is_marked_and_lens_hits_ignore_case_and_blanks():
    text = render(SAMPLE)
    assert "Control, train/eval overlap: 3, expected none, **failed**" in text
    assert "1 of 2 after training." in text
    assert text.count("<details>") == text.count("</details>") == 9
