"""Hooks that a conftest.py or another plugin may implement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lazarus_bench.report.schema import Report, Row


def pytest_lazarus_bench_verdict(config: pytest.Config, row: Row) -> None:
    """A verdict was reached.

    Called once for each row, as soon as its test has ended. Under pytest-xdist only the controller
    calls it.
    """


def pytest_lazarus_bench_report(config: pytest.Config, report: Report, folder: Path) -> None:
    """The report is about to be written to `folder`.

    Called once, also after an interrupt. A hook may write files of its own there.
    """
