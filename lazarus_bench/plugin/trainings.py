"""The trainings of a session as pytest shows them: the plan, the work, and what is left out."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from lazarus_bench.errors import UserError, shown
from lazarus_bench.session.progress import StatusLine

if TYPE_CHECKING:
    from lazarus_bench.jobs.spec import Job
    from lazarus_bench.session.session import Session

LOCK = ".training.lock"


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of xdist's workers."""
    return hasattr(config, "workerinput")


def speaker(config: pytest.Config) -> Callable[[str], None]:
    """Return what prints a line of ours, if there is a terminal."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")

    def say(line: str) -> None:
        if terminal is not None:
            terminal.write_line(f"lazarus-bench: {shown(line)}")

    return say


def show_plan(config: pytest.Config, bench: Session, jobs: Iterable[Job]) -> None:
    """Print what the selected claims need, what is there, and what the rest will cost."""
    from lazarus_bench.jobs.plan import table

    say = speaker(config)
    plan = bench.plan(jobs, say)
    for sentence in plan.damaged:
        say(sentence)
    if not plan.entries:
        say("the selected claims need no training")
        return
    for line in table(plan).splitlines():
        say(line)
    say(f"{bench.cost(plan)}; the store is {bench.store.root}")


def leave_out(
    config: pytest.Config, bench: Session, lacking: Mapping[pytest.Item, Sequence[Job]], claims: int
) -> None:
    """Skip those of `claims` that lack trainings in the store, and say what is missing.

    Raises:
        UserError: no claim is left that the store could judge.
    """
    from lazarus_bench.jobs.plan import trainings

    left_out = {item: jobs for item, jobs in lacking.items() if jobs}
    if not left_out:
        return
    _say_what_lacks(config, bench, [job for jobs in left_out.values() for job in jobs])
    if len(left_out) == claims:
        flag = bench.options.flag
        raise UserError(
            f"{flag('offline')}: the store {bench.store.root} lacks trainings for every selected "
            f"claim: name another with {flag('store')}, or train without {flag('offline')}"
        )
    for item, jobs in left_out.items():
        names = ", ".join(dict.fromkeys(job.label for job in jobs))
        reason = f"{item.name}: the store lacks {trainings(len(jobs))} ({names})"
        item.add_marker(pytest.mark.skip(reason=reason))


def _say_what_lacks(config: pytest.Config, bench: Session, jobs: Iterable[Job]) -> None:
    from lazarus_bench.jobs.plan import State, groups, trainings

    say, plan = speaker(config), bench.plan(jobs)
    for sentence in plan.damaged:
        say(sentence)
    for group in groups([entry for entry in plan.entries if entry.state is not State.WHOLE]):
        say(f"the store lacks {group.label}: {trainings(group.todo)}")


def train(config: pytest.Config, bench: Session, jobs: Iterable[Job]) -> None:
    """Run what the store lacks, with a line for each training and a live one on a terminal."""
    from lazarus_bench.jobs.locks import hold
    from lazarus_bench.session.session import Watch

    capture = config.pluginmanager.get_plugin("capturemanager")
    unseen = capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()
    # The first of xdist's workers trains; the others then find what it made.
    lock = bench.store.root / LOCK
    single = hold(lock) if is_worker(config) else contextlib.nullcontext()
    lines = StatusLine(speaker(config))
    with unseen, single:
        try:
            _say_if_slow(lines.say)
            bench.train(bench.plan(jobs), Watch(say=lines.say, live=lines.live))
        except KeyboardInterrupt:
            lines.say("interrupted; what is done is kept, run the same command to go on")
            raise
        finally:
            lines.clear()


def _say_if_slow(say: Callable[[str], None]) -> None:
    """Hand the warning of a slow BLAS on as a line: no test is running that could show it."""
    from lazarus_bench import backend

    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        backend.warn_if_slow()
    for warning in found:
        say(str(warning.message))
