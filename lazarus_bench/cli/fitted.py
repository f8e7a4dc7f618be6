"""The fitted lens that a command reads a model through: named, or found in the store."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lazarus_bench.cli import inputs
from lazarus_bench.cli.inputs import Found
from lazarus_bench.errors import UserError, say

if TYPE_CHECKING:
    from lazarus_bench.models.lenses import FittedLens

Choice = Literal["logit", "jacobian", "tuned"]


def check_choice(lens: Choice | None, named: Path | None, adapter: Path | None) -> None:
    """Refuse flags that contradict each other, before anything is loaded."""
    if lens == "logit" and named is not None:
        raise UserError("--fitted names a fitted lens, and --lens logit reads none: leave one out")
    if adapter is not None and (named is not None or lens in ("jacobian", "tuned")):
        raise UserError(
            "a lens is fitted for a whole model: put the adapter into it with `lazarus-bench "
            "fuse`, and fit one for the model that it writes"
        )


def fitted_lens(
    found: Found, lens: Choice | None, named: Path | None, store: Path | None
) -> FittedLens | None:
    """The lens in the folder `named`, or the one in the store that was fitted by default settings.

    None for the logit lens.

    Raises:
        UserError: there is none, it is damaged, of another kind, or for another model.
    """
    from lazarus_bench.models.lenses import read_fitted
    from lazarus_bench.models.published_lenses import is_published, read_published

    if named is None and lens in (None, "logit"):
        return None
    folder = _in_store(found, str(lens), store) if named is None else named.expanduser()
    if is_published(folder):
        read = read_published(folder)
        say(
            f"{named} does not say which weights it was fitted for: that they are those of "
            f"{found.name} is yours to know"
        )
    else:
        read = read_fitted(folder, found.directory)
    if lens is not None and read.kind != lens:
        raise UserError(f"--fitted {named} is a {read.kind} lens: give --lens {read.kind}")
    return read


def _in_store(found: Found, lens: str, named: Path | None) -> Path:
    from lazarus_bench.jobs.spec import Job
    from lazarus_bench.jobs.subjects import subject
    from lazarus_bench.training import JacobianLens, TunedLens

    recipe = {"jacobian": JacobianLens, "tuned": TunedLens}[lens]()
    base = subject(found.name).base(inputs.LAB_SEED)
    job = Job(recipe=recipe, base=base, seed=0, dtype=found.precision.dtype)
    store = inputs.open_store(named)
    artifact = store.find(job)
    if artifact is None:
        why = store.damage(job) or f"{found.name} has no {lens} lens in the store {store.root}"
        words = ["lazarus-bench", "train", f"{lens}-lens", found.name]
        words += [] if named is None else ["--store", str(named)]
        raise UserError(
            f"{why}: fit one with `{shlex.join(words)}`, or name one fitted otherwise by --fitted"
        )
    return artifact.directory
