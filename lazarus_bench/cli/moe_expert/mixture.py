"""MODEL of `moe-expert`: its routed layers, its adapter as part of it, and pictures by expert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lazarus_bench.cli import pictures
from lazarus_bench.cli.subject import Found
from lazarus_bench.errors import UserError
from lazarus_bench.figures import HeatGroup, HeatMap, linear

if TYPE_CHECKING:
    from lazarus_bench.models.load import LoadedModel

Floats = npt.NDArray[np.float64]


def load(found: Found) -> LoadedModel:
    """The model, with its adapter added to the weights: an adapter may lie on routers and experts.

    Raises:
        UserError: it cannot be loaded.
    """
    loaded = found.load()
    if found.adapter is not None:
        from mlx.utils import tree_unflatten

        adapted = [(name, m) for name, m in loaded.model.named_modules() if hasattr(m, "fuse")]
        # Quantised again, a small adapter might be lost.
        fused = [(name, module.fuse(dequantize=True)) for name, module in adapted]
        loaded.model.update_modules(tree_unflatten(fused))
    return loaded


def chosen_layers(loaded: LoadedModel, layers: Sequence[int] | None) -> list[int]:
    """The routed layers asked for, ascending, each once; all where none is named.

    Raises:
        NotApplicable: the model is dense.
        UserError: a layer has no router.
    """
    from lazarus_bench.analysis.router import routed_layers

    routed = list(routed_layers(loaded))
    for layer in layers or ():
        if layer not in routed:
            known = ", ".join(map(str, routed))
            raise UserError(f"--layer {layer} of {loaded.name} has no router: choose {known}")
    return sorted(set(layers)) if layers else routed


def draw(
    file: str,
    title: str,
    label: str,
    groups: Mapping[str, Mapping[str, Floats]],
    layers: Sequence[int],
    depth: int,
    largest: float | None = None,
) -> None:
    """A heat map: each group's rows with a value `[layer]` for each of `layers`, the others empty.

    Colours go evenly from 0 to `largest`, the greatest value unless given; what is NaN is empty.
    """
    drawn = tuple(
        HeatGroup(
            name=name,
            rows=tuple(
                pictures.heat_row(row, name, spread(values, layers, depth))
                for row, values in rows.items()
            ),
        )
        for name, rows in groups.items()
    )
    every = [value for rows in groups.values() for values in rows.values() for value in values]
    top = float(np.nanmax(every)) if largest is None else largest
    item = HeatMap(title=title, subject=label, layer=layers[0], seeds=1, groups=drawn)
    pictures.write(item, file, (), linear(top or 1.0))


def spread(values: Floats, layers: Sequence[int], depth: int) -> list[float]:
    """`values` of `layers` among all of `depth` layers, NaN elsewhere."""
    whole = np.full(depth, np.nan)
    whole[list(layers)] = values
    return [float(value) for value in whole]


def by_expert(values: Floats) -> dict[str, Floats]:
    """Rows of a picture from `[layer, expert]`, an expert each."""
    return {f"expert {at}": column for at, column in enumerate(np.asarray(values).T)}
