"""Subjects: what a claim is asked of, namely a lab model, a directory, or a hub id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lazarus_bench.errors import UserError
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.models.files import check_files, fingerprint, read_config, resolve
from lazarus_bench.training.specs import Instruct, Pretrain

PUBLISHED = "published"
LAB_FAMILIES = ("llama",)
LAB = tuple(f"lab:{family}{kind}" for family in LAB_FAMILIES for kind in ("", "-instruct"))


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model family of the lab (one base a seed) or one given checkpoint (the same for all).

    `model_type` is what a given checkpoint's config names its family; a lab model's name says it.
    """

    name: str
    checkpoint: Checkpoint | None = None
    model_type: str = ""

    @property
    def is_lab(self) -> bool:
        """Whether its bases are trained here, one a seed."""
        return self.checkpoint is None

    def base(self, seed: int) -> Job | Checkpoint:
        """What a recipe with `seed` starts from."""
        if self.checkpoint is not None:
            return self.checkpoint
        family = self.name.removeprefix("lab:")
        base = Job(recipe=Pretrain(family=family.removesuffix("-instruct")), base=None, seed=seed)
        return Job(recipe=Instruct(), base=base, seed=seed) if "-instruct" in family else base


def lab_subject(name: str) -> Subject:
    """The lab subject called `name`.

    Raises:
        UserError: there is no such lab model.
    """
    if name not in LAB:
        raise UserError(f"{name} is not in the lab: choose {', '.join(LAB)}")
    return Subject(name=name)


def subject(spec: str) -> Subject:
    """The subject of a `--lb-model` specification: a lab name, a directory or a hub id.

    Raises:
        UserError: it names nothing that can be loaded.
    """
    if spec.startswith("lab:"):
        return lab_subject(spec)
    directory = resolve(spec)
    config = read_config(directory)
    check_files(directory)
    from lazarus_bench.models.anatomy import anatomy_of

    anatomy_of(config)
    # A worker has another working directory, so a directory is named in full.
    source = str(directory) if Path(spec).expanduser().is_dir() else spec
    return Subject(
        name=spec,
        checkpoint=Checkpoint(source=source, fingerprint=fingerprint(directory)),
        model_type=str(config["model_type"]),
    )
