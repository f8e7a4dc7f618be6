"""What `train` does: its trainings found or made, copied to --output, and shown."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lazarus_bench.claims.subjects import BLANK
from lazarus_bench.cli import inputs, outputs, terminal
from lazarus_bench.cli.flags import CommandLine, Output
from lazarus_bench.cli.inputs import Found
from lazarus_bench.cli.train_settings import with_flags
from lazarus_bench.errors import NotApplicable, UserError, say, shown
from lazarus_bench.figures.tables import table, wrapped
from lazarus_bench.figures.training import Curve, Curves, trainings
from lazarus_bench.jobs.artifact import Artifact, object_if_any, read_artifact
from lazarus_bench.jobs.progress import Progress
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.jobs.store import Store
from lazarus_bench.jobs.subjects import lab_subject
from lazarus_bench.jobs.subjects import subject as subject_of
from lazarus_bench.jobs.work import Failure, Place, missing, run_job
from lazarus_bench.models.files import read_config as config_of
from lazarus_bench.models.lenses import ABOUT as LENS
from lazarus_bench.models.precision import AUTO, choose, wished
from lazarus_bench.report.printed import number
from lazarus_bench.session.progress import StatusLine, every
from lazarus_bench.session.session import TICK_SECONDS
from lazarus_bench.tasks.labelled_data import DataSource, read_data
from lazarus_bench.training import DualReward, Engram, Recipe
from lazarus_bench.training.engram import read_training_texts
from lazarus_bench.training.footprint import FEWER, peak_line, training_peak
from lazarus_bench.training.own_rows import TEXTS
from lazarus_bench.training.record import (
    METRICS,
    RESUME,
    VALIDATION,
    StepMetrics,
    latest,
    read_thinned,
    read_validation,
)

LAST_SEED = 2**63 - 1
"""mlx's generator takes an integer of 64 bits."""

ROWS = 11
"""Lines of a training's table; its first step and ten stretches."""

POINTS = 101
SPLITS = ("train", "validation")


def train(
    name: str,
    stages: Sequence[tuple[str, Recipe]],
    common: Mapping[str, Any],
    line: CommandLine,
    *,
    as_json: bool,
) -> None:
    """Train or find the `stages` of `train NAME`, each on the one before, and show the course."""
    model, plot = str(common["model"]), common.get("plot")
    outputs.check_plot(plot)
    store, first = inputs.open_store(common.get("store")), common.get("lab_seed", inputs.LAB_SEED)
    found, base = _base(model, first, stages[0][1], store, _wish(common))
    _check_layers(name, model, [recipe for _, recipe in stages], found)
    _check_words(stages, found)
    jobs: list[Job] = []
    for _, recipe in stages:
        below = jobs[-1] if jobs else base
        seed, dtype = common.get("seed", 0), found.precision.dtype
        jobs.append(Job(recipe=recipe, base=below, seed=seed, dtype=dtype))
    places: Sequence[Path | None] = [None] * len(jobs)
    if "output" in common:
        folder = Path(common["output"]).expanduser()
        places = _places(folder, [part for part, _ in stages], jobs)
    _say_memory(jobs, found, store)
    results = [put(job, place, store) for job, place in zip(jobs, places, strict=True)]
    # Other commands read seed 0's base where a lab model is named.
    readable = model if first == inputs.LAB_SEED else str(found.directory)
    show(name, found, results, line, as_json=as_json, plot=plot, readable=readable)


def check_seeds(given: Mapping[str, Any]) -> None:
    """Refuse seeds that are none, or that the model has no use for."""
    for name in ("seed", "lab_seed"):
        if given.get(name, 0) < 0:
            raise UserError(
                f"--{name.replace('_', '-')} {given[name]} is not a seed: give 0 or more"
            )
        if given.get(name, 0) > LAST_SEED:
            raise UserError(
                f"--{name.replace('_', '-')} {given[name]} is too large for mlx: give at most "
                f"{LAST_SEED}"
            )
    if "lab_seed" in given and not given["model"].startswith("lab:"):
        raise UserError(
            f"--lab-seed applies to lab models, and {given['model']} is none: leave it out"
        )


