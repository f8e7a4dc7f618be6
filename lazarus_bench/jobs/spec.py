"""Jobs as a graph of frozen specs, each with a digest of everything its result depends on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lazarus_bench.digests import canonical_recipe, digest_of
from lazarus_bench.errors import UserError
from lazarus_bench.training import Recipe
from lazarus_bench.training.recipe import QUIRKS, Quirk, check_base, quirks_of


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model that exists already, a directory or a hub id, identified by its content."""

    source: str
    fingerprint: str

    @property
    def name(self) -> str:
        """The hub id, or the directory's own name."""
        return Path(self.source).name if Path(self.source).is_absolute() else self.source

    def canonical(self) -> dict[str, Any]:
        """What the digest covers: the content, wherever it is stored."""
        return {"checkpoint": self.fingerprint}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: `recipe` on `base` (None: from scratch) with `seed`.

    `ranks` processes share each batch; sums over them round differently, so they are in the digest.
    So is `dtype`, the type that the base's weights are turned into, unless they are as stored.
    """

    recipe: Recipe
    base: Job | Checkpoint | None
    seed: int
    ranks: int = 1
    dtype: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        if self.ranks < 1:
            raise UserError(f"ranks = {self.ranks} must be at least 1")
        for name in self.recipe.shared:
            count = getattr(self.recipe, name)
            if count < self.ranks:
                raise UserError(
                    f"{self.recipe.label} has {name} = {count}, which {self.ranks} ranks cannot "
                    f"share: take at most {count} ranks"
                )

    def canonical(self) -> dict[str, Any]:
        """Every field, nested, with the kind and version of each recipe."""
        return {
            **canonical_recipe(self.recipe),
            "base": None if self.base is None else self.base.canonical(),
            "seed": self.seed,
            "ranks": self.ranks,
            **({} if self.dtype is None else {"dtype": self.dtype}),
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return digest_of(self.canonical())

    @property
    def root(self) -> Checkpoint | None:
        """The given model at the bottom of the jobs below it; None where the lab trains it too."""
        return self.base.root if isinstance(self.base, Job) else self.base

    @property
    def quirks(self) -> tuple[Quirk, ...]:
        """Every quirk that is on in this training or in one below it."""
        below = self.base.quirks if isinstance(self.base, Job) else ()
        return tuple(quirk for quirk in QUIRKS if quirk in (*quirks_of(self.recipe), *below))

    @property
    def label(self) -> str:
        """The recipe and what it starts from, for people."""
        label, base = self.recipe.label, self.base
        if isinstance(base, Checkpoint):
            label += f" on {base.name}"
        elif base is not None:
            label += f" on {base.label if base.recipe.on_adapter else base.recipe.label}"
        return label if self.ranks == 1 else f"{label}, {self.ranks} ranks"


def check(job: Job) -> None:
    """Check that `job` can start from its base, on its ranks.

    Raises:
        UserError: its recipe needs an adapter or a whole model and there is none, or it runs on one
            rank only.
    """
    check_base(job.recipe, job.base.recipe if isinstance(job.base, Job) else None)
    if job.ranks > 1 and not job.recipe.ranked:
        raise UserError(f"{job.recipe.label} cannot share batches: use 1 rank, not {job.ranks}")


def reads(job: Job) -> tuple[Job, ...]:
    """The jobs whose artifacts `job` opens: its base, and below an adapter the adapter's base."""
    below = [job.base]
    if job.recipe.on_adapter and isinstance(job.base, Job):
        below.append(job.base.base)
    return tuple(base for base in below if isinstance(base, Job))


def with_ranks(job: Job, ranks: int) -> Job:
    """`job` and every job below it on `ranks`; a recipe that shares no batches stays on one."""
    base = with_ranks(job.base, ranks) if isinstance(job.base, Job) else job.base
    return replace(job, base=base, ranks=ranks if job.recipe.ranked else 1)


def with_dependencies(jobs: Iterable[Job]) -> Iterator[Job]:
    """`jobs` and every job below them, each digest once, bases before what is built on them.

    Raises:
        UserError: one of them cannot start from its base.
    """
    seen: set[str] = set()

    def visit(job: Job) -> Iterator[Job]:
        if job.digest in seen:
            return
        seen.add(job.digest)
        check(job)
        if isinstance(job.base, Job):
            yield from visit(job.base)
        yield job

    for job in jobs:
        yield from visit(job)
