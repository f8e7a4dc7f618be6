"""Reading ahead: a second process takes the claims' readings from the last claim on.

What models say is kept in the store as soon as it is read, so two processes that begin at either
end meet in the middle, and neither reads what the other has. The second one judges for nobody: it
writes no report, and the session's own process reads whatever it did not.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lazarus_bench.plugin.parallel import is_worker

if TYPE_CHECKING:
    from lazarus_bench.trials.session import Session

ENOUGH = 8
"""Models' claims from which on starting a second process pays."""

ONLY_READ = ("--lb-offline", "-p", "no:cacheprovider", "-p", "no:junitxml")
"""The second process trains nothing and leaves no file of pytest's own."""

VARIABLE = "LAZARUS_BENCH_READER_OF"
"""In the second process: the process number of the first, without which it ends."""


def is_reader() -> bool:
    """Whether this process only reads ahead."""
    return VARIABLE in os.environ


def in_its_order(items: list[pytest.Item]) -> None:
    """Turn the order of the tests round in the second process."""
    if is_reader():
        items.reverse()


def stop_if_left() -> None:
    """End the second process when the first has ended, however that came about."""
    if is_reader() and os.getppid() != int(os.environ[VARIABLE]):
        os._exit(0)


@contextlib.contextmanager
def reading_ahead(config: pytest.Config, bench: Session, claims: int) -> Iterator[None]:
    """Keep a second process reading, where there are many `claims` and most is yet to be read."""
    if claims < ENOUGH or is_reader() or is_worker(config) or not bench.reads_ahead:
        yield
        return
    reader = subprocess.Popen(
        [sys.executable, "-m", "pytest", *map(str, config.invocation_params.args), *ONLY_READ],
        cwd=config.invocation_params.dir,
        env={**os.environ, VARIABLE: str(os.getpid())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        reader.kill()
        reader.wait()