def _say_memory(jobs: Sequence[Job], found: Found, store: Store) -> None:
    """Say what the model is computed in, and the peak of what is to be trained on it."""
    if found.precision.says is not None:
        say(found.precision.says)
    peaks = {
        job.label: training_peak(job.recipe, found.directory, found.precision.dtype)
        for job in jobs
        if store.find(job) is None
    }
    largest = max(peaks, key=lambda label: peaks[label], default="")
    if largest and (told := peak_line(largest, peaks[largest], FEWER)):
        say(told)


def _wish(common: Mapping[str, Any]) -> str:
    """What to compute in, which a file may say as well."""
    return wished(str(common.get("dtype", AUTO)), "dtype")


def _base(
    model: str, lab_seed: int, recipe: Recipe, store: Store, wish: str
) -> tuple[Found, Job | Checkpoint]:
    """The model, and what a job starts from; an untrained backbone takes a second to make."""
    if model != BLANK:
        found = inputs.find(model, lab_seed=lab_seed, store=store.root, dtype=wish)
        return found, subject_of(model).base(lab_seed)
    data = getattr(recipe, "data", None)
    if not isinstance(data, DataSource):
        raise UserError(f"{BLANK} is untrained and made for `train engram`: name another model")
    base = lab_subject(BLANK).base(lab_seed, data)
    assert isinstance(base, Job)
    artifact = store.find(base) or make(base, store)
    precision = choose(BLANK, artifact.directory, wish)
    found = inputs.Found(
        name=BLANK, directory=artifact.directory, adapter=None, precision=precision
    )
    return found, base


def _check_layers(name: str, model: str, recipes: Sequence[Recipe], found: Found) -> None:
    """Make sure that the model has the layers that the stages name, before anything is trained.

    A configuration that does not say how many there are leaves that to the training.
    """
    depth = config_of(found.directory).get("num_hidden_layers")
    for recipe in recipes:
        layer = getattr(recipe, "layer", None)
        if layer is not None and depth is not None and layer >= depth:
            sentence = (
                f"{type(recipe).__name__}.layer = {layer} is not in {model}, which has {depth} "
                f"layers: choose 0 to {depth - 1}"
            )
            raise UserError(with_flags(name, sentence))


def _check_words(stages: Sequence[tuple[str, Recipe]], found: Found) -> None:
    """Make sure that the model has the words of a later stage, before the first one is trained."""
    for folder, recipe in stages[1:]:
        if isinstance(recipe, DualReward):
            try:
                recipe.gold(found.load())
            except (NotApplicable, UserError) as error:
                said = str(error).replace("--word", f"--{folder}-word")
                raise UserError(said.replace("--token", f"--{folder}-token")) from error


