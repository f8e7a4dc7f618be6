"""Readings for github-action-benchmark, tool `customBiggerIsBetter`: what follows speed over time.

Format: a JSON array of `name`, `unit`, `value`, and as text `range` and `extra`
(https://github.com/benchmark-action/github-action-benchmark, *Custom benchmarks*). What is better
when smaller is given as its inverse, so that one file holds all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from lazarus_bench.benchmark.document import Document
from lazarus_bench.judge.rounds import Interval


def bigger_is_better(document: Document) -> str:
    """The file's text."""
    return json.dumps(list(_rows(document)), indent=1, ensure_ascii=False) + "\n"


def _rows(document: Document) -> Iterator[dict[str, str | float]]:
    machine = ", ".join(document.machine[key] for key in ("device", "blas", "exp"))
    for reading in document.readings:
        name = f"{reading.group}: {reading.name}"
        if reading.bigger_is_better:
            yield _row(name, reading.unit, reading.found, machine)
        else:
            yield _row(name, f"1 / ({reading.unit})", inverse(reading.found), machine)
    for ratio in document.ratios:
        falls = ratio.at_most is not None
        found = inverse(ratio.found) if falls else ratio.found
        yield _row(f"inverse of {ratio.name}" if falls else ratio.name, "ratio", found, machine)
    for profile in document.profiles:
        share = Interval(value=profile.share, low=profile.share, high=profile.share)
        yield _row(f"{profile.recipe}: share of the product rate", "share", share, machine)


def inverse(found: Interval) -> Interval:
    """1 / x of an interval of positive numbers."""
    return Interval(value=1 / found.value, low=1 / found.high, high=1 / found.low)


def _row(name: str, unit: str, found: Interval, machine: str) -> dict[str, str | float]:
    return {
        "name": name,
        "unit": unit,
        "value": found.value,
        "range": f"{found.low:.6g} to {found.high:.6g}",
        "extra": machine,
    }
