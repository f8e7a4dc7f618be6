"""What the session makes of the evidence in its test reports: counts, tables, files, pins."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lazarus_bench.plugin.judging import PROPERTY, new_report, sentence
from lazarus_bench.plugin.options import PUBLISHED, REPORT_FILES, fail_on, report_folder

if TYPE_CHECKING:
    from lazarus_bench.report import Report, Row

LETTERS = {
    "supported": ("s", {"green": True}),
    "refuted": ("r", {"red": True}),
    "inconclusive": ("i", {"yellow": True}),
    "invalid": ("E", {"red": True}),
    "not applicable": ("n", {"yellow": True}),
    "moved": ("M", {"red": True}),
}


class EvidenceCollector:
    """Gathers the evidence that travels in test reports and, at the end, writes what it says."""

    def __init__(self, config: pytest.Config) -> None:
        """Collect for one session; `written` names the report's files once they are there."""
        self._config = config
        self._evidence: list[tuple[dict[str, Any], Report]] = []
        self.written: list[Path] = []

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Count verdicts under their own names in pytest's summary line."""
        from lazarus_bench.session.trial import category

        found = _evidence(report)
        if found is None:
            return None
        name = category(found[1].rows[0])
        letter, markup = LETTERS[name]
        return name, letter, (name.upper(), markup)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the evidence of a finished test."""
        found = _evidence(report)
        if found is not None:
            self._evidence.append(found)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report and the pins, also of a session that was interrupted."""
        if not self._evidence or hasattr(session.config, "workerinput"):
            return
        from lazarus_bench.errors import UserError

        try:
            self._write()
        except UserError as error:
            raise pytest.UsageError(str(error)) from None

    def _write(self) -> None:
        from lazarus_bench.report import render, save, write_pictures, write_text
        from lazarus_bench.report.html import render_html

        report = self._merged()
        published = all(row.subject == PUBLISHED for row in report.rows)
        folder = report_folder(self._config, only_published=published)
        self.written = [folder / name for name in REPORT_FILES]
        save(report, self.written[0])
        write_text(render(report), self.written[1])
        write_text(render_html(report), self.written[2])
        write_pictures(report, folder)
        if self._config.getoption("--lb-update-pins"):
            self._pin()

    def _merged(self) -> Report:
        from lazarus_bench.report import manifest_lines, pool_rows

        self._evidence.sort(key=lambda found: found[0]["place"])
        reports = [report for _, report in self._evidence]
        tables = {(t.title, t.subject): t for r in reports for t in r.lens_tables}
        curves = {(c.title, c.subject): c for r in reports for c in r.curves}
        layers = {(c.title, c.subject): c for r in reports for c in r.layer_curves}
        heatmaps = {(h.title, h.subject): h for r in reports for h in r.heatmaps}
        scatters = {(s.title, s.subject): s for r in reports for s in r.scatters}
        jobs = {job.digest: job for r in reports for job in r.jobs}
        rows = tuple(row for r in reports for row in r.rows)
        return new_report(
            self._config,
            profile=reports[0].profile,
            manifest=_manifest(models=bool(jobs))
            | dict(reports[0].manifest)
            | manifest_lines(rows),
            rows=rows,
            lens_tables=tuple(tables.values()),
            curves=tuple(curves.values()),
            layer_curves=tuple(layers.values()),
            heatmaps=tuple(heatmaps.values()),
            scatters=tuple(scatters.values()),
            pooled=pool_rows(rows),
            jobs=tuple(jobs.values()),
        )

    def _pin(self) -> None:
        from lazarus_bench.claims.pins import pin_of, update_pins

        for folder in {about["folder"] for about, _ in self._evidence}:
            verdicts = {
                (about["profile"], row.subject, row.claim_id): pin_of(row.verdict)
                for about, report in self._evidence
                for row in report.rows
                if about["folder"] == folder
            }
            update_pins(Path(folder), verdicts)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the claims table and where the report lies."""
        if not self._evidence:
            return
        from lazarus_bench.report import (
            amended_line,
            claims_table,
            pool_rows,
            pooled_line,
            quirks_line,
        )

        rows = [row for _, report in self._evidence for row in report.rows]
        terminalreporter.section("claims")
        terminalreporter.write_line(claims_table(rows, _width(terminalreporter)))
        pooled = pooled_line(pool_rows(rows), _width(terminalreporter))
        for line in filter(None, (pooled, amended_line(rows, _width(terminalreporter)))):
            terminalreporter.write_line(line)
        quirks = quirks_line(rows)
        if quirks:
            terminalreporter.write_line(quirks, yellow=True)
        for row in rows:
            if _asks_for_words(row, self._config):
                terminalreporter.write_line(sentence(row))
        for file in self.written:
            terminalreporter.write_line(f"written: {file}")


def _asks_for_words(row: Row, config: pytest.Config) -> bool:
    """Whether the table's line leaves open why: the test failed, or there is no number to show."""
    from lazarus_bench.session.trial import fails

    wordless = row.subject != PUBLISHED and row.verdict.estimate is None
    return wordless or fails(row, fail_on(config))


def _width(terminal: pytest.TerminalReporter) -> int:
    """The terminal's width; a pipe has none, so nothing is cut there."""
    return terminal._tw.fullwidth if sys.stdout.isatty() else 400


def _manifest(models: bool) -> dict[str, str]:
    if models:
        from lazarus_bench import backend

        return backend.manifest().as_strings()
    from lazarus_bench.versions import versions

    return versions()


def _evidence(report: pytest.TestReport) -> tuple[dict[str, Any], Report] | None:
    from lazarus_bench.report.schema import from_dict

    # A file that cannot be collected is reported too, and has no properties.
    for name, value in getattr(report, "user_properties", ()):
        if name == PROPERTY and report.when == "call":
            about, evidence = json.loads(str(value))
            return about, from_dict(evidence)
    return None