def _places(folder: Path, parts: Sequence[str], jobs: Sequence[Job]) -> list[Path]:
    """Where each training goes; it can be written, and is empty or holds that training."""
    places = [folder / part for part in parts]
    if folder not in places:
        outputs.check_free(folder, parts)
    for place, job in zip(places, jobs, strict=True):
        if not outputs.holds(place, job.digest):
            outputs.check_free(place)
            outputs.check_folder(place)
    return places


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One stage: its job, what came of it where it was put, and whether it was there before."""

    job: Job
    artifact: Artifact
    found: bool

    @property
    def directory(self) -> Path:
        """Where it lies."""
        return self.artifact.directory

    def log(self, records: int) -> tuple[StepMetrics, ...]:
        """The log in so many stretches; empty for what takes no steps."""
        there = (self.directory / METRICS).exists()
        return read_thinned(self.directory, records) if there else ()

    @property
    def validation(self) -> dict[str, float]:
        """Validation loss, nats a token of the answer, by step; empty where none is taken."""
        found = read_validation(self.directory) if (self.directory / VALIDATION).exists() else {}
        return {str(step): loss for step, loss in found.items()}


def put(job: Job, place: Path | None, store: Store) -> Trained:
    """Train `job` unless it was, and copy it to `place`, unless that holds it already."""
    if place is not None and outputs.holds(place, job.digest):
        return Trained(job=job, artifact=read_artifact(place), found=True)
    known = store.find(job)
    artifact = known or make(job, store)
    if place is not None:
        with outputs.new_folder(place) as work, terminal.busy(f"copying to {place}"):
            shutil.copytree(artifact.directory, work, dirs_exist_ok=True)
        artifact = read_artifact(place)
    return Trained(job=job, artifact=artifact, found=known is not None)


def make(job: Job, store: Store) -> Artifact:
    """Train `job` and what it stands on, as far as the store lacks it.

    Raises:
        UserError: a training cannot be done.
        KeyboardInterrupt: after a line on how to go on.
    """
    from lazarus_bench import backend

    # transformers would warn of a text that is longer than the context before we cut it.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    backend.set_threads()
    backend.warn_if_slow()
    for needed in missing([job], store):
        progress = Progress([needed], 1, store)
        with nullcontext() if sys.stderr.isatty() else _told_of(progress):
            try:
                _train(needed, store)
            except KeyboardInterrupt:
                _say(_how_to_go_on(needed, store))
                raise
    artifact = store.find(job)
    if artifact is None:
        why = store.damage(job) or f"{job.label} is gone from the store {store.root}"
        raise UserError(f"{why}: run the same command again")
    return artifact


def _told_of(progress: Progress) -> AbstractContextManager[None]:
    """A line at the first step of a long training, then one a minute: no terminal shows the bar."""
    lines = StatusLine()

    def tell() -> None:
        for line in progress.begun():
            lines.say(line)
        lines.live(progress.status())

    return every(TICK_SECONDS, tell)


def _train(job: Job, store: Store) -> None:
    place = Place(root=store.root)
    result = run_job(job, place, wait=False)
    if result is None:
        _say("another process is at this training; waiting for what it leaves")
        result = run_job(job, place)
    if isinstance(result, Failure) and not result.applicable:
        remedy = "" if ": " in result.reason else ": train another one"
        raise UserError(f"{job.recipe.label} does not fit this model: {result.reason}{remedy}")
    if isinstance(result, Failure):
        raise UserError(result.reason)


def _say(line: str) -> None:
    """A line on standard error."""
    print(shown(line), file=sys.stderr, flush=True)


def _how_to_go_on(job: Job, store: Store) -> str:
    working = store.working(job)
    log = latest(working)
    if log is None or not (working / RESUME).is_dir():
        return f"{job.recipe.label} was stopped before a step was kept: the same command begins it"
    return (
        f"{job.recipe.label} was stopped after step {log.step} of {log.steps}, kept in {working}: "
        f"run the same command to go on"
    )


def show(
    recipe: str,
    found: Found,
    results: Sequence[Trained],
    line: CommandLine,
    *,
    as_json: bool,
    plot: str | None,
    readable: str,
) -> None:
    """Print what came of the trainings, and draw them with --plot.

    `readable` is what another command calls the model that they began with.
    """
    if plot is not None:
        curves = [_curves(trained, found) for trained in results if trained.log(POINTS)]
        outputs.write_figure(trainings(curves), plot)
    room = terminal.width()
    parts = [_told(found, trained, room) for trained in results]
    last = results[-1]
    if last.job.recipe.kind != "engram":
        model = readable if len(results) == 1 else str(results[-2].directory)
        lens = ["lens", model, "7 * 8 = ", "--adapter", str(last.directory), "--diff"]
        if last.job.recipe.leaves == "lens":
            lens[3:] = ["--fitted", str(last.directory)]
        parts.append(f"look at it: {shlex.join(['lazarus-bench', *lens])}")
    result = {"recipe": recipe, "stages": [_stage(trained) for trained in results]}
    outputs.give(found, line, Output(json=as_json), result, "\n\n".join(parts))


def _stage(trained: Trained) -> dict[str, Any]:
    """One training; losses in nats, means over the last ten steps."""
    recipe, last = trained.job.recipe, latest(trained.directory)
    first = next(iter(trained.log(2)), None)
    return {
        "label": recipe.label,
        "spec": trained.job.canonical(),
        "digest": trained.job.digest,
        "directory": str(trained.directory),
        "leaves": recipe.leaves,
        "found": trained.found,
        "seconds": round(trained.artifact.seconds, 3),
        "steps": 0 if last is None else last.step,
        "first_loss": None if first is None else first.loss,
        "loss": None if last is None else last.loss,
        "parts": {} if last is None else dict(last.parts),
        "tokens_per_second": None if last is None else round(last.tokens_per_second, 1),
        "validation_loss": trained.validation,
        **_data(trained)[0],
    }


def _data(trained: Trained) -> tuple[dict[str, Any], str]:
    """Sizes, balance and overlap of texts and how many were cut, for programs and people.

    Nothing where a recipe reads none.
    """
    recipe = trained.job.recipe
    if recipe.leaves == "lens":
        return _lens(trained)
    if not isinstance(recipe, Engram):
        return _rows(trained)
    data, learnt = read_data(recipe.data), read_training_texts(trained.directory)
    balance = {
        name: dict(zip(SPLITS, counts, strict=True))
        for name, counts in zip(data.classes, data.balance, strict=True)
    }
    read = {
        "name": data.name,
        "balance": balance,
        "available": dict(zip(SPLITS, data.available, strict=True)),
        "shared": data.shared,
        "cut": learnt.cut,
        "max_length": learnt.max_length,
    }
    cut = f"; {learnt.cut} training texts longer than --max-length or the context, and cut"
    return {"data": read}, f"{data.name}: {data.summary}{cut if learnt.cut else ''}"


def _lens(trained: Trained) -> tuple[dict[str, Any], str]:
    """What a lens was fitted on, and how well."""
    from lazarus_bench.analysis.lens import fitted_on

    fit = object_if_any(trained.directory / LENS)
    return {"fit": fit}, fitted_on(fit)


def _rows(trained: Trained) -> tuple[dict[str, Any], str]:
    """The same of rows of one's own."""
    if not (trained.directory / TEXTS).exists():
        return {}, ""
    read = object_if_any(trained.directory / TEXTS)
    said = f"{read['train']} rows to train on"
    if read.get("valid"):
        said += f" and {read['valid']} to evaluate on ({read['shared']} of them in both)"
    cut, left = (sum(read.get(key, {}).values()) for key in ("cut", "left_out"))
    if cut:
        said += f"; {cut} longer than --max-seq-length, and cut"
    if left:
        said += f"; {left} left out, whose prompt alone is so long"
    return {"data": read}, said


