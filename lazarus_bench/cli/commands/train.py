"""Train a model by one of the recipes.

A training with the same model, seed and settings that is in the store already is found there,
whoever made it; an interrupted one goes on.

Examples:
    lazarus-bench train dual-reward lab:llama --output adapters
    lazarus-bench train two-stage lab:llama --config config.yaml
    lazarus-bench train RECIPE --help

Exit codes:
    0  trained, or found trained already
    2  bad input: one sentence says what to mend, and nothing is trained
    130, 141  interrupted (the same command goes on from there), or the pipe was closed
"""

from __future__ import annotations

import inspect
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from lazarus_bench.cli import outputs, terminal
from lazarus_bench.cli.application import actions
from lazarus_bench.cli.flags import Json, Line
from lazarus_bench.cli.train_settings import (
    COMMON,
    Config,
    Flag,
    flags,
    read_config,
    recipes_of,
    trainings,
    with_flags,
)
from lazarus_bench.errors import UserError

if TYPE_CHECKING:
    from lazarus_bench.cli.inputs import Found
    from lazarus_bench.jobs.artifact import Artifact
    from lazarus_bench.jobs.spec import Checkpoint, Job
    from lazarus_bench.jobs.store import Store
    from lazarus_bench.training import Recipe

QUIET_SECONDS = 60.0
"""Without a terminal, how long nothing is said about a training."""

LAST_SEED = 2**63 - 1
"""mlx's generator takes an integer of 64 bits."""

app = actions()


def run(
    name: str, /, *, line: Line, json: bool = False, config: str | None = None, **typed: Any
) -> int:
    """Train what a command line and its file ask for, or find it, and show how it went.

    Raises:
        UserError: a setting cannot be honoured, or the model cannot be trained so.
    """
    from lazarus_bench.cli.inputs import LAB_SEED
    from lazarus_bench.cli.trained import show
    from lazarus_bench.jobs.store import Store, default_root

    file = Config() if config is None else read_config(config, name)
    given = {key: value for key, value in typed.items() if value is not None}
    common = {**file.common, **{key: given[key] for key in COMMON if key in given}}
    own = {f.field: _typed(f, given[_parameter(f)]) for f in flags(name) if _parameter(f) in given}
    if "model" not in common:
        raise UserError("there is no model to train: name one, such as lab:llama")
    model, plot = str(common["model"]), common.get("plot")
    _check_seeds(common, model)
    stages = recipes_of(name, file.settings, own, model)
    recipes = [recipe for _, recipe in stages]
    outputs.check_plot(plot)
    store, lab_seed = Store(default_root()), common.get("lab_seed", LAB_SEED)
    found, base = _base(model, lab_seed, recipes[0], store)
    _check_layers(name, model, recipes, found)
    jobs = _chain(recipes, base, common.get("seed", 0))
    places: list[Path] = []
    if "output" in common:
        folder = Path(common["output"]).expanduser()
        places = [folder / part for part, _ in stages]
        _check_folders(folder, places, jobs)
    targets: Sequence[Path | None] = places or [None] * len(jobs)
    results = [put(job, place, store) for job, place in zip(jobs, targets, strict=True)]
    # Other commands read seed 0's base where a lab model is named.
    readable = model if lab_seed == LAB_SEED else str(found.directory)
    show(name, found, results, line, as_json=json, plot=plot, readable=readable)
    return 0


def _parameter(flag: Flag) -> str:
    return flag.field.replace(".", "__") + "_"


def _typed(flag: Flag, value: Any) -> Any:
    """A value as the spec has it; several integers are typed with commas between them."""
    if flag.kind != "integers":
        return tuple(value) if flag.kind == "texts" else value
    try:
        return tuple(int(part) for part in value.split(",") if part)
    except ValueError:
        raise UserError(f"{flag.flag} {value!r} is no list such as 0,100,300") from None


