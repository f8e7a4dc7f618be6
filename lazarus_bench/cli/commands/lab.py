"""List or build the lab's own models.

The lab: small models of common families (llama, olmoe, gpt_oss and others), pretrained here from
scratch.

Examples:
    lazarus-bench lab list
    lazarus-bench lab build llama
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from lazarus_bench.cli import terminal
from lazarus_bench.cli.application import actions
from lazarus_bench.cli.commands.store import record
from lazarus_bench.cli.flags import Json, StoreFolder, lab_models, number
from lazarus_bench.errors import UserError
from lazarus_bench.figures.tables import table, wrapped
from lazarus_bench.session.progress import StatusLine

if TYPE_CHECKING:
    from lazarus_bench.jobs.spec import Job
    from lazarus_bench.jobs.store import Store, Stored
    from lazarus_bench.session.session import Session

HEADERS = ("name", "built", "parameters", "layers", "size", "builds in", "family")
FAILED = 1
OFFICIAL = "lab:"

app = actions()


def _names(_: object) -> list[str]:
    """What a shell offers for NAME."""
    return [name.removeprefix(OFFICIAL) for name in lab_models(None)[:-1]]


def _base(name: str, seed: int) -> Job:
    from lazarus_bench.jobs.spec import Job
    from lazarus_bench.jobs.subjects import lab_subject

    job = lab_subject(name).base(seed)
    assert isinstance(job, Job)
    return job


@app.command(name="list")
def list_them(*, store: StoreFolder = None, as_json: Json = False) -> int:
    """List the models: family, size, whether built, and how long building takes.

    Examples:
        lazarus-bench lab list
        lazarus-bench lab list --json
    """
    from lazarus_bench.cli.inputs import open_store

    opened = open_store(store)
    with terminal.busy("counting parameters"):
        found = [_described(name, built, opened) for name, built in _built(opened).items()]
    if as_json:
        terminal.write_document("lab", store=str(opened.root), models=found)
        return 0
    models = table(HEADERS, [_row(model) for model in found], terminal.width())
    end = f"seeds that are built in {opened.root}; `lazarus-bench lab build NAME` builds seed 0"
    terminal.write(f"{models}\n\n{wrapped(end, terminal.width())}")
    return 0


def _built(store: Store) -> Mapping[str, list[Stored]]:
    """What the store has of each model of the lab, whole or under way."""
    from lazarus_bench.jobs.subjects import LAB

    found: dict[str, list[Stored]] = {name: [] for name in LAB}
    kinds = {_base(name, 0).recipe.kind for name in LAB}
    for stored in store.artifacts():
        if stored.kind in kinds and stored.seed is not None:
            for name in LAB:
                if store.path(_base(name, stored.seed)).name == stored.name:
                    found[name].append(stored)
    return found


def _described(name: str, built: Sequence[Stored], store: Store) -> dict[str, Any]:
    from lazarus_bench.claims.subjects import lab_family
    from lazarus_bench.models import lab

    config = lab.config_of(str(lab_family(name)))
    return {
        "name": name,
        "family": config["model_type"],
        "parameters": lab.count_parameters(config),
        "layers": config["num_hidden_layers"],
        "seconds": _seconds(name, store),
        "built": [record(stored) for stored in sorted(built, key=lambda s: s.seed or 0)],
    }


def _seconds(name: str, store: Store) -> float | None:
    """About what seed 0 takes from nothing: what it took in this store, else what is measured."""
    from lazarus_bench.jobs.spec import with_dependencies

    jobs = list(with_dependencies([_base(name, 0)]))
    whole = [artifact for artifact in map(store.find, jobs) if artifact is not None]
    if len(whole) == len(jobs):
        return sum(artifact.seconds for artifact in whole)
    known = [job.recipe.lab_seconds for job in jobs if job.recipe.lab_seconds is not None]
    return sum(known) if len(known) == len(jobs) else None


def _row(model: Mapping[str, Any]) -> list[str]:
    from lazarus_bench.jobs.plan import duration

    whole = [item for item in model["built"] if item["state"] == "whole"]
    other = [f"{item['seed']} {item['state']}" for item in model["built"] if item not in whole]
    seeds = ", ".join([*(str(item["seed"]) for item in whole), *other]) or "no"
    sizes = [item["bytes"] for item in whole]
    return [
        model["name"],
        seeds,
        f"{model['parameters']:,}",
        str(model["layers"]),
        terminal.size(max(sizes)) if sizes else "",
        "" if model["seconds"] is None else f"about {duration(model['seconds'])}",
        model["family"],
    ]


@app.command
def build(
    given: Annotated[
        list[str],
        Parameter(
            metavar="NAME",
            completer=_names,
            help="a lab model, as llama or lab:llama; see `lab list`",
        ),
    ],
    /,
    *,
    seeds: Annotated[int, number("seeds 0 to N-1 (default: 1, seed 0)")] = 1,
    workers: Annotated[
        str | None, number("number of parallel trainings on this machine (default: auto)")
    ] = None,
    store: StoreFolder = None,
    as_json: Json = False,
) -> int:
    """Train lab models and keep them in the store.

    Examples:
        lazarus-bench lab build llama
        lazarus-bench lab build lab:llama-instruct olmoe --seeds 2

    Exit codes:
        0    built, now or before
        1    a training failed
        2    bad input
        130  interrupted; the same command resumes
    """
    names = [_lab_name(name) for name in given]
    if seeds < 1:
        raise UserError(f"--seeds {seeds} must be at least 1")
    from lazarus_bench.session.options import Options
    from lazarus_bench.session.session import Session

    options = Options(store=store, seeds=seeds, workers=workers)  # type: ignore[arg-type]  # text
    session = Session(options)
    jobs = [_base(name, seed) for name in names for seed in range(seeds)]
    there = {job.digest for job in jobs if session.store.find(job) is not None}
    _train(session, jobs)
    found = [_outcome(job, session, job.digest in there) for job in jobs]
    if as_json:
        terminal.write_document("lab", store=str(session.store.root), models=found)
    else:
        terminal.write("\n".join(_told([name for name in names for _ in range(seeds)], found)))
    return FAILED if any(item["failure"] for item in found) else 0


def _lab_name(given: str) -> str:
    """The lab's model that is meant: `llama` is `lab:llama`."""
    from lazarus_bench.claims.subjects import BLANK
    from lazarus_bench.jobs.subjects import LAB

    name = given if given.startswith(OFFICIAL) else f"{OFFICIAL}{given}"
    if name == BLANK:
        raise UserError(
            f"{BLANK} is untrained and made for the data that a claim reads: `lazarus-bench run "
            f"engram` makes it"
        )
    if name not in LAB:
        raise UserError(f"{given} is not in the lab: choose from {', '.join(LAB)}")
    return name


