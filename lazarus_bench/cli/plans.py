"""What claims would train: the session that the options ask for, and its plan, shown."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lazarus_bench.cli import terminal
from lazarus_bench.report.printed import columns
from lazarus_bench.session.options import Options, flags
from lazarus_bench.session.selection import put_to_models

if TYPE_CHECKING:
    from lazarus_bench.claims.claim import Claim
    from lazarus_bench.jobs.plan import Entry, Plan
    from lazarus_bench.session.session import Session


def options_of(parsed: argparse.Namespace) -> Options:
    """The session's options among those of a command; a command need not have them all.

    Raises:
        UserError: one of them is wrong.
    """
    given = vars(parsed)
    return Options(**{name: given[name] for flag in flags() if (name := flag.name) in given})


def session_of(options: argparse.Namespace) -> Session:
    """The session that the options ask for.

    Raises:
        UserError: one of them is wrong.
    """
    from lazarus_bench.session.session import Session

    return Session(options_of(options))


def planned(
    options: argparse.Namespace, chosen: Sequence[Claim], claims: Sequence[Claim]
) -> tuple[Session, Plan]:
    """What the `chosen` ones of all `claims` train, and what the store has of it.

    Raises:
        UserError: an option or a model is wrong.
    """
    session = session_of(options)
    for name in options.model:
        session.subject(name)
    trials = put_to_models(chosen, claims, options.model, options.profile)
    return session, session.plan(job for trial in trials for job in trial.plan(session))


def show_plan(options: argparse.Namespace, session: Session, plan: Plan) -> None:
    """Print a plan: a line for each training over its seeds, and what it costs."""
    if options.json:
        _print(session, plan)
        return
    if not plan.entries:
        terminal.write("the chosen claims need no training")
        return
    room = terminal.width()
    end = f"{session.cost(plan)}; the store is {session.store.root}"
    notes = (terminal.folded(line, room) for line in plan.damaged)
    terminal.write("\n".join([*notes, _fitted(plan, room), "", terminal.folded(end, room)]))


def _fitted(plan: Plan, room: int) -> str:
    """The plan's table; where it has no room, with its names cut and not its counts."""
    from lazarus_bench.jobs.plan import HEADS, rows, table

    shown = table(plan)
    if columns(shown.splitlines()[0]) <= room:
        return shown
    return terminal.table(HEADS, rows(plan), room, kept=4)


def _print(session: Session, plan: Plan) -> None:
    document = {
        "schema": 1,
        "kind": "plan",
        "store": str(session.store.root),
        "trainings": [training(entry, session) for entry in plan.entries],
        "to_run": len(plan.todo),
        "seconds": plan.seconds(session.workers),
        "workers": session.workers,
    }
    terminal.write(json.dumps(document, indent=1, ensure_ascii=False), as_json=True)


def training(entry: Entry, session: Session) -> dict[str, Any]:
    """One training of a plan; `seconds` is what it took, or will take."""
    return {
        "label": entry.job.label,
        "seed": entry.job.seed,
        "digest": entry.job.digest,
        "state": entry.state.value,
        "seconds": entry.seconds,
        "directory": str(session.store.path(entry.job)),
    }