_SHARED: Mapping[str, Any] = {
    "model": Annotated[
        str | None,
        Parameter(
            metavar="MODEL",
            help="a Hugging Face id, a directory, or a lab name such as lab:llama (seed 0's "
            "artifact in the store); may stand in --config instead",
        ),
    ],
    "config": Annotated[
        str | None,
        Parameter(metavar="FILE.yaml", help="settings from a file; flags given here win"),
    ],
    "output": Annotated[
        str | None,
        Parameter(
            metavar="DIR",
            help="copy what was trained there, with its manifest and log (default: it stays in the "
            "store); a folder that is not empty is refused, unless it holds the same training",
        ),
    ],
    "seed": Annotated[
        int | None,
        Parameter(metavar="N", help="of data, order and initial weights (default: 0)"),
    ],
    "lab_seed": Annotated[
        int | None,
        Parameter(
            metavar="N",
            help="which of a lab model's bases to start from (default: 0, as in all commands; a "
            "claim's training with seed S starts from base S)",
        ),
    ],
    "plot": Annotated[
        str | None,
        Parameter(metavar="FILE.svg|FILE.png", help="draw the training curves: loss and its parts"),
    ],
}
_SETTINGS = Group("Settings", sort_key=3)


def _annotation(flag: Flag) -> Any:
    types: Mapping[str, Any] = {"integer": int, "number": float, "switch": bool}
    about: dict[str, Any] = {"name": flag.flag, "help": flag.told, "group": _SETTINGS}
    hint: Any = Literal[flag.choices] if flag.choices else types.get(flag.kind, str)
    if flag.kind == "switch":
        about["negative"] = f"--no-{flag.flag.removeprefix('--')}"
    else:
        about["metavar"] = flag.metavar
    if flag.kind == "texts":
        hint = GenericAlias(list, (hint,))
    return Annotated[hint | None, Parameter(**about)]


