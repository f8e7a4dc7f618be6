"""The writeups' experiments as a list, and as what the store has of each."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lazarus_bench.claims.claim_files import read_records
from lazarus_bench.claims.folder import claims_folder
from lazarus_bench.cli import terminal
from lazarus_bench.cli.files import REPORT as FILE
from lazarus_bench.cli.plans import session_of, training
from lazarus_bench.cli.verdicts import tally
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.plan import State, duration, groups, trainings
from lazarus_bench.jobs.spec import Job, with_dependencies
from lazarus_bench.judge import Claim
from lazarus_bench.published.experiments import EXPERIMENTS, Experiment
from lazarus_bench.report import load
from lazarus_bench.session.experiments import experiment_named
from lazarus_bench.session.selection import put_to_models, select

if TYPE_CHECKING:
    from lazarus_bench.jobs.plan import Entry
    from lazarus_bench.session.session import Session

RESULTS = "experiments"
LACKING = 1
_UNASKED = {
    "store": None,
    "fresh_readings": False,
    "offline": True,
    "workers": None,
    "scheduler": None,
    "ranks": 1,
    "hosts": None,
}
"""Options of a session in which nothing is trained."""


def run(options: argparse.Namespace) -> int:
    """List the experiments, or tell what the store has of them.

    Raises:
        UserError: there is no such experiment, or an option is wrong.
    """
    named = options.name is not None
    if options.action == "status" and options.report and not named:
        raise UserError("--report is the folder of one experiment: name which")
    wanted = (experiment_named(options.name),) if named else EXPERIMENTS
    look = _Look(options=argparse.Namespace(**{**_UNASKED, **vars(options)}))
    if options.action == "list":
        return _list(look, wanted, named)
    return _status(look, wanted, named)


@dataclass(frozen=True, kw_only=True)
class _Look:
    """The claims and a session to look their trainings up with, as the options ask."""

    options: argparse.Namespace

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        return read_records(claims_folder(self.options.hypotheses))

    @cached_property
    def session(self) -> Session:
        return session_of(self.options)

    @cached_property
    def under_way(self) -> dict[str, str]:
        """Trainings that run or were killed, by the name of their folder."""
        return {stored.name: stored.state for stored in self.session.store.unfinished()}

    def chosen(self, experiment: Experiment) -> tuple[Claim, ...]:
        return select(self.claims, experiment.claims)

    def jobs(self, experiment: Experiment) -> list[Job]:
        """What an experiment trains, each once, bases first."""
        options = self.options
        asked = put_to_models(self.chosen(experiment), self.claims, options.model, options.profile)
        return list(with_dependencies(job for one in asked for job in one.jobs(self.session)))

    def elsewhere(self, experiment: Experiment) -> bool:
        """Whether its data are of one's own, and it was not told where they are."""
        return bool(experiment.data) and not self.options.data

    def state(self, entry: Entry) -> str:
        """What the store has of a training, also while it is being made or after it was killed."""
        if entry.state is State.WHOLE:
            return entry.state.value
        return self.under_way.get(self.session.store.path(entry.job).name, entry.state.value)


def _print(**content: Any) -> None:
    document = {"schema": 1, "kind": "experiment", **content}
    terminal.write(json.dumps(document, indent=1, ensure_ascii=False), as_json=True)


def _list(look: _Look, wanted: tuple[Experiment, ...], named: bool) -> int:
    with terminal.busy("reading the claims"):
        found = [_described(experiment, look) for experiment in wanted]
    if look.options.json:
        _print(experiments=found)
    elif named:
        terminal.write("\n".join(_whole(found[0])))
    else:
        header = ("experiment", "claims", "trainings", "from nothing", "writeup", "what it does")
        rows = [_row(item) for item in found]
        terminal.write(terminal.table(header, rows, terminal.width()))
    return 0


def _described(experiment: Experiment, look: _Look) -> dict[str, Any]:
    jobs = look.jobs(experiment)
    costs = [job.recipe.lab_seconds for job in jobs]
    known = [cost for cost in costs if cost is not None]
    unknown = look.elsewhere(experiment) or look.options.model or look.options.data
    return {
        "name": experiment.name,
        "aliases": list(experiment.aliases),
        "does": experiment.does,
        "writeup": experiment.page,
        "section": experiment.section,
        "printed": experiment.printed,
        "sections": list(experiment.sections),
        "data": list(experiment.data),
        "claims": {claim.id: claim.says for claim in look.chosen(experiment)},
        "trainings": len(jobs),
        "recipes": list(dict.fromkeys(job.label for job in jobs)),
        "lab_seconds": None if unknown or len(known) < len(costs) else sum(known),
    }


