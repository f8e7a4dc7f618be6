"""Reading ahead: a second process measures for the claims from the last one backwards.

What models say is kept in the store as soon as it is read, so two processes that begin at either
end meet in the middle, and neither reads what the other has. The second one judges for nobody: it
collects the models' claims alone, trains nothing, writes no report, and the session's own process
reads whatever it did not.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lazarus_bench.plugin.trainings import is_worker
from lazarus_bench.private import python_module

if TYPE_CHECKING:
    from lazarus_bench.session.session import Session

ENOUGH = 8
"""Models' claims from which on a second process is started: it takes some four seconds to begin."""

VARIABLE = "LAZARUS_BENCH_READER_OF"
"""In the second process: the process number of the first, without which it ends, and options."""

PATIENCE = 5.0
"""Seconds that the second process has to put down what it is writing."""


def is_reader() -> bool:
    """Whether this process only reads ahead."""
    return VARIABLE in os.environ


def stop_if_left() -> None:
    """End the second process, between two claims, when the first one has ended by itself."""
    if is_reader() and os.getppid() != json.loads(os.environ[VARIABLE])["process"]:
        os._exit(0)


def options_of_reader() -> dict[str, Any]:
    """In the second process: the options that the first one handed on, as plain values."""
    found: dict[str, Any] = json.loads(os.environ[VARIABLE])["options"]
    return found


@contextlib.contextmanager
def reading_ahead(
    config: pytest.Config, bench: Session, claims: Sequence[pytest.Item]
) -> Iterator[bool]:
    """Run a second process that measures ahead for these models' `claims`; yield whether it runs.

    It runs if the claims are many, no measurements by this code are kept or something was just
    trained, the models are the lab's (two processes hold two models), and a core is free.
    """
    if len(claims) < ENOUGH or is_reader() or is_worker(config) or not bench.reads_ahead:
        yield False
        return
    # It trains nothing, and these claims' names are given from the last one on.
    own: dict[str, Any] = {"store": bench.store.root, "offline": True, "update_pins": False}
    options = replace(bench.options, **own, until_decided=False, budget=None).plain()
    names = [f"{config.rootpath / item.nodeid}" for item in reversed(claims)]
    reader = subprocess.Popen(
        [*python_module("pytest"), "--rootdir", str(config.rootpath), *names],
        cwd=config.invocation_params.dir,
        env={**os.environ, VARIABLE: json.dumps({"process": os.getpid(), "options": options})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield True
    finally:
        reader.terminate()
        try:
            reader.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            reader.kill()
            reader.wait()
