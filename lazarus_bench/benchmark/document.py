"""The results of a benchmark run as one JSON document. Imports no mlx."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lazarus_bench import reading
from lazarus_bench.codec import from_plain, to_plain
from lazarus_bench.errors import UserError
from lazarus_bench.judge.rounds import Floats, Interval, median

SCHEMA = 1
KIND = "benchmark"

T = TypeVar("T")

About = Mapping[str, str | float]
"""What a number depends on besides the machine: sizes, batch, and so on."""


def exactly(value: float) -> Interval:
    """The interval of a number that was measured once."""
    return Interval(value=value, low=value, high=value)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One quantity of one subject in `unit`, such as SFT's training tok/s."""

    group: str
    name: str
    unit: str
    found: Interval
    rounds: int
    bigger_is_better: bool = True
    about: About = field(default_factory=dict)

    @classmethod
    def of(
        cls, group: str, name: str, unit: str, values: Sequence[float] | Floats, more: bool = True
    ) -> Reading:
        """The median of `values` `[round]`; `more` is better, or less."""
        return cls(
            group=group,
            name=name,
            unit=unit,
            found=median(values),
            rounds=len(values),
            bigger_is_better=more,
        )

    @property
    def said(self) -> str:
        """The median with its interval, which one measurement alone does not have."""
        return str(self.found) if self.rounds > 1 else str(self.found).partition(" ")[0]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How one arm compares with another in the same run, and what the ratio should be.

    `found` is a ratio of medians over `rounds` in which both took turns; `about` has sizes and the
    two medians.
    """

    name: str
    found: Interval
    rounds: int
    at_least: float | None = None
    at_most: float | None = None
    about: About = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """Where the interval lies: "met" on the goal's side, "missed" on the other, else "open"."""
        return _outcome(self.found, self.at_least, self.at_most)

    @property
    def goal(self) -> str:
        """The goal as text, such as "≥ 1.5"."""
        return _goal(self.at_least, self.at_most)


def _outcome(found: Interval, at_least: float | None, at_most: float | None) -> str:
    if at_least is not None:
        met, missed = found.low >= at_least, found.high < at_least
    elif at_most is not None:
        met, missed = found.high <= at_most, found.low > at_most
    else:
        return ""
    return "met" if met else "missed" if missed else "open"


def _goal(at_least: float | None, at_most: float | None) -> str:
    if at_least is not None:
        return f"≥ {at_least:g}"
    return "" if at_most is None else f"≤ {at_most:g}"


@dataclass(frozen=True, kw_only=True)
class Curve:
    """How a cost grows along one size: `cost` one a size, `exponent` over all of them.

    `last` is the exponent between the two largest sizes. `unit` is the cost's.
    """

    what: str
    along: str
    unit: str
    sizes: tuple[float, ...]
    cost: tuple[Interval, ...]
    exponent: Interval
    last: Interval
    rounds: int
    at_most: float | None = None
    about: About = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """Whether the exponent over all sizes stays within `at_most`, as `Ratio.outcome`."""
        return _outcome(self.exponent, None, self.at_most)

    @property
    def goal(self) -> str:
        """The goal of the exponent as text."""
        return _goal(None, self.at_most)


OPTIMIZER, MADE, REST = "optimizer", "batch and rollouts", "not explained"
"""Parts of a step outside its gradient's operations."""

WANTED_SHARE = 0.35
"""Share of the machine's product rate that a training should reach."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One kind of work in a step: how many operations, ms each step, and GFLOP where it has any."""

    kind: str
    operations: int
    milliseconds: float
    gflop: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Where a training step's time goes.

    `step` in ms; `parts` by kind of kernel, each timed by itself on the step's own shapes; `phases`
    by stage in ms. `gflop` of matrix products a step, `achieved` GFLOP/s over the whole step,
    `machine` GFLOP/s of the machine's best product and `attainable` of the step's own products.
    """

    recipe: str
    step: Interval
    parts: tuple[Part, ...]
    phases: Mapping[str, float]
    gflop: float
    achieved: float
    machine: float
    attainable: float
    rounds: int
    about: About = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Achieved rate over the machine's."""
        return self.achieved / self.machine

    @property
    def ceiling(self) -> float:
        """The share of a step that took only its operations' own time, and their dispatch.

        No optimizer, no batch, and no Python but what makes an operation: with operations
        dispatched one by one and all they need in cache, no step should be above it.
        """
        least = sum(p.milliseconds for p in self.parts if p.kind not in (OPTIMIZER, MADE, REST))
        return self.gflop / (1e-3 * least) / self.machine if least > 0 else 0.0

    @property
    def outcome(self) -> str:
        """Whether `WANTED_SHARE` is "met", "forbidden" by the operations, or "missed"."""
        if self.share >= WANTED_SHARE:
            return "met"
        return "forbidden" if self.ceiling < WANTED_SHARE else "missed"


