"""A probe's accuracy layer by layer beside its controls, as numbers that a report can draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from lazarus_bench.analysis.probe_prompts import ProbePrompts
    from lazarus_bench.analysis.splits import HeldOut
    from lazarus_bench.trials.runs import Run

Floats = npt.NDArray[np.float64]
Curve = tuple[float, ...]
"""One value a layer."""

BAND = (0.05, 0.5, 0.95)
"""Quantiles of the null band's lower edge, middle and upper edge."""


@dataclass(frozen=True, kw_only=True)
class ProbeCurve:
    """Held-out accuracy of every layer, mean over seeds, and what it has to be compared with.

    Attributes:
        title: what was asked, in a few words.
        subject: the model.
        seeds: how many models the means are over.
        chance: one over the number of classes.
        accuracy: of the true labels.
        lowest: of the seed that is lowest at the layer.
        highest: of the seed that is highest at the layer.
        null: the quantiles `BAND` of the accuracy under permuted labels, layer by layer.
        null_best: the upper quantile of the best layer under permuted labels, the maximum taken
            inside each permutation: a curve that stays below it shows nothing.
        control: accuracy on control tasks (Hewitt and Liang, EMNLP 2019).
        random: accuracy in randomly initialised models of the same configuration.
    """

    title: str
    subject: str
    seeds: int
    chance: float
    accuracy: Curve
    lowest: Curve
    highest: Curve
    null: tuple[Curve, Curve, Curve]
    null_best: float
    control: Curve
    random: Curve

    @property
    def selectivity(self) -> Curve:
        """Accuracy minus that on control tasks."""
        return tuple(a - c for a, c in zip(self.accuracy, self.control, strict=True))


def probe_curve(
    title: str, subject: str, runs: Sequence[Run], prompts: ProbePrompts, held_out: HeldOut
) -> ProbeCurve:
    """Read the curve of `runs`, one a seed.

    All seeds are permuted alike, so the null of their mean is the mean of their nulls.

    Raises:
        UserError: too few prompts for the split.
    """
    accuracy = _each(runs, lambda run: run.probe(prompts, held_out).accuracy)
    nulls = _each(runs, lambda run: run.probe_null(prompts, held_out).permuted).mean(axis=0)
    control = _each(runs, lambda run: run.probe_control(prompts, held_out).mean(axis=0))
    random = _each(runs, lambda run: run.randomised().probe(prompts, held_out).accuracy)
    low, middle, high = np.quantile(nulls, BAND, axis=0)
    return ProbeCurve(
        title=title,
        subject=subject,
        seeds=len(runs),
        chance=1 / len(prompts.classes),
        accuracy=_curve(accuracy.mean(axis=0)),
        lowest=_curve(accuracy.min(axis=0)),
        highest=_curve(accuracy.max(axis=0)),
        null=(_curve(low), _curve(middle), _curve(high)),
        null_best=float(np.quantile(nulls.max(axis=1), BAND[-1])),
        control=_curve(control.mean(axis=0)),
        random=_curve(random.mean(axis=0)),
    )


def _each(runs: Sequence[Run], read: Callable[[Run], Any]) -> Floats:
    return np.stack([np.asarray(read(run), dtype=np.float64) for run in runs])


def _curve(values: Floats) -> Curve:
    return tuple(float(value) for value in values)
