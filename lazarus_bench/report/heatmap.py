"""Lens heat maps as data: a probability for each prompt and layer, and its colour."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lazarus_bench.report import printed

DECADES = 6
"""Decades below 1 that the colours tell apart; what is less is shown as the least."""

COLOURS = (
    *("#f6efbf", "#cde2a9", "#a0d59d", "#6dc799", "#29b79b", "#13a09a"),
    *("#0d8994", "#11738a", "#0b5e7f", "#044975", "#023370", "#121b60"),
)
"""From the least to the greatest, two a decade, ever darker, so that no eye needs the hues; a dark
page has them in the other order."""

KEY = ("≤ 10⁻⁶", "10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1", "1")
"""What stands at the ends of the decades in a key."""


@dataclass(frozen=True, kw_only=True)
class HeatRow:
    """One prompt: probability of its gold word at every layer, a mean over seeds."""

    prompt: str
    gold: str
    probability: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class HeatGroup:
    """Prompts of one origin."""

    name: str
    rows: tuple[HeatRow, ...]


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """Lens probabilities of gold words, prompt by layer, of one training on one subject.

    Attributes:
        title: What was read; with `subject` it names the heat map in a report.
        subject: Of which model.
        layer: The layer (0-based) that claims speak of; it is marked.
        seeds: How many seeds every probability is a mean over.
        groups: The prompts, in order.

    Raises:
        ValueError: There is no prompt, a group is empty, a prompt has more or fewer layers than
            another, or `layer` is none of them.
    """

    title: str
    subject: str
    layer: int
    seeds: int
    groups: tuple[HeatGroup, ...]

    def __post_init__(self) -> None:
        if not self.groups or not all(group.rows for group in self.groups):
            raise ValueError(f"the heat map {self.title!r} has no prompt, or a group without one")
        depths = {len(row.probability) for group in self.groups for row in group.rows}
        if len(depths) > 1:
            raise ValueError(f"prompts of the heat map {self.title!r} have {sorted(depths)} layers")
        if not 0 <= self.layer < self.depth:
            raise ValueError(f"the heat map {self.title!r} has no layer {self.layer}")

    @property
    def depth(self) -> int:
        """Number of layers."""
        return len(self.groups[0].rows[0].probability)


def level(probability: float) -> int | None:
    """Index into `COLOURS`, by ⌊2 · log₁₀ p⌋ from 10⁻⁶ up; None for NaN.

    The greatest colour begins at 10^−½, and what lies below 10⁻⁶ or above 1 has the nearest.
    """
    if math.isnan(probability):
        return None
    least = 10.0**-DECADES
    steps = 2 * (math.log10(min(max(probability, least), 1.0)) + DECADES)
    # A power of ten begins its colour although its logarithm may round to less.
    return min(int(steps + 1e-9), len(COLOURS) - 1)


def course(item: HeatMap) -> str:
    """Say what there is to see: each group's mean at the marked layer, and its highest cell."""
    return "; ".join(_group(item, group) for group in item.groups)


def _group(item: HeatMap, group: HeatGroup) -> str:
    at_layer = [row.probability[item.layer] for row in group.rows]
    mean = sum(at_layer) / len(at_layer)
    return f"{group.name}: mean {printed.number(mean)} at L{item.layer}, {_highest(group)}"


def _highest(group: HeatGroup) -> str:
    cells = [
        (p, row.prompt, layer)
        for row in group.rows
        for layer, p in enumerate(row.probability)
        if math.isfinite(p)
    ]
    if not cells:
        return "no finite number"
    value, prompt, layer = max(cells, key=lambda cell: cell[0])
    return f"highest {printed.number(value)} at L{layer} of “{prompt.strip()}”"


def over(item: HeatMap) -> str:
    """Say what every probability is a mean over."""
    return f"mean over {item.seeds} seeds" if item.seeds > 1 else "one seed"
