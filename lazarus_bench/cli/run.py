"""`lazarus-bench run`: claims judged without knowing pytest."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lazarus_bench.claims.claim_files import read_claims
from lazarus_bench.claims.folder import claims_folder, installed
from lazarus_bench.cli import terminal
from lazarus_bench.cli.plans import options_of, planned, show_plan
from lazarus_bench.cli.verdicts import records, shown, tally, why
from lazarus_bench.errors import UserError
from lazarus_bench.report import Report, load
from lazarus_bench.session.options import flags
from lazarus_bench.session.selection import select

if TYPE_CHECKING:
    from lazarus_bench.cli.claims_session import Judged


WITHOUT_MODEL = ("profile", "plan", "report", "update_pins", "fail_on")
"""The options that --published can honour; a plan is refused with a sentence of its own."""


def run(options: argparse.Namespace) -> int:
    """Judge the claims that `options` name, or show what that would train.

    Raises:
        UserError: a claim, an option, the store or the report's folder is wrong.
    """
    folder = claims_folder(options.hypotheses)
    with terminal.busy("reading the claims"):
        claims = read_claims(folder)
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
    given = options_of(options)
    for flag in flags():
        asks = flag.name not in WITHOUT_MODEL and getattr(given, flag.name) != flag.default
        if options.published and asks:
            raise UserError(f"--published asks no model: leave {given.flag(flag.name)} out")
    if options.hypotheses is not None or folder != installed():
        return
    if options.update_pins:
        raise UserError(
            f"--update-pins would change the claims that came installed in {folder}: copy that "
            f"folder and name the copy with --hypotheses"
        )
    print(f"lazarus-bench: the claims that came installed, in {folder}", file=sys.stderr)


def judged(options: argparse.Namespace, chosen: Sequence[str], folder: Path) -> Judged:
    """Judge the claims called `chosen`, print their verdicts, and say where the report lies."""
    from lazarus_bench.cli.claims_session import judge

    asked = options_of(options)
    command = shlex.join(["lazarus-bench", *options.arguments])
    done = judge(asked, chosen, folder, command, published=options.published)
    report = None if done.report is None else load(done.report)
    if options.json:
        _print(options, done, report, folder)
    elif done.report is not None and report is not None:
        lines = [*shown(report), "", tally(report.rows), *why(report.rows, asked.fail_on)]
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
