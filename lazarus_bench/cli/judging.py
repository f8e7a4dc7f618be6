"""Claims put to the models a command asks for: the plan of trainings, or the verdicts."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lazarus_bench.claims.claim import Claim
from lazarus_bench.claims.claim_files import read_claims
from lazarus_bench.claims.folder import installed
from lazarus_bench.cli import terminal
from lazarus_bench.cli.flags import CommandLine
from lazarus_bench.cli.inputs import claims_at
from lazarus_bench.errors import UserError, say
from lazarus_bench.figures.tables import table, wrapped
from lazarus_bench.judge import Outcome
from lazarus_bench.report import wording
from lazarus_bench.report.defects import quirks_line
from lazarus_bench.report.printed import columns
from lazarus_bench.report.schema import Report, Row, load
from lazarus_bench.report.terminal import amended_line, claims_table, pooled_line
from lazarus_bench.session.judging import category, fails, put_to_models, sentence
from lazarus_bench.session.options import MOVED, Options

if TYPE_CHECKING:
    from lazarus_bench.cli.claims_session import Judged
    from lazarus_bench.jobs.plan import Entry
    from lazarus_bench.session.session import Session

WITHOUT_MODEL = ("profile", "plan", "report", "update_pins", "fail_on")
"""The options that --published can honour; a plan is refused with a sentence of its own."""

OUTCOMES = (*(outcome.value for outcome in Outcome), MOVED)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A folder of claims; `named` where the user gave it."""

    folder: Path
    claims: tuple[Claim, ...]
    named: bool


def study(hypotheses: Path | None) -> Study:
    """The claims of a folder, by default those at hand."""
    folder = claims_at(hypotheses)
    with terminal.busy("reading the claims"):
        claims = read_claims(folder)
    return Study(folder=folder, claims=claims, named=hypotheses is not None)


def judge(
    asked: Options,
    of: Study,
    chosen: Sequence[Claim],
    line: CommandLine,
    *,
    published: bool,
    as_json: bool,
) -> Judged | None:
    """Judge the `chosen` claims and print their verdicts, or print the plan and return None."""
    _check(asked, of, published=published)
    if asked.plan:
        _show_plan(asked, chosen, of.claims, as_json=as_json)
        return None
    from lazarus_bench.cli import claims_session

    ids = [claim.id for claim in chosen]
    done = claims_session.judge(asked, ids, of.folder, str(line), published=published)
    report = None if done.report is None else load(done.report)
    if as_json:
        terminal.write_document(
            line.command,
            hypotheses=str(of.folder),
            exit_code=done.code,
            report=None if done.report is None else str(done.report),
            verdicts=[] if report is None else [record(row) for row in report.rows],
        )
    elif done.report is not None and report is not None:
        lines = [*shown(report), "", tally(report.rows), *why(report.rows, asked.fail_on)]
        terminal.write("\n".join([*lines, f"written: {done.report.with_suffix('.html')}"]))
    return done


def _check(asked: Options, of: Study, *, published: bool) -> None:
    """Make sure that the options go together, and say where installed claims come from."""
    if published and asked.plan:
        raise UserError("--published trains nothing, so there is no plan: leave --plan out")
    for item in fields(Options):
        needs_model = item.name not in WITHOUT_MODEL
        if published and needs_model and getattr(asked, item.name) != item.default:
            raise UserError(f"--published uses no model: leave {asked.flag(item.name)} out")
    if of.named or of.folder != installed():
        return
    if asked.update_pins:
        raise UserError(
            f"--update-pins would change the claims that were installed in {of.folder}: copy that "
            f"folder and name the copy with --hypotheses"
        )
    say(f"judging the installed claims in {of.folder}")


def _show_plan(
    asked: Options, chosen: Sequence[Claim], claims: Sequence[Claim], *, as_json: bool
) -> None:
    """Print what the `chosen` ones of all `claims` train: a line a training, and what it costs."""
    from lazarus_bench.jobs import plan as plans
    from lazarus_bench.session.session import Session

    session = Session(asked)
    for name in asked.model:
        session.subject(name)
    for said in session.notes:
        say(said)
    trials = put_to_models(chosen, claims, asked.model, asked.profile)
    plan = session.plan((job for trial in trials for job in trial.plan(session)), say)
    if as_json:
        terminal.write_document(
            "plan",
            store=str(session.store.root),
            trainings=[training(entry, session) for entry in plan.entries],
            to_run=len(plan.todo),
            seconds=plan.seconds(session.workers(plan)),
            workers=session.workers(plan),
        )
        return
    if not plan.entries:
        terminal.write("the chosen claims need no training")
        return
    room, fitted = terminal.width(), plans.table(plan)
    if columns(fitted.splitlines()[0]) > room:
        # Names are cut, counts are not.
        fitted = table(plans.HEADS, plans.rows(plan), room, kept=4)
    end = f"{session.cost(plan)}; the store is {session.store.root}"
    notes = (terminal.folded(line, room) for line in plan.damaged)
    terminal.write("\n".join([*notes, fitted, "", terminal.folded(end, room)]))


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


def shown(report: Report, rows: Sequence[Row] | None = None) -> list[str]:
    """The table of `rows`, by default all, and what is pooled, amended or defective in them."""
    rows, room = report.rows if rows is None else rows, terminal.width()
    ids = {row.claim_id for row in rows}
    pooled = [item for item in report.pooled if item.claim_id in ids]
    notes = (pooled_line(pooled, room), amended_line(rows, room), quirks_line(rows))
    return [claims_table(rows, room), *(wrapped(note, room) for note in notes if note)]


def tally(rows: Iterable[Row]) -> str:
    """Count the verdicts: "12 supported, 3 refuted, 1 moved"."""
    found = Counter(category(row) for row in rows)
    return ", ".join(f"{found[name]} {name}" for name in OUTCOMES if found[name]) or "no verdicts"


def why(rows: Iterable[Row], fail_on: Sequence[str] = (MOVED,)) -> list[str]:
    """A sentence on each row that sets the exit code, in lines that fit."""
    room = max(terminal.width(), 20)
    sentences = (sentence(row) for row in rows if fails(row, fail_on))
    return [textwrap.fill(text, room, subsequent_indent="  ") for text in sentences]


def record(row: Row) -> dict[str, Any]:
    """A verdict for other programs; an end of an interval that is open is null."""
    found = row.verdict.estimate
    interval = found and [_finite(found.interval.low), _finite(found.interval.high)]
    return {
        "claim": row.claim_id,
        "subject": row.subject,
        "says": row.says,
        "outcome": row.verdict.outcome.value,
        "pinned": row.pinned,
        "moved": category(row) == MOVED,
        "reason": row.verdict.reason,
        "estimand": row.estimand,
        "region": wording.region(row.verdict.region),
        "estimate": found and _finite(found.value),
        "interval": interval,
        "level": row.verdict.level,
        "published": row.published and row.published.outcome.value,
        "seconds": row.seconds,
    }


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None