def _command(name: str) -> Callable[..., int]:
    """A function with the flags of `train NAME` for its signature and its help for a docstring."""

    def train(model: str | None = None, /, **given: Any) -> int:
        return run(name, model=model, **given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [
        inspect.Parameter(
            key,
            inspect.Parameter.POSITIONAL_ONLY if key == "model" else keyword,
            default=None,
            annotation=hint,
        )
        for key, hint in _SHARED.items()
    ]
    own = [
        inspect.Parameter(_parameter(f), keyword, default=None, annotation=_annotation(f))
        for f in flags(name)
    ]
    rest = [
        inspect.Parameter("json", keyword, default=False, annotation=Json),
        inspect.Parameter("line", keyword, annotation=Line),
    ]
    everything = [*shared, *rest, *own]
    train.__signature__ = inspect.Signature(everything)  # type: ignore[attr-defined]
    train.__annotations__ = {each.name: each.annotation for each in everything}
    train.__doc__ = _help(name)
    return train


def _help(name: str) -> str:
    training = trainings()[name]
    keys = ", ".join(sorted({key for flag in flags(name) for key in flag.keys}))
    return "\n".join(
        [
            inspect.cleandoc(training.about),
            "",
            "--config FILE.yaml takes the settings' names (learning_rate: 1e-4), model, seed and "
            f"output, and also: {keys}. Levels may be nested (lora: {{rank: 8}}). A flag on the "
            "command line wins over the file.",
            "",
            "Examples:",
            *(
                f"    {line}"
                for line in training.examples or (f"lazarus-bench train {name} MODEL",)
            ),
            "",
            "Exit" + (__doc__ or "").partition("\nExit")[2],
        ]
    )


for _name in trainings():
    app.command(_command(_name), name=_name)


def _check_seeds(given: Mapping[str, Any], model: str) -> None:
    for name in ("seed", "lab_seed"):
        if given.get(name, 0) < 0:
            raise UserError(f"--{name.replace('_', '-')} {given[name]} is no seed: give 0 or more")
        if given.get(name, 0) > LAST_SEED:
            raise UserError(
                f"--{name.replace('_', '-')} {given[name]} is too large for mlx: give at most "
                f"{LAST_SEED}"
            )
    if "lab_seed" in given and not model.startswith("lab:"):
        raise UserError(f"--lab-seed chooses a base of the lab, and {model} is none: leave it out")


def _chain(recipes: Sequence[Recipe], base: Job | Checkpoint, seed: int) -> list[Job]:
    """Each recipe on the one before."""
    from lazarus_bench.jobs.spec import Job

    jobs: list[Job] = []
    for recipe in recipes:
        jobs.append(Job(recipe=recipe, base=jobs[-1] if jobs else base, seed=seed))
    return jobs


def _base(
    model: str, lab_seed: int, recipe: Recipe, store: Store
) -> tuple[Found, Job | Checkpoint]:
    """The model, and what a job starts from; an untrained backbone takes a second to make.

    Raises:
        UserError: there is no such model, it is not built, or it is the untrained backbone and no
            labelled data are read.
    """
    from lazarus_bench.cli import inputs
    from lazarus_bench.jobs.spec import Job
    from lazarus_bench.jobs.subjects import lab_subject
    from lazarus_bench.jobs.subjects import subject as subject_of
    from lazarus_bench.tasks.labelled_data import DataSource
    from lazarus_bench.training.blank import BLANK

    if model != BLANK:
        return inputs.find(model, lab_seed=lab_seed), subject_of(model).base(lab_seed)
    data = getattr(recipe, "data", None)
    if not isinstance(data, DataSource):
        raise UserError(f"{BLANK} is untrained and made for `train engram`: name another model")
    base = lab_subject(BLANK).base(lab_seed, data)
    assert isinstance(base, Job)
    artifact = store.find(base) or make(base, store)
    return inputs.Found(name=BLANK, directory=artifact.directory, adapter=None), base


def _check_layers(name: str, model: str, recipes: Sequence[Recipe], found: Found) -> None:
    """Make sure that the model has the layers that the stages name, before anything is trained.

    A configuration that does not say how many there are leaves that to the training.

    Raises:
        UserError: it has fewer.
    """
    from lazarus_bench.models.files import read_config as config_of

    depth = config_of(found.directory).get("num_hidden_layers")
    for recipe in recipes:
        layer = getattr(recipe, "layer", None)
        if layer is not None and depth is not None and layer >= depth:
            sentence = (
                f"{type(recipe).__name__}.layer = {layer} is not in {model}, which has {depth} "
                f"layers: choose 0 to {depth - 1}"
            )
            raise UserError(with_flags(name, sentence))


def _check_folders(folder: Path, places: Sequence[Path], jobs: Sequence[Job]) -> None:
    """Make sure that --output can be written, and is empty or holds some of these trainings.

    Raises:
        UserError: it holds something else, or cannot be written.
    """
    if folder not in places:
        outputs.check_free(folder, [place.name for place in places])
    for place, job in zip(places, jobs, strict=True):
        if not outputs.holds(place, job.digest):
            outputs.check_free(place)
            outputs.check_folder(place)


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


def put(job: Job, place: Path | None, store: Store) -> Trained:
    """Train `job` unless it was, and copy it to `place`, unless that holds it already.

    Raises:
        UserError: it cannot be trained, or `place` cannot be written.
    """
    from lazarus_bench.jobs.artifact import read_artifact

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
    from lazarus_bench.jobs.work import missing

    # transformers would warn of a text that is longer than the context before we cut it.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    backend.set_threads()
    backend.warn_if_slow()
    for needed in missing([job], store):
        with _followed(needed, store):
            try:
                _train(needed, store)
            except KeyboardInterrupt:
                say(_how_to_go_on(needed, store))
                raise
    artifact = store.find(job)
    if artifact is None:
        why = store.damage(job) or f"{job.label} is gone from the store {store.root}"
        raise UserError(f"{why}: run the same command again")
    return artifact


def _train(job: Job, store: Store) -> None:
    from lazarus_bench.jobs.work import Failure, Place, run_job

    place = Place(root=store.root)
    result = run_job(job, place, wait=False)
    if result is None:
        say("another process is at this training; waiting for what it leaves")
        result = run_job(job, place)
    if isinstance(result, Failure) and not result.applicable:
        raise UserError(
            f"{job.recipe.label} does not fit this model ({result.reason}): train another one"
        )
    if isinstance(result, Failure):
        raise UserError(result.reason)


def say(line: str) -> None:
    """A line on standard error."""
    print(line, file=sys.stderr, flush=True)


def _how_to_go_on(job: Job, store: Store) -> str:
    from lazarus_bench.training.record import RESUME, latest

    working = store.working(job)
    log = latest(working)
    if log is None or not (working / RESUME).is_dir():
        return f"{job.recipe.label} was stopped before a step was kept: the same command begins it"
    return (
        f"{job.recipe.label} was stopped after step {log.step} of {log.steps}, kept in {working}: "
        f"run the same command to go on"
    )


@contextmanager
def _followed(job: Job, store: Store) -> Iterator[None]:
    """A line a minute on standard error where no terminal shows the bar."""
    if sys.stderr.isatty():
        yield
        return
    from lazarus_bench.jobs.progress import Progress

    done, progress = threading.Event(), Progress([job], 1, store)

    def tell() -> None:
        while not done.wait(QUIET_SECONDS):
            say(progress.status())

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
