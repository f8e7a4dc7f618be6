"""The plugin's second half: from a judged claim to pytest's summary, the report and the pins."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lazarus_bench.stash import SESSION, TRIAL, UNATTAINABLE

if TYPE_CHECKING:
    from lazarus_bench.judge import Verdict
    from lazarus_bench.report.schema import Report, Row
    from lazarus_bench.trial import Trial

PROPERTY = "lazarus_bench"
PUBLISHED = "published"
LETTERS = {
    "supported": ("s", {"green": True}),
    "refuted": ("r", {"red": True}),
    "inconclusive": ("i", {"yellow": True}),
    "invalid": ("E", {"red": True}),
    "not applicable": ("n", {"yellow": True}),
    "moved": ("M", {"red": True}),
}


def fail_on(config: pytest.Config) -> tuple[str, ...]:
    """The statuses that set the exit code.

    Raises:
        UserError: `--lb-fail-on` names an unknown one.
    """
    from lazarus_bench.errors import UserError
    from lazarus_bench.trial import FAILABLE

    chosen = tuple(str(config.getoption("--lb-fail-on")).split(","))
    if chosen == ("none",):
        return ()
    for name in chosen:
        if name not in FAILABLE:
            known = ", ".join((*FAILABLE, "none"))
            raise UserError(f"--lb-fail-on {name!r} is unknown: choose from {known}")
    return chosen


def check_options(config: pytest.Config) -> None:
    """Make sure, before anything is trained, that the report can be written.

    Raises:
        UserError: `--lb-fail-on` is unknown, or the report's folder cannot be written.
    """
    from lazarus_bench.errors import UserError

    fail_on(config)
    folder = Path(config.getoption("--lb-report")).absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "may not be written" if there.is_dir() else "is a file"
        raise UserError(f"--lb-report {folder}: {there} {why}; name another folder")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Judge a claim: the published numbers without its test, a model by running it."""
    trial = pyfuncitem.stash.get(TRIAL, None)
    if trial is None:
        return None
    start = time.perf_counter()
    verdict = _verdict(pyfuncitem, trial)
    row = _row(pyfuncitem, trial, verdict, time.perf_counter() - start)
    _attach(pyfuncitem, trial, row)
    from lazarus_bench.trial import fails

    if fails(row, fail_on(pyfuncitem.config)):
        pytest.fail(_sentence(row), pytrace=False)
    return True


def _verdict(item: pytest.Function, trial: Trial) -> Verdict:
    from lazarus_bench.claims import FINDINGS
    from lazarus_bench.trial import judge_published, undecidable

    if item.callspec.params["subject"] == PUBLISHED:
        return judge_published(trial.claim, FINDINGS[trial.claim.id], trial.family_size)
    if UNATTAINABLE in item.stash:
        return undecidable(trial.claim, item.stash[UNATTAINABLE], trial.family_size)
    return _asked(item, trial)


def _asked(item: pytest.Function, trial: Trial) -> Verdict:
    from lazarus_bench.errors import NotApplicable, UserError
    from lazarus_bench.judge import not_applicable
    from lazarus_bench.trial import invalid

    names = item._fixtureinfo.argnames
    try:
        item.obj(**{name: item.funcargs[name] for name in names})
    except NotApplicable as reason:
        return not_applicable(trial.claim.region, str(reason))
    except UserError as error:
        return invalid(trial.claim, str(error), trial.family_size)
    if trial.verdict is None:
        pytest.fail(f"{trial.claim.id}: its test ended without calling judge(...)", pytrace=False)
    return trial.verdict


def _row(item: pytest.Function, trial: Trial, verdict: Verdict, seconds: float) -> Row:
    from lazarus_bench.claims import FINDINGS
    from lazarus_bench.trial import judge_published, make_row, published_secondary

    name = str(item.callspec.params["subject"])
    finding = FINDINGS[trial.claim.id]
    published = name == PUBLISHED
    return make_row(
        trial.claim,
        name,
        verdict,
        verdict if published else judge_published(trial.claim, finding, trial.family_size),
        pinned=_pin(item, name, trial.claim.id),
        secondary=published_secondary(finding, trial.family_size) if published else trial.secondary,
        digests=[] if published else [job.digest for job in _jobs_of(item, trial, name)],
        seconds=seconds,
    )


def _jobs_of(item: pytest.Function, trial: Trial, name: str) -> list[Any]:
    if UNATTAINABLE in item.stash:
        return []
    return list(item.config.stash[SESSION].needed(trial.claim, name))


