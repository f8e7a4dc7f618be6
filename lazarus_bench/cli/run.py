"""`lazarus-bench run`: claims judged without knowing pytest."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lazarus_bench.claims.claim_files import read_records
from lazarus_bench.claims.folder import claims_folder, installed
from lazarus_bench.cli import terminal
from lazarus_bench.cli.plans import planned, show_plan
from lazarus_bench.cli.verdicts import records, shown, tally, why
from lazarus_bench.errors import UserError
from lazarus_bench.report import Report, load
from lazarus_bench.session.selection import select
from lazarus_bench.session.trial import FAILABLE

if TYPE_CHECKING:
    from lazarus_bench.cli.claims_session import Judged


IDLE: Mapping[str, Any] = {
    "model": [],
    "data": [],
    "seeds": None,
    "store": None,
    "offline": False,
    "workers": None,
    "scheduler": None,
    "ranks": 1,
    "hosts": None,
    "fresh_readings": False,
}
"""Flags that --published cannot honour, and what they are where they are not given."""


def run(options: argparse.Namespace) -> int:
    """Judge the claims that `options` name, or show what that would train.

    Raises:
        UserError: a claim, an option, the store or the report's folder is wrong.
    """
    folder = claims_folder(options.hypotheses)
    with terminal.busy("reading the claims"):
        claims = read_records(folder)
    chosen = select(claims, options.claims)
    check(options, folder)
    if options.plan:
        show_plan(options, *planned(options, chosen, claims))
        return 0
    return judged(options, [claim.id for claim in chosen], folder).code


def check(options: argparse.Namespace, folder: Path) -> None:
    """Make sure that the options go together, and say where claims come from that are not here.

    Raises:
        UserError: two exclude each other, or the verdicts on record are not the user's.
    """
    if options.published and options.plan:
        raise UserError("--published trains nothing, so there is no plan: leave --plan out")
    _check_published(options)
    _check_fail_on(options.fail_on)
    if options.hypotheses is not None or folder != installed():
        return
    if options.update_pins:
        raise UserError(
            f"--update-pins would change the claims that came installed in {folder}: copy that "
            f"folder and name the copy with --hypotheses"
        )
    print(f"lazarus-bench: the claims that came installed, in {folder}", file=sys.stderr)


def _check_published(options: argparse.Namespace) -> None:
    for name, unset in IDLE.items():
        if options.published and getattr(options, name) != unset:
            raise UserError(f"--published asks no model: leave --{name.replace('_', '-')} out")


def _check_fail_on(given: str) -> None:
    """The plugin refuses the same, but a plan never comes so far."""
    for name in given.split(","):
        if name.strip() not in (*FAILABLE, "none"):
            known = ", ".join((*FAILABLE, "none"))
            raise UserError(f"--fail-on {name!r} is unknown: choose from {known}")


def judged(options: argparse.Namespace, chosen: Sequence[str], folder: Path) -> Judged:
    """Judge the claims called `chosen`, print their verdicts, and say where the report lies."""
    from lazarus_bench.cli.claims_session import judge

    done = judge(options, chosen, folder)
    report = None if done.report is None else load(done.report)
    if options.json:
        _print(options, done, report, folder)
    elif done.report is not None and report is not None:
        fails = tuple(name.strip() for name in options.fail_on.split(","))
        lines = [*shown(report), "", tally(report.rows), *why(report.rows, fails)]
        terminal.write("\n".join([*lines, f"written: {done.report.with_suffix('.html')}"]))
    return done


def _print(options: argparse.Namespace, done: Judged, report: Report | None, folder: Path) -> None:
    """Print what came of a session as one JSON document."""
    document = {
        "schema": 1,
        "kind": options.command,
        "hypotheses": str(folder),
        "exit_code": done.code,
        "report": None if done.report is None else str(done.report),
        "verdicts": records(report),
    }
    terminal.write(json.dumps(document, indent=1, ensure_ascii=False), as_json=True)
