"""Seeds until decided: claims go from look to look while they are open and time is left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lazarus_bench.errors import UserError
from lazarus_bench.judge import Evidence, Looks, Outcome, Verdict
from lazarus_bench.judge.prediction import chance_of_decision
from lazarus_bench.report.printed import many
from lazarus_bench.report.schema import Look
from lazarus_bench.session.judging import Trial, measured

if TYPE_CHECKING:
    from lazarus_bench.jobs.plan import Plan
    from lazarus_bench.jobs.spec import Job
    from lazarus_bench.session.session import Session

OPEN = (Outcome.INCONCLUSIVE, Outcome.MIXED)
"""What the next look may change; a failed control it may not."""

Use = Callable[[Mapping[str, Any]], None]
"""What is done with the values of a test's parameters that are not runs."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A claim on a subject and its test; `with_fixtures` calls its argument, if they can be had."""

    trial: Trial
    test: Callable[..., Any]
    with_fixtures: Callable[[Use], None]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An undecided claim, the seeds of its next look, and what that look costs and is worth.

    `seconds` are estimated for the trainings that the store lacks. `worth` is the expected
    decisions a second: the predicted chance that the look decides over that time in one process.
    What costs nothing comes first.
    """

    asked: Asked
    size: int
    seconds: float
    worth: float


def grow(
    session: Session,
    trials: Iterable[Asked],
    train: Callable[[Sequence[Job]], None],
    say: Callable[[str], None],
) -> None:
    """Take every trial to its first look, then the most promising open one to its next, and so on.

    It ends when all are decided or at their last look, or when no look fits into what is left of
    the budget; a training under way is finished.

    `train` runs the trainings that a list of jobs needs, and `say` takes a line on what was
    decided.

    Raises:
        UserError: the profile registers no looks.
    """
    if not session.profile.looks:
        flag = session.options.flag
        raise UserError(
            f"the {session.profile.name} profile registers no looks: leave out "
            f"{flag('until_decided')}, or choose another with {flag('profile')}"
        )
    looks = Looks(sizes=session.profile.looks)
    began = time.monotonic()
    known: dict[int, Evidence] = {}
    growing = list(trials)
    for asked in growing:
        asked.trial.planned, asked.trial.seeds = looks, looks.sizes[0]
    train([job for asked in growing for job in asked.trial.plan(session)])
    for asked in growing:
        _look(session, asked, known)
    while found := list(_candidates(session, growing, looks, known)):
        budget = session.options.budget
        left = math.inf if budget is None else budget - (time.monotonic() - began)
        fitting = [candidate for candidate in found if candidate.seconds <= left]
        if not fitting:
            say(f"no look fits into the budget any more; {many(len(found), 'claim')} still open")
            return
        best = max(fitting, key=lambda candidate: candidate.worth)
        trial = best.asked.trial
        trial.seeds = best.size
        train(trial.plan(session))
        _look(session, best.asked, known)
        last = trial.path[-1]
        name = f"{trial.claim.id} on {trial.subject}"
        say(f"{name}, {last.seeds} seeds: {last.outcome}, {last.low:.3g} to {last.high:.3g}")


def _candidates(
    session: Session,
    growing: Iterable[Asked],
    looks: Looks,
    known: dict[int, Evidence],
) -> Iterable[Candidate]:
    for asked in growing:
        trial = asked.trial
        if not trial.path or trial.path[-1].outcome not in OPEN or trial.seeds is None:
            continue
        evidence, size = known[id(trial)], looks.after(trial.seeds)
        # Evidence of one run, or of fixed models, does not grow with the seeds.
        if size is None or evidence.scope != "seeds" or evidence.shape[0] != trial.seeds:
            continue
        with session.at_seeds(size):
            plan = session.plan(session.needed(trial.claim, trial.subject))
        chance = chance_of_decision(evidence, trial.claim.region, trial.level, size)
        alone, here = (_seconds(plan, n) for n in (1, session.workers(plan)))
        yield Candidate(asked=asked, size=size, seconds=here, worth=chance / (alone + 1.0))


def _seconds(plan: Plan, workers: int) -> float:
    """Estimated for what is to be trained; a second each where nothing is known."""
    found = plan.seconds(workers) if plan.todo else 0.0
    return float(len(plan.todo)) if found is None else found


def _look(session: Session, asked: Asked, known: dict[int, Evidence]) -> None:
    """Judge a trial at the seeds it has; where that cannot be done, its test will say why."""
    trial = asked.trial
    if trial.hopeless is not None:
        return
    found: list[tuple[Evidence, Verdict]] = []

    def measure(fixtures: Mapping[str, Any]) -> None:
        with session.at_seeds(trial.seeds):
            evidence, controls = measured(session, trial, asked.test, fixtures)
            found.append((evidence, trial.decided(evidence, controls)))

    asked.with_fixtures(measure)
    if not found:
        return
    [(evidence, verdict)] = found
    known[id(trial)] = evidence
    assert verdict.estimate is not None
    span = verdict.estimate.interval
    trial.path.append(
        Look(
            seeds=evidence.shape[0],
            value=verdict.estimate.value,
            low=span.low,
            high=span.high,
            outcome=verdict.outcome.value,
        )
    )
