"""Speed over time: the gate of one run, and the file that github-action-benchmark follows.

Absolute times depend on a machine and a moment, so the gate compares none: ratios of one run must
not fall, and exponents must not rise. A bound is passed only when the whole interval is beyond it:
a noisy run proves no regression.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from lazarus_bench.benchmark.document import Document, exactly
from lazarus_bench.judge.rounds import Interval

LEAST: Mapping[str, float] = {
    "SFT over mlx_lm.lora": 1.5,
    "lens over transformers on torch": 1.0,
    "sampling over mlx-lm's batched generation": 3.0,
    "probe over a plain loop": 1.1,
    "probe's null over a plain loop": 4.0,
}
"""The bound of each ratio, by the beginning of its name: the goal, which the report shows beside
the ratio, or an earlier result less a quarter for another machine, whichever is larger."""

MOST: Mapping[str, float] = {
    "dual reward over SFT": 1.25,
    "SFT's peak memory over mlx_lm.lora's: arithmetic": 0.8,
    "SFT's peak memory over mlx_lm.lora's: 33 random": 1.0,
}
"""Upper bounds of costs, the same way."""

STEEPEST = 1.25
"""Largest exponent of a cost that should grow linearly."""


def regressions(document: Document) -> list[str]:
    """A sentence for everything in `document` that is certainly beyond its bound."""
    found = []
    for ratio in document.ratios:
        least, most = _bound(LEAST, ratio.name), _bound(MOST, ratio.name)
        if least is not None and ratio.found.high < least:
            found.append(f"{ratio.name} is {ratio.found}, below {least:g}")
        elif most is not None and ratio.found.low > most:
            found.append(f"{ratio.name} is {ratio.found}, above {most:g}")
    return found + [
        f"{curve.what} grows with {curve.along} to the power of {curve.exponent}, above "
        f"{STEEPEST:g}"
        for curve in document.curves
        if curve.at_most is not None and curve.exponent.low > STEEPEST
    ]


def _bound(bounds: Mapping[str, float], name: str) -> float | None:
    return next((bound for start, bound in bounds.items() if name.startswith(start)), None)


def bigger_is_better(document: Document) -> str:
    """The text of a file for github-action-benchmark, tool `customBiggerIsBetter`.

    A JSON array of `name`, `unit`, `value`, and as text `range` and `extra`
    (https://github.com/benchmark-action/github-action-benchmark, *Custom benchmarks*). What is
    better when smaller is given as its inverse, so that one file holds all.
    """
    machine = ", ".join(document.machine[key] for key in ("device", "blas", "exp"))
    rows = [
        {
            "name": name,
            "unit": unit,
            "value": found.value,
            "range": f"{found.low:.6g} to {found.high:.6g}",
            "extra": machine,
        }
        for name, unit, found in _rows(document)
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def _rows(document: Document) -> Iterator[tuple[str, str, Interval]]:
    for reading in document.readings:
        name = f"{reading.group}: {reading.name}"
        if reading.bigger_is_better:
            yield name, reading.unit, reading.found
        else:
            yield name, f"1 / ({reading.unit})", inverse(reading.found)
    for ratio in document.ratios:
        if ratio.at_most is None:
            yield ratio.name, "ratio", ratio.found
        else:
            yield f"inverse of {ratio.name}", "ratio", inverse(ratio.found)
    for profile in document.profiles:
        yield f"{profile.recipe}: share of the product rate", "share", exactly(profile.share)


def inverse(found: Interval) -> Interval:
    """1 / x of an interval of positive numbers."""
    return Interval(value=1 / found.value, low=1 / found.high, high=1 / found.low)
