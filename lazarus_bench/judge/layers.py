"""Evidence about the best of many layers, free of the optimism of picking it where it is read."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.judge.bounded import one_run
from lazarus_bench.judge.bounds import Array
from lazarus_bench.judge.evidence import Evidence, array, freeze
from lazarus_bench.judge.sampling import Outer, Sampling
from lazarus_bench.judge.student import Student


def left_out_maxima(values: Array) -> Array:
    """Return each prompt's value at the layer that is best on all other prompts.

    Args:
        values: shape (prompts, layers), at least two prompts.

    Returns:
        Shape (prompts,); its mean never exceeds the largest layer mean of the sample.
    """
    others = values.sum(axis=0, keepdims=True) - values
    chosen: Array = values[np.arange(len(values)), others.argmax(axis=1)]
    return chosen


@dataclass(frozen=True, kw_only=True)
class LayerMax(Evidence):
    """The largest over layers of the mean over prompts.

    The largest sample mean overstates the largest true mean, so the two limits rest on different
    readings. The lower one resamples with the maximum inside: each prompt is read at the layer
    that is best on the *other* prompts. The upper one takes the maximum of the layers' own upper
    limits, which needs no correction: missing the best layer's mean takes an error at that layer.
    Several seeds: t over the seeds' left-out means below, over their plain maxima above.

    Attributes:
        values: values[seed][prompt][layer].
    """

    values: Sequence[Sequence[Sequence[float]]]

    def __post_init__(self) -> None:
        freeze(self, 3, "values")

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.values), len(self.values[0])

    @property
    def point(self) -> float:
        return float(array(self.values).mean(axis=1).max(axis=1).mean())

    @property
    def method(self) -> str:
        return f"maximum inside leave-one-out over {self.unit}"

    def sampling(self) -> Sampling:
        values = array(self.values)
        if self.scope == "seeds":
            return self._over_seeds(values)
        layers = tuple(one_run(layer, (0.0, 1.0)) for layer in values[0].T)
        below = one_run(left_out_maxima(values[0]), (0.0, 1.0)) if self.shape[1] > 1 else layers[0]
        return Outer(lows=(below,), highs=layers)

    def _over_seeds(self, values: Array) -> Outer:
        maxima = values.mean(axis=1).max(axis=1)
        single = self.shape[1] == 1
        # One prompt leaves none to choose the layer on: the least layer is the safe reading.
        held = (
            values.min(axis=(1, 2))
            if single
            else np.array([left_out_maxima(run).mean() for run in values])
        )
        return Outer(lows=(Student.of(held),), highs=(Student.of(maxima),))
