"""The claims table at the end of a pytest run."""

import dataclasses

import pytest
from sample_report import ROWS

from lazarus_bench.report.terminal import claims_table


def shown(row):
    return row.verdict.outcome.value.replace("for this run", "(1 run)")


def test_a_wide_terminal_shows_everything_on_one_line():
    lines = claims_table(ROWS, 200).splitlines()
    places = {line.index(shown(row)) for line, row in zip(lines, ROWS, strict=True)}
    assert len(places) == 1, "columns line up"
    line = next(line for line in lines if line.startswith("dual/vo-36 "))
    assert [cell.strip() for cell in line.split("   ") if cell.strip()] == [
        "dual/vo-36",
        "lab:llama",
        "supported",
        "0.900 [0.860, 0.940]",
        "⊂ [0.36, ∞)",
        "5 seeds × 200 prompts",
        "published 0.571: inconclusive",
    ]


@pytest.mark.parametrize("width", [20, 40, 50, 60, 80, 100, 120, 160, 200])
def test_no_line_is_longer_than_the_terminal_and_each_keeps_its_verdict(width):
    for line, row in zip(claims_table(ROWS, width).splitlines(), ROWS, strict=True):
        assert len(line) <= width
        assert width < 40 or shown(row) in line


def test_a_long_path_keeps_its_end_and_the_verdict():
    row = dataclasses.replace(ROWS[0], subject="/a/very/long/way/down/to/models/stories260K")
    table = claims_table([row], 80)
    assert "models/stories260K" in table
    assert "supported" in table


def test_no_rows_make_no_table():
    assert claims_table([], 80) == ""