def _row(item: Mapping[str, Any]) -> list[str]:
    return [
        item["name"],
        str(len(item["claims"])),
        str(item["trainings"]),
        _cost(item),
        item["writeup"],
        item["does"],
    ]


def _cost(item: Mapping[str, Any]) -> str:
    if not item["trainings"]:
        return "no training"
    return _about(item["lab_seconds"])


def _about(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"about {duration(seconds)}"


def _whole(item: Mapping[str, Any]) -> Iterator[str]:
    facts = {
        item["name"]: item["does"],
        "writeup": f"{item['writeup']}, {item['section']}",
        "started there by": item["printed"],
        "data, unless others are named": ", ".join(item["data"]),
        "sections of a configuration": ", ".join(item["sections"]),
        trainings(item["trainings"]): f"{_cost(item)} of one process on the lab",
    }
    room = terminal.width()
    yield from (terminal.wrapped(f"{name}: {fact}", room) for name, fact in facts.items() if fact)
    yield from (terminal.wrapped(f"  {label}", room) for label in item["recipes"])
    yield "claims:"
    says = (f"  {name}: {sentence}" for name, sentence in item["claims"].items())
    yield from (terminal.wrapped(line, room) for line in says)


def _status(look: _Look, wanted: tuple[Experiment, ...], named: bool) -> int:
    with terminal.busy("looking the trainings up"):
        found = [_standing(experiment, look) for experiment in wanted]
    root = look.session.store.root
    if look.options.json:
        _print(store=str(root), experiments=found)
    else:
        terminal.write("\n".join([*_told(found, named), "", f"the store is {root}"]))
    return LACKING if any(item["lacks"] for item in found) else 0


def _standing(experiment: Experiment, look: _Look) -> dict[str, Any]:
    report = Path(look.options.report or Path(RESULTS, experiment.name), FILE)
    standing = {"name": experiment.name, "report": _came_of_it(report)}
    if look.elsewhere(experiment):
        asks = ", ".join(experiment.data)
        return {**standing, "asks": asks, "trainings": None, "lacks": 0, "seconds": None}
    plan = look.session.plan(look.jobs(experiment))
    states = [look.state(entry) for entry in plan.entries]
    labels = {digest: group.label for group in groups(plan.entries) for digest in group.digests}
    trainings = [
        {
            **training(entry, look.session),
            "label": labels[entry.job.digest],
            "state": state,
        }
        for entry, state in zip(plan.entries, states, strict=True)
    ]
    return {
        **standing,
        "trainings": trainings,
        "lacks": sum(state != State.WHOLE.value for state in states),
        "seconds": plan.seconds(look.session.workers),
    }


def _came_of_it(report: Path) -> dict[str, str] | None:
    if not report.exists():
        return None
    found = load(report)
    return {"file": str(report), "created": found.created, "verdicts": tally(found.rows)}


def _told(found: list[dict[str, Any]], named: bool) -> Iterator[str]:
    header = ("experiment", "trained", "lacks", "rest takes", "report")
    yield terminal.table(header, [_standing_row(item) for item in found], terminal.width())
    trainings = found[0]["trainings"] if named else None
    if trainings:
        yield ""
        rows = [
            [item["label"], str(item["seed"]), item["state"], _took(item["seconds"])]
            for item in trainings
        ]
        head = ("training", "seed", "state", "seconds")
        yield terminal.table(head, rows, terminal.width(), kept=3)


def _took(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds:.0f}"


def _standing_row(item: Mapping[str, Any]) -> list[str]:
    came = item["report"]
    told = "none yet" if came is None else f"{came['verdicts']} ({came['file']})"
    if item["trainings"] is None:
        return [item["name"], f"unknown without --data {item['asks']}", "", "", told]
    states = [training["state"] for training in item["trainings"]]
    whole = State.WHOLE.value
    others = dict.fromkeys(state for state in states if state != whole)
    return [
        item["name"],
        f"{states.count(whole)} of {len(states)}" if states else "no training",
        ", ".join(f"{states.count(state)} {state}" for state in others) or "nothing",
        _about(item["seconds"]) if others else "",
        told,
    ]