def _told(found: Found, trained: Trained, room: int) -> str:
    recipe, log = trained.job.recipe, trained.log(ROWS)
    said = (
        f"{recipe.label} on {found.name}, seed {trained.job.seed}: "
        f"{'found trained already, ' if trained.found else ''}"
        f"{terminal.span(trained.artifact.seconds)}; {recipe.leaves} in {trained.directory}"
    )
    below = [wrapped(said, room)]
    if data := _data(trained)[1]:
        below.append(wrapped(data, room))
    if log:
        parts = list(log[0].parts)
        rows = [
            [
                str(record.step),
                number(record.loss),
                *(number(record.parts[name]) for name in parts),
                f"{record.tokens_per_second:,.0f}",
            ]
            for record in log
        ]
        below.append(table(["step", "loss", *parts, "tok/s"], rows, room))
    if losses := [f"{number(v)} at step {step}" for step, v in trained.validation.items()]:
        below.append(wrapped(f"validation loss: {', '.join(losses)}", room))
    return "\n\n".join(below)


def _curves(trained: Trained, found: Found) -> Curves:
    log = trained.log(POINTS)
    names = ["loss", *log[0].parts]

    def points(name: str) -> tuple[tuple[float, float], ...]:
        return tuple((float(r.step), r.loss if name == "loss" else r.parts[name]) for r in log)

    return Curves(
        title=trained.job.recipe.label,
        subject=f"{found.name}, seed {trained.job.seed}",
        unit="nats" if set(names) <= {"loss", "class", "answer", "text", "kl"} else "as logged",
        series=tuple(Curve(name=name, lines=(points(name),)) for name in names),
    )
