"""A probe's accuracy layer by layer beside its controls, for the report to draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lazarus_bench.figures import LayerCurves, LayerSeries, NullBand
from lazarus_bench.session.curves import without_seed

if TYPE_CHECKING:
    from lazarus_bench.analysis.probe_prompts import HeldOut, ProbePrompts
    from lazarus_bench.session.runs import Run

ByLayer = npt.NDArray[np.float64]
UPPER = 0.95


def probe_curves(
    title: str, runs: Sequence[Run], prompts: ProbePrompts, held_out: HeldOut
) -> LayerCurves:
    """Held-out accuracy of every layer, of random weights, and on control tasks, over a null band.

    The null permutes labels inside the split; its upper edge is that of the best layer, the maximum
    taken inside each permutation, so a curve that stays below it shows nothing. All seeds are
    permuted alike, and the null of their mean is the mean of their nulls. Control tasks are those
    of Hewitt and Liang (EMNLP 2019).

    Args:
        title: what was asked, in a few words.
        runs: models of one subject, one a seed, at least one.
        prompts: what the probe reads.
        held_out: what its split holds out.

    Raises:
        UserError: too few prompts for the split.
    """
    read: dict[str, Callable[[Run], Any]] = {
        "accuracy": lambda run: run.probe(prompts, held_out).accuracy,
        "control: random weights": lambda run: run.randomised().probe(prompts, held_out).accuracy,
        "control: control task": lambda run: run.probe_control(prompts, held_out).mean(axis=0),
    }
    nulls = _each(runs, lambda run: run.probe_null(prompts, held_out).permuted).mean(axis=0)
    return LayerCurves(
        title=title,
        subject=without_seed(runs[0]),
        unit=f"fraction, chance {1 / len(prompts.classes):g}",
        layers=tuple(range(nulls.shape[1])),
        series=tuple(LayerSeries.of(name, _each(runs, how).tolist()) for name, how in read.items()),
        null=NullBand(
            name="permuted labels",
            mean=tuple(nulls.mean(axis=0).tolist()),
            upper=float(np.quantile(nulls.max(axis=1), UPPER)),
        ),
    )


def _each(runs: Sequence[Run], read: Callable[[Run], Any]) -> ByLayer:
    return np.stack([np.asarray(read(run), dtype=np.float64) for run in runs])
