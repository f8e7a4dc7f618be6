"""Whether an adapter was trained on the model that it is put on, as far as both are on record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lazarus_bench.digests import digest_of
from lazarus_bench.jobs.artifact import MANIFEST, SPEC
from lazarus_bench.jobs.attempts import read_object
from lazarus_bench.models.files import fingerprint
from lazarus_bench.training import specs

_ADAPTERS = frozenset(
    recipe.kind
    for recipe in vars(specs).values()
    if isinstance(recipe, type)
    and issubclass(recipe, specs.Recipe)
    and recipe is not specs.Recipe
    and recipe.leaves == "adapter"
)
"""Trainings that leave an adapter, so that what was trained on them was trained on their base."""


def trained_elsewhere(adapter: Path, model: Path) -> bool:
    """Whether the adapter's record names another base than `model`.

    Weights of one shape load on any model that has the shape, so loading does not tell. False
    where there is no record: another program's adapter, or a lab model that was copied without its
    manifest.
    """
    base = _record(adapter / SPEC).get("base")
    while isinstance(base, Mapping) and base.get("kind") in _ADAPTERS:
        base = base.get("base")
    if not isinstance(base, Mapping):
        return False
    if "checkpoint" in base:
        return bool(base["checkpoint"] != fingerprint(model))
    own = _record(model / MANIFEST).get("digest")
    return own is not None and own != digest_of(base)


def _record(file: Path) -> Mapping[str, Any]:
    try:
        return read_object(file)
    except (OSError, ValueError):
        return {}