def _train(session: Session, jobs: Iterable[Job]) -> None:
    """Build what is missing, with a line for each model and a live one on a terminal."""
    from lazarus_bench.session.session import Watch

    lines = StatusLine()
    try:
        plan = session.plan(jobs)
        session.train(plan, Watch(say=lines.say, live=lines.live))
    finally:
        lines.clear()


def _outcome(job: Job, session: Session, there: bool) -> dict[str, Any]:
    from lazarus_bench.jobs.spec import with_dependencies

    artifact = session.store.find(job)
    failures = (session.failures.get(step.digest) for step in with_dependencies([job]))
    failure = next((found.reason for found in failures if found is not None), None)
    return {
        "label": job.label,
        "seed": job.seed,
        "digest": job.digest,
        "there_before": there,
        "seconds": None if artifact is None else artifact.seconds,
        "directory": None if artifact is None else str(artifact.directory),
        "failure": None if artifact is not None else failure or "it left no whole artifact",
    }


def _told(names: Sequence[str], found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    from lazarus_bench.jobs.plan import duration

    for name, item in zip(names, found, strict=True):
        what = f"{name} seed {item['seed']}"
        if item["failure"]:
            yield f"{what}: {item['failure']}"
        elif item["there_before"]:
            yield f"{what}: there already, {item['directory']}"
        else:
            yield f"{what}: built in {duration(item['seconds'])}, {item['directory']}"
