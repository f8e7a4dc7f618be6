"""The experiments of a study by name: run, listed, and looked up in the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lazarus_bench.claims.claim import Claim
from lazarus_bench.claims.experiments import Experiment, read_experiments
from lazarus_bench.claims.folder import claims_folder
from lazarus_bench.claims.subjects import PUBLISHED
from lazarus_bench.cli import judging, terminal
from lazarus_bench.cli.flags import CommandLine
from lazarus_bench.cli.inputs import read_yaml
from lazarus_bench.cli.outputs import REPORT
from lazarus_bench.errors import UserError
from lazarus_bench.figures.tables import table, wrapped
from lazarus_bench.jobs.plan import State, duration, groups, trainings
from lazarus_bench.jobs.spec import Job, with_dependencies
from lazarus_bench.report.files import write_text
from lazarus_bench.report.schema import load
from lazarus_bench.session.experiments import (
    Setting,
    experiment_named,
    having,
    settings_of,
    trains,
)
from lazarus_bench.session.judging import put_to_models, select
from lazarus_bench.session.options import Options

if TYPE_CHECKING:
    from lazarus_bench.cli.claims_session import Judged
    from lazarus_bench.jobs.plan import Entry
    from lazarus_bench.session.session import Session

RECORD = "experiment.json"
RESULTS = "experiments"
LACKING = 1


def run(
    name: str,
    asked: Options,
    hypotheses: Path | None,
    line: CommandLine,
    *,
    config: Path | None,
    flags: Mapping[tuple[str, str], Any],
    baseline_only: bool,
    published: bool,
    as_json: bool,
) -> int:
    """Judge the claims of the experiment `name`, and record beside the report what was run.

    `flags` are the values of settings by their key and flag, None where one was not given.
    """
    experiment = experiment_named(name, read_experiments(claims_folder(hypotheses)))
    study = judging.study(hypotheses)
    sections = {} if config is None else read_yaml(str(config))
    if not isinstance(sections, dict):
        raise UserError(
            f"--config {config} has no sections: write one such as stage1: with settings"
        )
    asked = replace(asked, model=_models(asked.model, sections.pop("model", None)))
    given = [*_flags(experiment, flags), *settings_of(experiment, sections)]
    chosen = having(select(study.claims, experiment.claims), given)
    if baseline_only:
        chosen = tuple(claim for claim in chosen if not trains(claim))
        if not chosen:
            raise UserError(
                f"every claim of {experiment.name} trains something: leave --baseline-only out"
            )
    folder = Path(RESULTS, experiment.name)
    asked = replace(
        asked,
        report=asked.report or (folder / PUBLISHED if published else folder),
        data=asked.data or (() if published else tuple(experiment.data)),
    )
    done = judging.judge(asked, study, chosen, line, published=published, as_json=as_json)
    if done is None:
        return 0
    _write_record(experiment, asked, given, chosen, done, line)
    return done.code


def _write_record(
    experiment: Experiment,
    asked: Options,
    given: Sequence[Setting],
    chosen: Sequence[Claim],
    done: Judged,
    line: CommandLine,
) -> None:
    document = {
        "schema": 1,
        "kind": "experiment",
        "experiment": experiment.name,
        "source": experiment.source,
        "command": str(line),
        "models": asked.model,
        "profile": asked.profile,
        "seeds": asked.seeds,
        "data": asked.data,
        "settings": {setting.given: setting.value for setting in given},
        "claims": [claim.id for claim in chosen],
        "verdicts": judging.tally(() if done.report is None else load(done.report).rows),
        "exit_code": done.code,
    }
    assert asked.report is not None
    write_text(f"{terminal.json_text(document)}\n", asked.report / RECORD, "experiment's record")


def _models(given: tuple[str, ...], configured: object) -> tuple[str, ...]:
    """The models that flags name, or else the configuration's, which may not differ."""
    if configured is None:
        return given
    if not isinstance(configured, str):
        raise UserError(
            f"model: {configured} in --config is not a name: write an id or a directory"
        )
    if given not in ((), (configured,)):
        raise UserError(
            f"--model {', '.join(given)} and model: {configured} in --config differ: give one"
        )
    return (configured,)


def _flags(experiment: Experiment, flags: Mapping[tuple[str, str], Any]) -> Iterator[Setting]:
    """The settings that were given as flags, which the experiment must have."""
    for (key, flag), value in flags.items():
        if value is None:
            continue
        if key not in experiment.flags:
            raise UserError(
                f"{experiment.name} has no setting {flag}: leave it out; what its claims train is "
                f"shown by `lazarus-bench experiment list {experiment.name}`"
            )
        yield Setting(given=flag, kind="sft", key=key, value=value)


@dataclass(frozen=True, kw_only=True)
class Look:
    """The experiments, their claims, and a session to look their trainings up with."""

    asked: Options
    hypotheses: Path | None
    name: str | None

    @cached_property
    def experiments(self) -> tuple[Experiment, ...]:
        """The one that is named, else all."""
        known = read_experiments(claims_folder(self.hypotheses))
        return known if self.name is None else (experiment_named(self.name, known),)

    @cached_property
    def study(self) -> judging.Study:
        """The claims of all experiments."""
        return judging.study(self.hypotheses)

    @cached_property
    def session(self) -> Session:
        """The session that the options ask for."""
        from lazarus_bench.session.session import Session

        return Session(self.asked)

    @cached_property
    def under_way(self) -> dict[str, str]:
        """Trainings that run or were killed, by the name of their folder."""
        return {stored.name: stored.state for stored in self.session.store.unfinished()}

    def chosen(self, experiment: Experiment) -> tuple[Claim, ...]:
        """The claims of an experiment."""
        return select(self.study.claims, experiment.claims)

    def jobs(self, experiment: Experiment) -> list[Job]:
        """What an experiment trains, each once, bases first."""
        claims, asked = self.study.claims, self.asked
        trials = put_to_models(self.chosen(experiment), claims, asked.model, asked.profile)
        return list(with_dependencies(job for one in trials for job in one.plan(self.session)))

    def elsewhere(self, experiment: Experiment) -> bool:
        """Whether it reads data of its own, and nothing says where they are."""
        return bool(experiment.data) and not self.asked.data

    def state(self, entry: Entry) -> str:
        """What the store has of a training, also while it is being made or after it was killed."""
        if entry.state is State.WHOLE:
            return entry.state.value
        return self.under_way.get(self.session.store.path(entry.job).name, entry.state.value)


