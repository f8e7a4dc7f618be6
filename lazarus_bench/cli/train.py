"""`lazarus-bench train`: a recipe on a model, through the store, so that nothing trains twice."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lazarus_bench.cli import pictures, subject
from lazarus_bench.cli.subject import LAB_SEED, Found
from lazarus_bench.cli.train_runs import check_folders, make, put
from lazarus_bench.cli.trained import show
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.jobs.store import Store, default_root
from lazarus_bench.jobs.subjects import BLANK, lab_subject

if TYPE_CHECKING:
    from lazarus_bench.cli.train_specs import Stage


LAST_SEED = 2**63 - 1
"""mlx's generator takes an integer of 64 bits."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a command asks for: a model by `name`, its trainings, and where they go."""

    name: str
    seed: int
    lab_seed: int
    folder: Path | None
    plot: str | None
    stages: tuple[Stage, ...]

    @property
    def places(self) -> list[Path] | None:
        """Where each stage is to lie; None where it stays in the store."""
        return None if self.folder is None else [self.folder / s.folder for s in self.stages]


def run(options: argparse.Namespace) -> int:
    """Train what `options` ask for, or find it, and show how it went.

    Raises:
        UserError: a setting cannot be honoured, or the model cannot be trained so.
    """
    asked = _asked(options)
    pictures.check_plot(asked.plot)
    store = Store(default_root())
    found, jobs = _jobs(asked, store)
    _check_layers(options.recipe, asked, found)
    if asked.folder is not None and asked.places is not None:
        check_folders(asked.folder, asked.places, jobs)
    places: Sequence[Path | None] = asked.places or [None] * len(jobs)
    results = [put(job, place, store) for job, place in zip(jobs, places, strict=True)]
    # Other commands read seed 0's base where a lab model is named.
    readable = asked.name if asked.lab_seed == LAB_SEED else str(found.directory)
    show(options, found, results, plot=asked.plot, readable=readable)
    return 0


def _asked(options: argparse.Namespace) -> Asked:
    """The command line and the file together."""
    from lazarus_bench.cli.train_config import Config, read_config
    from lazarus_bench.cli.train_specs import merged, stages_of

    file = Config(common={}, settings={})
    if options.config is not None:
        file = read_config(options.config, options.recipe)
    common = {**file.common, **_common(options)}
    if "model" not in common:
        raise UserError("there is no model to train: name one, such as lab:llama")
    name, folder = str(common["model"]), common.get("output")
    _check_seeds(common, name)
    return Asked(
        name=name,
        seed=common.get("seed", 0),
        lab_seed=common.get("lab_seed", LAB_SEED),
        folder=None if folder is None else Path(folder).expanduser(),
        plot=common.get("plot"),
        stages=stages_of(options.recipe, merged(file.settings, _settings(options)), name),
    )


def _common(options: argparse.Namespace) -> dict[str, Any]:
    given = {
        "model": options.model,
        "seed": options.seed,
        "lab_seed": options.lab_seed,
        "output": options.folder,
        "plot": options.plot,
    }
    return {name: value for name, value in given.items() if value is not None}


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    return {
        name.removeprefix("set."): value
        for name, value in vars(options).items()
        if name.startswith("set.") and value is not None
    }


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


def _jobs(asked: Asked, store: Store) -> tuple[Found, list[Job]]:
    """The model, and each stage on the one before."""
    found, base = _blank(asked, store) if asked.name == BLANK else _base(asked)
    jobs: list[Job] = []
    for stage in asked.stages:
        jobs.append(Job(recipe=stage.recipe, base=jobs[-1] if jobs else base, seed=asked.seed))
    return found, jobs


def _base(asked: Asked) -> tuple[Found, Job | Checkpoint]:
    """The model, and what a job starts from.

    Raises:
        UserError: there is no such model, or it is not built.
    """
    from lazarus_bench.jobs.subjects import subject as subject_of

    found = subject.find(asked.name, lab_seed=asked.lab_seed)
    return found, subject_of(asked.name).base(asked.lab_seed)


def _check_layers(recipe: str, asked: Asked, found: Found) -> None:
    """Make sure that the model has the layers that the stages name, before anything is trained.

    A configuration that does not say how many there are leaves that to the training.

    Raises:
        UserError: it has fewer.
    """
    from lazarus_bench.cli.spec_sentences import with_flags
    from lazarus_bench.models.files import read_config

    depth = read_config(found.directory).get("num_hidden_layers")
    for stage in asked.stages:
        layer = getattr(stage.recipe, "layer", None)
        if layer is not None and depth is not None and layer >= depth:
            sentence = (
                f"{type(stage.recipe).__name__}.layer = {layer} is not in {asked.name}, which has "
                f"{depth} layers: choose 0 to {depth - 1}"
            )
            raise UserError(with_flags(recipe, sentence))


def _blank(asked: Asked, store: Store) -> tuple[Found, Job | Checkpoint]:
    """The untrained backbone for the data that are read; it takes a second to make.

    Raises:
        UserError: no labelled data are read.
    """
    from lazarus_bench.training import Engram

    recipe = asked.stages[0].recipe
    if not isinstance(recipe, Engram):
        raise UserError(f"{BLANK} is untrained and made for `train engram`: name another model")
    base = lab_subject(BLANK).base(asked.lab_seed, recipe.data)
    assert isinstance(base, Job)
    artifact = store.find(base) or make(base, store)
    return Found(name=BLANK, directory=artifact.directory, adapter=None), base
