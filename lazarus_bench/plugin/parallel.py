"""Under pytest-xdist: who checks the options, who trains, and how a worker says no.

The controller collects nothing, so it checks what needs no claims; a worker cannot end the session
with a usage error, so it asks the controller to stop.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LOCK = ".training.lock"


def is_controller(config: pytest.Config) -> bool:
    """Whether this process hands the tests to xdist's workers."""
    return config.pluginmanager.hasplugin("dsession")


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of xdist's workers."""
    return hasattr(config, "workerinput")


def refuse(session: pytest.Session, message: str) -> Exception:
    """What to raise so that the session ends with `message` and a non-zero exit code."""
    if not is_worker(session.config):
        return pytest.UsageError(message)
    session.shouldfail = message
    return session.Failed(message)


@contextmanager
def alone(store: Path) -> Iterator[None]:
    """Hold the store's lock: the first worker trains, the others then find what it made."""
    import fcntl

    store.mkdir(parents=True, exist_ok=True)
    with (store / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
