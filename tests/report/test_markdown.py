"""The Markdown of a hand-made report in its parts; `test_renderings` compares the whole."""

import dataclasses

from sample_report import ROWS, SAMPLE

from lazarus_bench.report.markdown import render
from lazarus_bench.report.schema import Report
from lazarus_bench.report.summary import moved


def test_an_empty_report_says_so():
    empty = Report(created="2026-01-07", profile="smoke", command="pytest", manifest={})
    assert "No claim was judged." in render(empty)
    assert "## Jobs" not in render(empty)


def test_a_moved_verdict_is_in_the_summary():
    assert [row.claim_id for row in moved(ROWS)] == ["dual/base-beats-instruct"]
    unpinned = tuple(dataclasses.replace(row, moved="") for row in ROWS)
    assert "Moved from their pins" not in render(dataclasses.replace(SAMPLE, rows=unpinned))
