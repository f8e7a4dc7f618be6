"""Models in memory: claims turn from seed to seed, so small ones stay there."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.quirks import Quirk
from lazarus_bench.models.untrained import randomise

SMALL = 1 << 24
"""Bytes of weights below which a model is small: 64 of them are at most a gibibyte."""


def _load(
    directory: Path,
    adapter: Path | None,
    random_seed: int | None,
    quirk: Quirk | None,
    dtype: str | None,
) -> LoadedModel:
    model = load(directory, adapter, quirk=quirk, dtype=dtype)
    return model if random_seed is None else randomise(model, random_seed)


_LARGE = lru_cache(maxsize=2)(_load)
_MANY_SMALL = lru_cache(maxsize=64)(_load)


def in_memory(
    directory: Path,
    adapter: Path | None,
    random_seed: int | None,
    quirk: Quirk | None,
    dtype: str | None = None,
) -> LoadedModel:
    """The model in `directory` with an adapter on top; of large ones the last two stay in memory.

    With a `random_seed` its weights are drawn anew, with a `quirk` it is loaded with that defect,
    with a `dtype` its float weights are of that type.

    Raises:
        UserError: it cannot be loaded, or has nothing that the quirk would change.
    """
    size = sum(file.stat().st_size for file in directory.glob("*.safetensors"))
    held = _MANY_SMALL if size < SMALL else _LARGE
    return held(directory, adapter, random_seed, quirk, dtype)


def middle_layer(loaded: LoadedModel) -> int:
    """The classifier layer, ⌊0.55 · layers⌋, 0-based."""
    return loaded.classifier_layer


def number_of_blocks(loaded: LoadedModel) -> int:
    """How many blocks the model has."""
    return loaded.depth
