"""The regression gate: ratios of one run that must not fall, and exponents that must not rise.

Absolute times are of a machine and a moment, so none is ever compared. A bound is passed over only
when the whole interval lies beyond it: a noisy run proves no regression.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lazarus_bench.benchmark.document import Curve, Document, Ratio

LEAST: Mapping[str, float] = {
    "SFT over mlx_lm.lora": 1.5,
    "lens over transformers on torch": 1.0,
    "sampling over mlx-lm's batched generation": 3.0,
    "probe over a plain loop": 1.1,
    "probe's null over a plain loop": 4.0,
}
"""What each ratio has to reach, by the beginning of its name: the goal, which the report holds
beside the ratio, or what it was, less a quarter for another machine, where that is more."""

MOST: Mapping[str, float] = {
    "dual reward over SFT": 1.25,
    "SFT's peak memory over mlx_lm.lora's: arithmetic": 0.8,
    "SFT's peak memory over mlx_lm.lora's: 33 random": 1.0,
}
"""What costs may not pass, the same way."""

STEEPEST = 1.25
"""Exponent that nothing which should grow linearly may pass."""


@dataclass(frozen=True, kw_only=True)
class Regression:
    """What went beyond its bound, in one sentence."""

    sentence: str


def regressions(document: Document) -> list[Regression]:
    """Everything in `document` that is certainly beyond its bound."""
    return [
        found
        for found in (*map(_ratio, document.ratios), *map(_curve, document.curves))
        if found is not None
    ]


def _ratio(ratio: Ratio) -> Regression | None:
    least, most = _bound(LEAST, ratio.name), _bound(MOST, ratio.name)
    if least is not None and ratio.found.high < least:
        return Regression(sentence=f"{ratio.name} is {ratio.found}, below {least:g}")
    if most is not None and ratio.found.low > most:
        return Regression(sentence=f"{ratio.name} is {ratio.found}, above {most:g}")
    return None


def _bound(bounds: Mapping[str, float], name: str) -> float | None:
    return next((bound for start, bound in bounds.items() if name.startswith(start)), None)


def _curve(curve: Curve) -> Regression | None:
    if curve.at_most is None or curve.exponent.low <= STEEPEST:
        return None
    return Regression(
        sentence=f"{curve.what} grows with {curve.along} to the power of {curve.exponent}, above "
        f"{STEEPEST:g}"
    )
