"""Heat maps that instruments draw of one model: rows of numbers, one a layer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazarus_bench.figures import PROBABILITY, HeatGroup, HeatMap, HeatRow, linear
from lazarus_bench.figures.tables import prompt_cell

LONGEST = 40
"""Characters of a row's name that are drawn."""

Row = tuple[str, str, Iterable[float]]
"""A row's name, what its numbers are of, and the numbers `[layer]`; NaN is left empty."""


@dataclass(frozen=True, kw_only=True)
class Heat:
    """A heat map with the layers to outline.

    Colours are logarithmic, for probabilities, unless `largest` says where a linear scale ends.
    """

    item: HeatMap
    outlined: Collection[int] = ()
    largest: float | None = None

    @property
    def title(self) -> str:
        """What was read."""
        return self.item.title

    @property
    def subject(self) -> str:
        """Of which model."""
        return self.item.subject

    def svg(self, *, heading: bool = False) -> str:
        """Draw it; `heading` puts title and subject above the drawing."""
        shades = PROBABILITY if self.largest is None else linear(self.largest)
        return self.item.svg(
            heading=heading, outlined=self.outlined, longest=LONGEST, shades=shades
        )


def heat(
    title: str,
    subject: str,
    groups: Iterable[tuple[str, Iterable[Row]]],
    layer: int,
    outlined: Collection[int] = (),
    largest: float | None = None,
) -> Heat:
    """A heat map of `subject`, whose description speaks of `layer`; `groups` are named rows."""
    drawn = []
    for name, rows in groups:
        own = [HeatRow(prompt=p, gold=g, probability=tuple(map(float, v))) for p, g, v in rows]
        drawn.append(HeatGroup(name=name, rows=tuple(own)))
    item = HeatMap(title=title, subject=subject, layer=layer, seeds=1, groups=tuple(drawn))
    # A layer is outlined to set it apart from others.
    outlined = () if len(outlined) == item.depth else outlined
    return Heat(item=item, outlined=outlined, largest=largest)


def spread(values: npt.ArrayLike, layers: Sequence[int], depth: int) -> list[float]:
    """`values` of `layers` among those of all `depth` layers, NaN elsewhere."""
    whole = np.full(depth, np.nan)
    whole[list(layers)] = values
    return [float(value) for value in whole]


def expert_rows(
    name: str, values: npt.ArrayLike, layers: Sequence[int], depth: int
) -> Iterable[Row]:
    """A row for each expert from `[layer, expert]` of `layers`."""
    for expert, column in enumerate(np.asarray(values).T):
        yield f"expert {expert}", name, spread(column, layers, depth)


def prompt_title(prompt: str) -> str:
    """A prompt in a group's name."""
    return prompt_cell(prompt, 3 * LONGEST)
