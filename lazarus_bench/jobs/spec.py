"""Jobs as a graph of frozen specs, each with a digest of everything its result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lazarus_bench.errors import UserError
from lazarus_bench.training.specs import Recipe


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A model that exists already: a directory or a hub id, told apart by its content."""

    source: str
    fingerprint: str

    @property
    def name(self) -> str:
        """The hub id, or the directory's own name."""
        return Path(self.source).name if Path(self.source).is_absolute() else self.source

    def canonical(self) -> dict[str, Any]:
        """What the digest covers: the content, wherever it lies."""
        return {"checkpoint": self.fingerprint}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: `recipe` on `base` (None: from scratch) with `seed`.

    `ranks` processes share each batch; sums over them round differently, so they are in the digest.
    """

    recipe: Recipe
    base: Job | Checkpoint | None
    seed: int
    ranks: int = 1

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
            "kind": self.recipe.kind,
            "version": self.recipe.version,
            "recipe": _parameters(self.recipe),
            "base": None if self.base is None else self.base.canonical(),
            "seed": self.seed,
            "ranks": self.ranks,
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return digest_of(self.canonical())

    @property
    def label(self) -> str:
        """The recipe and what it starts from, for people."""
        label = f"{self.recipe.label} on {_origin(self.base)}" if self.base else self.recipe.label
        return label if self.ranks == 1 else f"{label}, {self.ranks} ranks"


def digest_of(canonical: Mapping[str, Any]) -> str:
    """The digest of the job that `canonical` describes, also when read from a `spec.json`."""
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _parameters(recipe: Recipe) -> dict[str, Any]:
    # 1 and 1.0 are equal, so they must share a digest; JSON writes them differently.
    values = {field: getattr(recipe, field.name) for field in fields(recipe)}
    return {
        field.name: float(value) if value is not None and "float" in str(field.type) else value
        for field, value in values.items()
    }


def _origin(base: Job | Checkpoint) -> str:
    return base.name if isinstance(base, Checkpoint) else base.recipe.label


def with_ranks(job: Job, ranks: int) -> Job:
    """`job`, and every job below it, on so many ranks."""
    base = with_ranks(job.base, ranks) if isinstance(job.base, Job) else job.base
    return replace(job, base=base, ranks=ranks)


def with_dependencies(jobs: Iterable[Job]) -> Iterator[Job]:
    """`jobs` and every job below them, each digest once, bases before what is built on them."""
    seen: set[str] = set()

    def visit(job: Job) -> Iterator[Job]:
        if job.digest in seen:
            return
        seen.add(job.digest)
        if isinstance(job.base, Job):
            yield from visit(job.base)
        yield job

    for job in jobs:
        yield from visit(job)
