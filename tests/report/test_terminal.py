"""The claims table at the end of a pytest run."""

import dataclasses

import pytest
from sample_report import ROWS

from lazarus_bench.report.terminal import claims_table


def shown(row):
    return row.verdict.outcome.value.replace("for this run", "(1 run)")


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


@pytest.mark.parametrize(
    ("subject", "kept"),
    [
        ("samples_of_task_1 − samples_of_task_2", "…of_task_1 − …of_task_2"),
        ("one/samples_task − two/samples_task", "one/sampl… − two/sampl…"),
    ],
)
def test_both_sides_of_a_long_difference_are_told_apart(subject, kept):
    row = dataclasses.replace(ROWS[0], subject=subject)
    assert kept in claims_table([row], 82)


def test_no_rows_make_no_table():
    assert claims_table([], 80) == ""
