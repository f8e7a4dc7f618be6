"""What the session makes of the evidence in its test reports: counts, tables, files, pins."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lazarus_bench.claims.subjects import PUBLISHED
from lazarus_bench.errors import UserError, shown
from lazarus_bench.session.options import Options

if TYPE_CHECKING:
    from lazarus_bench.judge import Verdict
    from lazarus_bench.report.schema import Report, Row

PROPERTY = "lazarus_bench"
"""The property of a test's report in which its evidence travels, also from xdist's workers."""

VERDICT, REASON = "verdict", "reason"
"""Properties that say the same to who reads JUnit's file."""

LETTERS = {
    "supported": ("s", {"green": True}),
    "refuted": ("r", {"red": True}),
    "supported for this run": ("s", {"green": True}),
    "refuted for this run": ("r", {"red": True}),
    "inconclusive": ("i", {"yellow": True}),
    "mixed": ("x", {"yellow": True}),
    "invalid": ("E", {"red": True}),
    "not applicable": ("n", {"yellow": True}),
    "error": ("E", {"red": True}),
    "moved": ("M", {"red": True}),
}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One claim judged on one subject: a report of the one row and what was shown with it.

    `folder` is that of the claim's file, `design` what the verdict is put on record under, `place`
    its place among the session's tests, and `machine` what its numbers depend on besides the claim
    and its trainings, by name.
    """

    report: Report
    folder: Path
    design: str
    place: int
    machine: Mapping[str, str]

    @property
    def row(self) -> Row:
        """The report's row."""
        return self.report.rows[0]


class EvidenceCollector:
    """Gathers the evidence that travels in test reports and, at the end, writes what it says."""

    def __init__(self, config: pytest.Config, options: Options, command: str) -> None:
        """Collect for one session; `written` names the report's files once they are there."""
        self._config, self._options, self._command = config, options, command
        self._evidence: dict[str, Evidence] = {}
        self.written: list[Path] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the evidence of a finished test."""
        if report.when == "teardown":
            return
        for name, value in report.user_properties:
            if name == PROPERTY:
                found = self._evidence[report.nodeid] = _evidence(str(value))
                if not hasattr(self._config, "workerinput"):
                    hook = self._config.hook.pytest_lazarus_bench_verdict
                    hook(config=self._config, row=found.row)

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Count verdicts under their own names in pytest's summary line."""
        # A file that cannot be collected is reported too, and has no phase.
        found = self._evidence.get(report.nodeid)
        if found is None or getattr(report, "when", None) != "call":
            return None
        from lazarus_bench.session.judging import category

        name = category(found.row)
        letter, markup = LETTERS[name]
        return name, letter, (name.upper(), markup)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report and the pins, also of a session that was interrupted."""
        if not self._evidence or hasattr(session.config, "workerinput"):
            return
        try:
            self._write()
        except UserError as error:
            raise pytest.UsageError(str(error)) from None

    def _write(self) -> None:
        from lazarus_bench.report.written import write_report
        from lazarus_bench.session.judging import merged

        found = sorted(self._evidence.values(), key=lambda evidence: evidence.place)
        report = merged([evidence.report for evidence in found], self._command)
        published = all(row.subject == PUBLISHED for row in report.rows)
        folder = self._options.report_folder(only_published=published)
        hook = self._config.hook.pytest_lazarus_bench_report
        hook(config=self._config, report=report, folder=folder)
        self.written = write_report(report, folder)
        if self._options.update_pins:
            self._pin()

    def _pin(self) -> None:
        from lazarus_bench.claims.pins import FILE, updated_pins
        from lazarus_bench.judge import Outcome
        from lazarus_bench.report.files import write_text

        verdicts: dict[Path, dict[tuple[str, str, str], Verdict]] = defaultdict(dict)
        machines: dict[str, Mapping[str, str]] = {}
        for found in self._evidence.values():
            if found.row.verdict.outcome is Outcome.ERROR:
                continue
            key = (found.design, found.row.subject, found.row.claim_id)
            verdicts[found.folder][key] = found.row.verdict
            machines[found.design] = found.machine
        for folder, those in verdicts.items():
            write_text(updated_pins(folder, those, machines), folder / FILE)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the claims table and where the report is."""
        if not self._evidence:
            return
        from lazarus_bench.report.defects import quirks_line
        from lazarus_bench.report.pooling import pool_rows
        from lazarus_bench.report.terminal import amended_line, claims_table, pooled_line
        from lazarus_bench.session.judging import fails, sentence

        # A pipe has no width, so nothing is cut there.
        width = terminalreporter._tw.fullwidth if sys.stdout.isatty() else 400
        rows = [found.row for found in self._evidence.values()]
        terminalreporter.section("claims")
        write = terminalreporter.write_line
        write(shown(claims_table(rows, width)))
        for line in filter(None, (pooled_line(pool_rows(rows), width), amended_line(rows, width))):
            write(shown(line))
        quirks = quirks_line(rows)
        if quirks:
            write(shown(quirks), yellow=True)
        for row in rows:
            # The table leaves open why a test failed, and why there is no number to show.
            wordless = row.subject != PUBLISHED and row.verdict.estimate is None
            if wordless or fails(row, self._options.fail_on):
                write(shown(sentence(row)))
        for file in self.written:
            write(shown(f"written: {file}"))


def broke(report: pytest.TestReport) -> bool:
    """Whether a test failed without a verdict of its own."""
    return report.failed and dict(report.user_properties).get(VERDICT, "error") == "error"


def _evidence(text: str) -> Evidence:
    from lazarus_bench.report.schema import from_dict

    found = json.loads(text)
    about = found["about"]
    return Evidence(
        report=from_dict(found["report"]),
        folder=Path(about["folder"]),
        design=about["design"],
        place=about["place"],
        machine=about["machine"],
    )
