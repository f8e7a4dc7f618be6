"""The claims judged by pytest in this process, for who does not know pytest.

Pytest's own reporter is replaced, so that a run shows what is trained and judged and nothing of
pytest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Generator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.plugin.collector import broke
from lazarus_bench.plugin.hooks import (
    COMMAND,
    LEFT_OUT,
    OPTIONS,
    PRINTED_ALONE,
    claim_of,
    subject_of,
)
from lazarus_bench.session.options import Options
from lazarus_bench.session.progress import StatusLine

MOVED = 1
BROKEN = 3

MODELS = "slow or without_model"
WITHOUT_MODEL = "without_model"
"""The marker of claims that are asked of no model."""

REPORTER = "terminalreporter"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What came of a session: an exit code, and the report where one was written."""

    code: int
    report: Path | None


def judge(
    options: Options, chosen: Collection[str], folder: Path, command: str, *, published: bool
) -> Judged:
    """Judge the claims with the ids `chosen` among those in `folder`, as `options` ask.

    `command` is how the user asked for it; with `published` no model is judged.

    Raises:
        UserError: an option is wrong, or nothing is left to judge.
        KeyboardInterrupt: the user interrupted; what was judged is in the report.
    """
    session = _Session(options, chosen, command, published=published)
    # Pytest's arguments: no settings of its own, and no option of ours.
    where = ["-c", os.devnull, "--rootdir", str(folder), str(folder)]
    plain = ["-p", "no:cacheprovider", "-p", "no:terminalprogress", "-p", "no:benchmark"]
    which = ["-m", "not slow" if published else MODELS]
    # What pytest or a library prints belongs to the progress; standard output is the result's.
    with redirect_stdout(sys.stderr):
        status = pytest.main([*where, *plain, *which], plugins=[session])
    session.lines.clear()
    return Judged(code=session.code(status), report=session.report)


class _Session:
    """A pytest plugin that keeps the chosen claims alone and speaks in pytest's place."""

    def __init__(
        self, options: Options, chosen: Collection[str], command: str, *, published: bool
    ) -> None:
        self._options, self._command, self._published = options, command, published
        self._chosen = frozenset(chosen)
        self._names: dict[str, str] = {}
        self._begun = 0
        self._left_out: str | None = None
        self._mistakes: list[str] = []
        self._broken = self._interrupted = False
        self._warned: set[str] = set()
        self.lines = StatusLine()
        self.report: Path | None = None

    def code(self, status: int) -> int:
        """The command's exit code.

        Raises:
            UserError: a claim file cannot be read, or nothing was left to judge.
            KeyboardInterrupt: the user interrupted.
        """
        if self._mistakes:
            raise UserError(self._mistakes[0])
        if self._interrupted:
            raise KeyboardInterrupt
        if status == pytest.ExitCode.NO_TESTS_COLLECTED:
            raise UserError(self._left_out or "no chosen claim has anything to judge here")
        if self._broken or status == pytest.ExitCode.INTERNAL_ERROR:
            return BROKEN
        return MOVED if status else 0

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Take the reporter's place, once it is there."""
        config.addinivalue_line("markers", f"{WITHOUT_MODEL}: a claim that is asked of no model")
        theirs = config.pluginmanager.get_plugin(REPORTER)
        if theirs is not None:
            config.pluginmanager.unregister(theirs)
            config.pluginmanager.register(_Reporter(self.lines, theirs), REPORTER)

    @pytest.hookimpl(wrapper=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Generator[None, Any, Any]:
        """Hand the options to the plugin, and a refusal on as the command line's own."""
        config.stash[OPTIONS], config.stash[COMMAND] = self._options, self._command
        config.stash[PRINTED_ALONE] = self._published
        try:
            return (yield)
        except pytest.UsageError as error:
            raise UserError(str(error)) from error

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Mark the claims that are asked of no model."""
        claim = claim_of(item)
        if claim is not None and not claim.subjects:
            item.add_marker(WITHOUT_MODEL)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep the claims that were chosen."""
        dropped = [item for item in items if not self._wants(item)]
        if dropped:
            config.hook.pytest_deselected(items=dropped)
            items[:] = filter(self._wants, items)

    def _wants(self, item: pytest.Item) -> bool:
        claim = claim_of(item)
        return claim is not None and claim.id in self._chosen

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what will be judged, and say what the profile leaves out."""
        for item in session.items:
            claim = claim_of(item)
            if claim is not None:
                self._names[item.nodeid] = f"{claim.id} on {subject_of(item)}"
        self._left_out = session.config.stash.get(LEFT_OUT, None)
        if self._left_out and session.items:
            self.lines.say(f"lazarus-bench: {self._left_out}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what is wrong with a claim file."""
        if report.failed:
            self._mistakes.append(str(report.longrepr))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Show what is being judged."""
        self._begun += 1
        name = self._names.get(nodeid, nodeid)
        self.lines.live(f"judging {self._begun}/{len(self._names)}: {name}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Show the trace of a claim whose own code broke; a verdict that fails is no such thing."""
        if broke(report):
            self._broken = True
            name = self._names.get(report.nodeid, report.nodeid)
            self.lines.say(f"{report.longrepr}\nlazarus-bench: {name} broke, as shown above")

    def pytest_warning_recorded(self, warning_message: Any) -> None:
        """Hand a warning that is meant for the user on, once."""
        text, category = str(warning_message.message), warning_message.category
        ours = issubclass(category, UserWarning) and not issubclass(category, pytest.PytestWarning)
        if ours and text not in self._warned:
            self._warned.add(text)
            self.lines.say(f"lazarus-bench: warning: {text}")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Tell the user's interrupt from pytest's own, which ends a collection with mistakes."""
        self._interrupted = not isinstance(excinfo.value, pytest.Session.Interrupted)

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, Any, None]:
        """Note where the report lies, once it is written."""
        yield
        collector = session.config.pluginmanager.get_plugin("lazarus_bench_evidence")
        if collector is not None and collector.written:
            self.report = collector.written[0]


class _Reporter:
    """The little of pytest's terminal reporter that plugins use."""

    def __init__(self, lines: StatusLine, theirs: Any) -> None:
        self._lines = lines
        self._tw = theirs._tw  # pytest hands it out to whoever asks for a terminal writer

    def write_line(self, line: str, **_: bool) -> None:
        self._lines.say(line)
