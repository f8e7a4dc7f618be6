"""Whether an adapter was trained on the model that it is put on, as far as both are on record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lazarus_bench.digests import digest_of
from lazarus_bench.jobs.artifact import MANIFEST, SPEC, read_object
from lazarus_bench.models.files import fingerprint
from lazarus_bench.training import known_recipes


def trained_elsewhere(adapter: Path, model: Path) -> bool:
    """Whether the adapter's record names another base than `model`.

    Weights of one shape load on any model that has the shape, so loading does not tell. False
    where there is no record: another program's adapter, or a lab model that was copied without its
    manifest.
    """
    base = _record(adapter / SPEC).get("base")
    # What was trained on an adapter was trained on the adapter's base.
    adapters = {kind for kind, made in known_recipes().items() if made.leaves == "adapter"}
    while isinstance(base, Mapping) and base.get("kind") in adapters:
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