def _profile(item: pytest.Function, name: str) -> str:
    from lazarus_bench.profiles import PROFILES

    if name == PUBLISHED:
        return PUBLISHED
    profile = item.config.stash[SESSION].profile
    standard = PROFILES[profile.name] == profile
    return profile.name if standard else f"{profile.name}, {profile.seeds} seeds"


def _pin(item: pytest.Function, name: str, claim_id: str) -> str | None:
    from lazarus_bench.pins import pinned, read_pins

    if item.config.getoption("--lb-update-pins"):
        return None
    return pinned(read_pins(item.path.parent), _profile(item, name), name, claim_id)


def _attach(item: pytest.Function, trial: Trial, row: Row) -> None:
    from lazarus_bench.report.schema import to_dict

    bench = item.config.stash[SESSION]
    jobs = [] if row.subject == PUBLISHED else _jobs_of(item, trial, row.subject)
    evidence = _report(
        item.config,
        profile=bench.profile.name,
        rows=(row,),
        lens_tables=tuple(trial.tables),
        jobs=bench.job_rows(jobs),
    )
    about = {
        "folder": str(item.path.parent),
        "profile": _profile(item, row.subject),
        "place": item.session.items.index(item),
    }
    item.user_properties.append((PROPERTY, json.dumps([about, to_dict(evidence)])))


def _report(config: pytest.Config, manifest: dict[str, str] | None = None, **parts: Any) -> Report:
    from lazarus_bench.report.schema import Report

    return Report(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=_command(config),
        manifest=manifest or {},
        **parts,
    )


def _command(config: pytest.Config) -> str:
    return " ".join(["pytest", *map(str, config.invocation_params.args)])


def _sentence(row: Row) -> str:
    from lazarus_bench.trial import category

    moved = f"moved from {row.pinned} to " if category(row) == "moved" else ""
    return f"{row.claim_id} on {row.subject}: {moved}{row.verdict.outcome}: {row.verdict.reason}"


class EvidenceCollector:
    """Gathers the evidence that travels in test reports and, at the end, writes what it says."""

    def __init__(self, config: pytest.Config) -> None:
        """Collect for one session."""
        self._config = config
        self._evidence: list[tuple[dict[str, Any], Report]] = []
        self._written: list[Path] = []

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Count verdicts under their own names in pytest's summary line."""
        from lazarus_bench.trial import category

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
        from lazarus_bench.report import render, save
        from lazarus_bench.report.schema import write_text

        report = self._merged()
        folder = Path(self._config.getoption("--lb-report"))
        self._written = [folder / "report.json", folder / "report.md"]
        save(report, self._written[0])
        write_text(render(report), self._written[1])
        if self._config.getoption("--lb-update-pins"):
            self._pin()

    def _merged(self) -> Report:
        self._evidence.sort(key=lambda found: found[0]["place"])
        reports = [report for _, report in self._evidence]
        tables = {(t.title, t.subject): t for r in reports for t in r.lens_tables}
        jobs = {job.digest: job for r in reports for job in r.jobs}
        return _report(
            self._config,
            profile=reports[0].profile,
            manifest=_manifest(models=bool(jobs)),
            rows=tuple(row for r in reports for row in r.rows),
            lens_tables=tuple(tables.values()),
            jobs=tuple(jobs.values()),
        )

    def _pin(self) -> None:
        from lazarus_bench.pins import update_pins

        for folder in {about["folder"] for about, _ in self._evidence}:
            verdicts = {
                (about["profile"], row.subject, row.claim_id): row.verdict.outcome.value
                for about, report in self._evidence
                for row in report.rows
                if about["folder"] == folder
            }
            update_pins(Path(folder), verdicts)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the claims table and where the report lies."""
        if not self._evidence:
            return
        from lazarus_bench.report import claims_table

        rows = [row for _, report in self._evidence for row in report.rows]
        terminalreporter.section("claims")
        terminalreporter.write_line(claims_table(rows, _width(terminalreporter)))
        for row in rows:
            if _asks_for_words(row, self._config):
                terminalreporter.write_line(_sentence(row))
        for file in self._written:
            terminalreporter.write_line(f"written: {file}")


def _asks_for_words(row: Row, config: pytest.Config) -> bool:
    """Whether the table's line leaves open why: the test failed, or there is no number to show."""
    from lazarus_bench.trial import fails

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
