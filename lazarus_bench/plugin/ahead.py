"""Reading ahead: a second process takes the claims' readings from the last claim on.

What models say is kept in the store as soon as it is read, so two processes that begin at either
end meet in the middle, and neither reads what the other has. The second one judges for nobody: it
collects the models' claims alone, trains nothing, writes no report, and the session's own process
reads whatever it did not.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

from lazarus_bench.plugin.parallel import is_worker

if TYPE_CHECKING:
    from lazarus_bench.session.session import Session

ENOUGH = 8
"""Models' claims from which on a second process is started: it takes some four seconds to begin."""

VARIABLE = "LAZARUS_BENCH_READER_OF"
"""In the second process: the process number of the first, without which it ends."""

REPEATED = ("--lb-model", "--lb-data")
GIVEN = ("--lb-profile", "--lb-seeds")
"""Options that decide what is read; no other one is handed on."""

PATIENCE = 5.0
"""Seconds that the second process has to put down what it is writing."""


def is_reader() -> bool:
    """Whether this process only reads ahead."""
    return VARIABLE in os.environ


def stop_if_left() -> None:
    """End the second process, between two claims, when the first one has ended by itself."""
    if is_reader() and os.getppid() != int(os.environ[VARIABLE]):
        os._exit(0)


@contextlib.contextmanager
def reading_ahead(
    config: pytest.Config, bench: Session, claims: Sequence[pytest.Item]
) -> Iterator[bool]:
    """Keep a second process reading for these models' `claims`; whether there is one.

    There is, where the claims are many, nothing is kept of readings by this code or something was
    trained just now, the models are the lab's (two processes hold two models), and a core is free.
    """
    if len(claims) < ENOUGH or is_reader() or is_worker(config) or not bench.reads_ahead:
        yield False
        return
    reader = subprocess.Popen(
        command(config, bench, claims),
        cwd=config.invocation_params.dir,
        env={**os.environ, VARIABLE: str(os.getpid())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield True
    finally:
        _end(reader)


def command(config: pytest.Config, bench: Session, claims: Sequence[pytest.Item]) -> list[str]:
    """The second process's own command line: these claims by name, the last one first."""
    names = [f"{config.rootpath / item.nodeid}" for item in reversed(claims)]
    own = [f"{name}={config.getoption(name)}" for name in GIVEN if config.getoption(name)]
    own += [f"{name}={word}" for name in REPEATED for word in config.getoption(name)]
    where = ["--rootdir", str(config.rootpath), f"--lb-store={bench.store.root}", "--lb-offline"]
    return [sys.executable, "-m", "pytest", *where, *own, *names]


def _end(reader: subprocess.Popen[bytes]) -> None:
    reader.terminate()
    try:
        reader.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        reader.kill()
        reader.wait()
