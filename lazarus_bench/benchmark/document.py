"""What a run of the benchmarks found, as one JSON document. No mlx here."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lazarus_bench.codec import from_plain, to_plain
from lazarus_bench.errors import UserError
from lazarus_bench.judge.rounds import Interval

SCHEMA = 1
KIND = "benchmark"

T = TypeVar("T")

About = Mapping[str, str | float]
"""What a number depends on besides the machine: sizes, batch, what counts."""


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

    @property
    def said(self) -> str:
        """The median with its interval, which one measurement alone has not."""
        return str(self.found) if self.rounds > 1 else str(self.found).partition(" ")[0]


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How one arm compares with another in the same run, and what the ratio should be.

    Attributes:
        name: such as "SFT: tokens a second, over mlx_lm.lora".
        found: the ratio of medians.
        rounds: in which both were measured in turn.
        at_least: what it should reach; None where nothing is asked from below.
        at_most: what it should not pass.
        about: sizes, and the two medians.
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
        if self.at_least is not None:
            return _outcome(self.found.low >= self.at_least, self.found.high < self.at_least)
        if self.at_most is not None:
            return _outcome(self.found.high <= self.at_most, self.found.low > self.at_most)
        return ""


def _outcome(met: bool, missed: bool) -> str:
    return "met" if met else "missed" if missed else "open"


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
        if self.at_most is None:
            return ""
        return _outcome(self.exponent.high <= self.at_most, self.exponent.low > self.at_most)


OPTIMIZER, MADE, REST = "optimizer", "batch and rollouts", "not explained"
"""Parts of a step that are none of its gradient's operations."""

WANTED_SHARE = 0.35
"""Of the machine's product rate, what a training should reach."""


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

        No optimizer, no batch, and no Python but what makes an operation: as they are dispatched,
        each by itself and with all it needs in cache, no step should come above it.
        """
        least = sum(p.milliseconds for p in self.parts if p.kind not in (OPTIMIZER, MADE, REST))
        return self.gflop / (1e-3 * least) / self.machine if least > 0 else 0.0

    @property
    def outcome(self) -> str:
        """Whether `WANTED_SHARE` is "met", "forbidden" by the operations, or "missed"."""
        if self.share >= WANTED_SHARE:
            return "met"
        return "forbidden" if self.ceiling < WANTED_SHARE else "missed"

    def dearest(self, count: int) -> list[Part]:
        """The `count` parts that take most of a step, products and what is not explained aside."""
        other = [p for p in self.parts if p.kind != REST and not p.gflop]
        return sorted(other, key=lambda part: -part.milliseconds)[:count]


@dataclass(frozen=True, kw_only=True)
class Roof:
    """What the machine does at most: a rate of one operation at one size."""

    operation: str
    size: str
    rate: Interval
    unit: str


@dataclass(frozen=True, kw_only=True)
class Document:
    """All that one or several runs found, and the machine each section came from."""

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
    """The document in a file.

    Raises:
        UserError: it cannot be read, or is not a benchmark document.
    """
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
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
            f"{path} is damaged ({error}): make it anew with "
            f"`lazarus-bench benchmark --output FILE.json`"
        ) from error
    return found


SHOWN = ("device", "blas", "exp", "cores")
"""What of a machine is shown wherever its numbers are."""


def _check(found: Document) -> None:
    """Refuse numbers that no measurement has; NaN would slip through every comparison.

    Raises:
        ValueError: a number is not finite or too small, or an interval does not hold its value.
    """
    for name in SHOWN:
        if name not in found.machine:
            raise ValueError(f"document.machine[{name!r}] is missing")
    intervals = [(reading.name, reading.found) for reading in found.readings]
    intervals += [(ratio.name, ratio.found) for ratio in found.ratios]
    intervals += [(f"{roof.operation}, {roof.size}", roof.rate) for roof in found.roofs]
    for name, interval in intervals:
        _check_interval(name, interval)
    for curve in found.curves:
        _check_numbers(curve.what, curve.sizes, above=0.0)
        if len(curve.sizes) != len(curve.cost) or len(curve.sizes) < 2:
            raise ValueError(
                f"{curve.what} has {len(curve.cost)} costs for {len(curve.sizes)} sizes"
            )
        for cost in curve.cost:
            _check_interval(curve.what, cost)
        for exponent in (curve.exponent, curve.last):
            _check_interval(curve.what, exponent, above=-math.inf)
    for profile in found.profiles:
        _check_interval(profile.recipe, profile.step)
        rates = (profile.machine, profile.attainable, profile.achieved, profile.gflop)
        _check_numbers(profile.recipe, rates, above=0.0)
        parts = (number for part in profile.parts for number in (part.milliseconds, part.gflop))
        _check_numbers(profile.recipe, (*parts, *profile.phases.values()), above=-math.inf)


def _check_interval(name: str, found: Interval, above: float = 0.0) -> None:
    _check_numbers(name, (found.value, found.low, found.high), above)
    if not found.low <= found.value <= found.high:
        raise ValueError(f"{name} has the interval {found}, which does not hold its value")


def _check_numbers(name: str, values: Iterable[float], above: float) -> None:
    for value in values:
        if not (math.isfinite(value) and value > above):
            raise ValueError(f"{name} has {value} where a finite number above {above:g} belongs")


def by_machine(documents: Sequence[Document]) -> list[Document]:
    """One document of the runs of each model on each device, in the order of their first.

    Raises:
        UserError: there is none, or runs on one device differ in software.
    """
    if not documents:
        raise UserError("there is no benchmark document: name one or more")
    apart = dict.fromkeys(map(_place, documents))
    return [merged([d for d in documents if _place(d) == place]) for place in apart]


def _place(document: Document) -> tuple[str, str]:
    return document.machine["device"], document.model


def headings(documents: Sequence[Document]) -> list[str]:
    """The device of each, with the model where it alone does not tell them apart."""
    devices = [document.machine["device"] for document in documents]
    return [
        device if devices.count(device) == 1 else f"{device}, {document.model}"
        for device, document in zip(devices, documents, strict=True)
    ]


def merged(documents: Sequence[Document]) -> Document:
    """One document of several runs on one machine; of a number measured twice, the later one.

    Raises:
        UserError: they come from different machines.
    """
    first = documents[0]
    for other in documents[1:]:
        for name in ("device", "blas", "exp", "mlx", "mlx-lm", "cores", "threads"):
            if other.machine.get(name) != first.machine.get(name):
                raise UserError(
                    f"the documents come from different machines ({name}: "
                    f"{first.machine.get(name)} and {other.machine.get(name)}): report each alone"
                )
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
        skipped=_left_out(documents),
    )


def _left_out(documents: Sequence[Document]) -> dict[str, str]:
    """What none of the documents has: what one left out, a later one may have measured."""
    found: dict[str, str] = {}
    for document in documents:
        found = {name: why for name, why in found.items() if not _has(document, name)}
        found |= document.skipped
    return found


def _has(document: Document, name: str) -> bool:
    """Whether what is left out under `name` was measured: a reading, or a comparison by its start.

    "lens, 32,000 words" is left out of the ratios "lens over transformers on torch: ...".
    """
    readings = {text for r in document.readings for text in (r.name, r.unit, r.group)}
    start = f"{name.split(',')[0]} over "
    return name in readings or any(ratio.name.startswith(start) for ratio in document.ratios)


def _later(keyed: Iterable[tuple[Hashable, T]]) -> tuple[T, ...]:
    """The last value of each key, in the order of the keys' first occurrence."""
    return tuple(dict(keyed).values())