@dataclass(frozen=True, kw_only=True)
class Roof:
    """The machine's limit: the rate of one operation at one size."""

    operation: str
    size: str
    rate: Interval
    unit: str


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What was not measured, and why."""

    name: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Document:
    """The results of one or several runs on a machine."""

    created: str
    command: str
    machine: Mapping[str, str]
    model: str
    readings: tuple[Reading, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    curves: tuple[Curve, ...] = ()
    profiles: tuple[Profile, ...] = ()
    roofs: tuple[Roof, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The document as text."""
        body = {"schema": SCHEMA, "kind": KIND, **to_plain(self)}
        return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_document(path: Path) -> Document:
    """The document in a file; UserError if it cannot be read or is something else."""
    try:
        row = reading.read_json(path)
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise UserError(
            f"{path} cannot be read as JSON ({why}): name a file of `lazarus-bench benchmark`"
        ) from error
    if not isinstance(row, dict) or row.get("kind") != KIND or row.get("schema") != SCHEMA:
        raise UserError(
            f"{path} is not a benchmark document of schema {SCHEMA}: make one with `lazarus-bench "
            f"benchmark --output FILE.json`"
        )
    try:
        del row["kind"], row["schema"]
        found = from_plain(row, Document, "document", whole=True)
        _check(found)
    except ValueError as error:
        raise UserError(
            f"{path} is damaged ({error}): regenerate it with "
            f"`lazarus-bench benchmark --output FILE.json`"
        ) from error
    return found


SHOWN = ("device", "blas", "exp", "cores")
"""The fields of a machine that are shown with its numbers."""


def _check(found: Document) -> None:
    """ValueError for numbers that no measurement has; NaN would pass every comparison."""
    for name in SHOWN:
        if name not in found.machine:
            raise ValueError(f"document.machine[{name!r}] is missing")
    positive: list[tuple[str, Interval | float]] = [(r.name, r.found) for r in found.readings]
    positive += [(ratio.name, ratio.found) for ratio in found.ratios]
    positive += [(f"{roof.operation}, {roof.size}", roof.rate) for roof in found.roofs]
    finite: list[tuple[str, Interval | float]] = []
    for curve in found.curves:
        if len(curve.sizes) != len(curve.cost) or len(curve.sizes) < 2:
            raise ValueError(
                f"{curve.what} has {len(curve.cost)} costs for {len(curve.sizes)} sizes"
            )
        positive += [(curve.what, size) for size in curve.sizes]
        positive += [(curve.what, cost) for cost in curve.cost]
        finite += [(curve.what, exponent) for exponent in (curve.exponent, curve.last)]
    for p in found.profiles:
        rates = [p.machine, p.attainable, p.achieved, p.gflop]
        parts = (number for part in p.parts for number in (part.milliseconds, part.gflop))
        positive += [(p.recipe, p.step), *((p.recipe, rate) for rate in rates)]
        finite += [(p.recipe, number) for number in (*parts, *p.phases.values())]
    for above, named in ((0.0, positive), (-math.inf, finite)):
        for name, given in named:
            interval = given if isinstance(given, Interval) else exactly(given)
            for value in (interval.value, interval.low, interval.high):
                if not (math.isfinite(value) and value > above):
                    raise ValueError(
                        f"{name} has {value} where a finite number above {above:g} belongs"
                    )
            if not interval.low <= interval.value <= interval.high:
                raise ValueError(f"{name} has the interval {given}, which does not hold its value")


def by_machine(documents: Sequence[Document]) -> list[Document]:
    """One document of the runs of each model on each device, in the order of their first.

    UserError if there is none, or if runs on one device differ in software.
    """
    if not documents:
        raise UserError("there is no benchmark document: name one or more")
    apart: dict[tuple[str, str], list[Document]] = {}
    for document in documents:
        apart.setdefault((document.machine["device"], document.model), []).append(document)
    return [merged(runs) for runs in apart.values()]


def headings(documents: Sequence[Document]) -> list[str]:
    """The device of each, with the model where several have the same device."""
    devices = [document.machine["device"] for document in documents]
    return [
        device if devices.count(device) == 1 else f"{device}, {document.model}"
        for device, document in zip(devices, documents, strict=True)
    ]


def merged(documents: Sequence[Document]) -> Document:
    """One document of several runs on one machine; of a number measured twice, the later one.

    UserError if they come from different machines.
    """
    first = documents[0]
    for other in documents[1:]:
        for name in ("device", "blas", "exp", "mlx", "mlx-lm", "cores", "threads"):
            if other.machine.get(name) != first.machine.get(name):
                raise UserError(
                    f"the documents come from different machines ({name}: "
                    f"{first.machine.get(name)} and {other.machine.get(name)}): report each alone"
                )
    skipped: dict[str, str] = {}
    for document in documents:  # what one left out, a later one may have measured
        skipped = {name: why for name, why in skipped.items() if not _has(document, name)}
        skipped |= document.skipped
    return Document(
        created=max(d.created for d in documents),
        command="\n".join(d.command for d in documents),
        machine=first.machine,
        model=", ".join(dict.fromkeys(d.model for d in documents)),
        readings=_later(
            ((d.model, r.group, r.name, r.unit), r) for d in documents for r in d.readings
        ),
        ratios=_later((r.name, r) for d in documents for r in d.ratios),
        curves=_later(((c.what, c.along), c) for d in documents for c in d.curves),
        profiles=_later((p.recipe, p) for d in documents for p in d.profiles),
        roofs=_later(((r.operation, r.size), r) for d in documents for r in d.roofs),
        skipped=skipped,
    )


def _has(document: Document, name: str) -> bool:
    """Whether `name`, once left out, was measured: a reading, or a comparison by its start.

    "lens, 32,000 words" is left out of the ratios "lens over transformers on torch: ...".
    """
    readings = {text for r in document.readings for text in (r.name, r.unit, r.group)}
    start = f"{name.split(',')[0]} over "
    return name in readings or any(ratio.name.startswith(start) for ratio in document.ratios)


def _later(keyed: Iterable[tuple[Hashable, T]]) -> tuple[T, ...]:
    """The last value of each key, in the order of the keys' first occurrence."""
    return tuple(dict(keyed).values())