def list_them(look: Look, *, as_json: bool) -> int:
    """List the experiments with their claims and cost; one that is named in full."""
    wanted = look.experiments
    with terminal.busy("reading the claims"):
        found = [_described(experiment, look) for experiment in wanted]
    if as_json:
        terminal.write_document("experiment", experiments=found)
    elif look.name is not None:
        terminal.write("\n".join(_whole(found[0])))
    else:
        header = ("experiment", "claims", "trainings", "from nothing", "source", "what it does")
        rows = [
            [
                item["name"],
                str(len(item["claims"])),
                str(item["trainings"]),
                _cost(item),
                item["source"],
                item["does"],
            ]
            for item in found
        ]
        terminal.write(table(header, rows, terminal.width()))
    return 0


def _described(experiment: Experiment, look: Look) -> dict[str, Any]:
    jobs = look.jobs(experiment)
    costs = [job.recipe.lab_seconds for job in jobs]
    known = [cost for cost in costs if cost is not None]
    unknown = look.elsewhere(experiment) or look.asked.model or look.asked.data
    return {
        "name": experiment.name,
        "aliases": list(experiment.aliases),
        "does": experiment.does,
        "source": experiment.source,
        "section": experiment.section,
        "printed": experiment.printed,
        "sections": list(experiment.sections),
        "data": list(experiment.data),
        "claims": {claim.id: claim.says for claim in look.chosen(experiment)},
        "trainings": len(jobs),
        "recipes": list(dict.fromkeys(job.label for job in jobs)),
        "lab_seconds": None if unknown or len(known) < len(costs) else sum(known),
    }


def _cost(item: Mapping[str, Any]) -> str:
    return _about(item["lab_seconds"]) if item["trainings"] else "no training"


def _about(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"about {duration(seconds)}"


def _whole(item: Mapping[str, Any]) -> Iterator[str]:
    facts = {
        item["name"]: item["does"],
        "source": f"{item['source']}, {item['section']}",
        "started there by": item["printed"],
        "data, unless others are named": ", ".join(item["data"]),
        "sections of a configuration": ", ".join(item["sections"]),
        trainings(item["trainings"]): f"{_cost(item)} of one process on the lab",
    }
    room = terminal.width()
    yield from (wrapped(f"{name}: {fact}", room) for name, fact in facts.items() if fact)
    yield from (wrapped(f"  {label}", room) for label in item["recipes"])
    yield "claims:"
    yield from (wrapped(f"  {name}: {says}", room) for name, says in item["claims"].items())


def status(look: Look, *, as_json: bool) -> int:
    """Tell what the store has of the experiments' trainings; 1 where one is missing."""
    if look.asked.report and look.name is None:
        raise UserError("--report is the folder of one experiment: name which")
    wanted = look.experiments
    with terminal.busy("looking the trainings up"):
        found = [_standing(experiment, look) for experiment in wanted]
    root = str(look.session.store.root)
    if as_json:
        terminal.write_document("experiment", store=root, experiments=found)
    else:
        told = _told(found, named=look.name is not None)
        terminal.write("\n".join([*told, "", f"the store is {root}"]))
    return LACKING if any(item["lacks"] for item in found) else 0


def _standing(experiment: Experiment, look: Look) -> dict[str, Any]:
    file = (look.asked.report or Path(RESULTS, experiment.name)) / REPORT
    came = None
    if file.exists():
        report = load(file)
        verdicts = judging.tally(report.rows)
        came = {"file": str(file), "created": report.created, "verdicts": verdicts}
    standing = {"name": experiment.name, "report": came}
    if look.elsewhere(experiment):
        asks = ", ".join(experiment.data)
        return {**standing, "asks": asks, "trainings": None, "lacks": 0, "seconds": None}
    plan = look.session.plan(look.jobs(experiment))
    labels = {digest: group.label for group in groups(plan.entries) for digest in group.digests}
    found = [
        judging.training(entry, look.session)
        | {"label": labels[entry.job.digest], "state": look.state(entry)}
        for entry in plan.entries
    ]
    return {
        **standing,
        "trainings": found,
        "lacks": sum(training["state"] != State.WHOLE.value for training in found),
        "seconds": plan.seconds(look.session.workers(plan)),
    }


def _told(found: Sequence[Mapping[str, Any]], *, named: bool) -> Iterator[str]:
    header = ("experiment", "trained", "lacks", "rest takes", "report")
    yield table(header, [_standing_row(item) for item in found], terminal.width())
    trained = found[0]["trainings"] if named else None
    if trained:
        yield ""
        rows = []
        for item in trained:
            took = "unknown" if item["seconds"] is None else f"{item['seconds']:.0f}"
            rows.append([item["label"], str(item["seed"]), item["state"], took])
        head = ("training", "seed", "state", "seconds")
        yield table(head, rows, terminal.width(), kept=3)


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
