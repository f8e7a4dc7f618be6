"""What the profile leaves out of a selection, said once: also under pytest-xdist.

There the workers collect and the controller prints, so a worker hands the sentence on at its end.
"""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_bench.plugin.parallel import is_controller, is_worker
from lazarus_bench.plugin.stash import LEFT_OUT

KEY = "lazarus_bench_left_out"


def _line(sentence: str) -> str:
    return f"lazarus-bench: {sentence}"


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say it below the number of collected tests."""
    sentence = config.stash.get(LEFT_OUT, None)
    return [] if sentence is None else [_line(sentence)]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand it from a worker to the controller."""
    sentence = session.config.stash.get(LEFT_OUT, None)
    if sentence is not None and is_worker(session.config):
        session.config.workeroutput[KEY] = sentence  # type: ignore[attr-defined]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take it from a worker that is done; all of them collect the same."""
    sentence = getattr(node, "workeroutput", {}).get(KEY)
    if sentence is not None:
        node.config.stash[LEFT_OUT] = sentence


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say it where no collection was shown that it could have followed."""
    sentence = config.stash.get(LEFT_OUT, None)
    if sentence is not None and is_controller(config):
        terminalreporter.write_line(_line(sentence))
