"""Pins: verdicts on record, so that a run fails when an answer changes and not when rounding does.

`pins.json` beside the claim files holds, for each design (a profile, or "published"), the machine
that put it on record and a pin for each claim on each subject. On a machine of the same kind
(processor, BLAS, versions) the same verdict is due. Elsewhere another rounding makes another
training of the same recipe, so a pin holds what replications give: a verdict moves when it changes
sides, or when its estimate leaves the interval predicted for a replication. What rests on one
training predicts none, so elsewhere it moves only when its control fails or it is not applicable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lazarus_bench import reading
from lazarus_bench.codec import OMITTED, MalformedError, from_plain, to_plain
from lazarus_bench.errors import UserError
from lazarus_bench.judge import Outcome, Verdict

FILE = "pins.json"
ANY = "any"
"""A pin that every verdict fits: a measurement of the machine has none that holds elsewhere."""

_SIDES = {
    Outcome.SUPPORTED: 1,
    Outcome.SUPPORTED_RUN: 1,
    Outcome.REFUTED: -1,
    Outcome.REFUTED_RUN: -1,
    Outcome.INCONCLUSIVE: 0,
    Outcome.MIXED: 0,
}
_SIDES_ON_RECORD = {**_SIDES, Outcome.INVALID: 0}
"""Where a control failed, no side is on record: elsewhere it may pass, but none may fail anew."""

_OF_ONE_RUN = {Outcome.SUPPORTED_RUN, Outcome.REFUTED_RUN}
"""One training speaks of itself alone: of what another gives, nothing is on record."""

_UNDECIDED = 0
_ROUNDING = 1e-6

SEVERAL: Mapping[str, str] = {"made on": "several machines"}
"""In place of a design's machine where its pins come from more than one."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One verdict on record, or "any", with its estimate; None without evidence.

    `low` and `high` are the ends of the interval predicted for a replication's estimate, if there
    is one.
    """

    verdict: str
    estimate: float | None = field(default=None, metadata=OMITTED)
    low: float | None = field(default=None, metadata=OMITTED)
    high: float | None = field(default=None, metadata=OMITTED)

    def __post_init__(self) -> None:
        if self.verdict not in (*Outcome, ANY):
            raise ValueError(f"{self.verdict!r} is not a verdict")

    def moved(self, verdict: Verdict, *, same_machine: bool) -> str:
        """Say how `verdict` departs from the one on record, in one clause; nothing if it does not.

        On the `same_machine` the same verdict is due to the last bit; elsewhere that of one
        training predicts nothing.
        """
        if self.verdict == ANY or verdict.outcome is Outcome.ERROR:
            return ""
        now, then = verdict.outcome, Outcome(self.verdict)
        if same_machine:
            return "" if now == then else f"{then} is on record for this kind of machine"
        if now not in _SIDES or then not in _SIDES_ON_RECORD:
            return "" if now == then else f"{then} is on record"
        if then in _OF_ONE_RUN:
            return ""
        if _UNDECIDED not in (sides := {_SIDES[now], _SIDES_ON_RECORD[then]}) and len(sides) > 1:
            return f"{then} is on record"
        if verdict.estimate is None or self.low is None or self.high is None:
            return ""
        value = verdict.estimate.value
        # A computed number has an interval without width, and rounds differently elsewhere.
        slack = _ROUNDING * max(1.0, abs(value))
        if self.low - slack <= value <= self.high + slack:
            return ""
        return (
            f"the estimate {value:.3g} lies outside [{self.low:.3g}, {self.high:.3g}], "
            "predicted for replications"
        )


@dataclass(frozen=True, kw_only=True)
class Design:
    """One design's pins by subject and claim, and the processor, BLAS and versions behind them."""

    machine: Mapping[str, str]
    claims: Mapping[str, Mapping[str, Pin]]


@dataclass(frozen=True, kw_only=True)
class Pins:
    """What is on record beside one folder's claim files, by design."""

    designs: Mapping[str, Design] = field(default_factory=dict)

    def on_record(self, design: str, subject: str, claim_id: str) -> Pin | None:
        """The pin of a claim on a subject; None where there is none."""
        found = self.designs.get(design)
        return None if found is None else found.claims.get(subject, {}).get(claim_id)

    def made_on(self, design: str, machine: Mapping[str, str]) -> bool:
        """Whether a design's pins were made on a machine of the kind of `machine`."""
        found = self.designs.get(design)
        return found is not None and dict(found.machine) == dict(machine)


def read_pins(directory: Path) -> Pins:
    """The pins in the claim files' `directory`, empty if there are none; UserError if damaged."""
    file = directory / FILE
    if not file.exists():
        return Pins()
    try:
        return from_plain({"designs": reading.read_json(file)}, Pins, FILE)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        why = why if isinstance(error, MalformedError) else f"it cannot be read as JSON: {why}"
        raise UserError(f"{file} is damaged ({why}): fix it, or delete it and pin again") from error


def pin_of(verdict: Verdict) -> Pin:
    """What to put on record for a verdict."""
    estimate, predicted = verdict.estimate, verdict.predicted
    if estimate is None:
        return Pin(verdict=verdict.outcome.value)
    if estimate.scope == "repeats":
        return Pin(verdict=ANY)
    pin = Pin(verdict=verdict.outcome.value, estimate=estimate.value)
    return replace(pin, low=predicted.low, high=predicted.high) if predicted else pin


def updated_pins(
    directory: Path,
    verdicts: Mapping[tuple[str, str, str], Verdict],
    machines: Mapping[str, Mapping[str, str]],
) -> str:
    """The content of `FILE` with `verdicts`, keyed (design, subject, claim), over those on record.

    `machines` has the machine of each design. Where others of a design's pins were made on another
    one, the design has none any more, so that no machine is held to the last bit.
    """
    designs = dict(read_pins(directory).designs)
    for name, machine in machines.items():
        before = designs.get(name, Design(machine=machine, claims={}))
        new = {key[1:]: pin_of(verdict) for key, verdict in verdicts.items() if key[0] == name}
        old = {(s, c): pin for s, those in before.claims.items() for c, pin in those.items()}
        alike = dict(before.machine) == dict(machine) or old.keys() <= new.keys()
        claims: dict[str, dict[str, Pin]] = {}
        for (subject, claim_id), pin in (old | new).items():
            claims.setdefault(subject, {})[claim_id] = pin
        designs[name] = Design(machine=machine if alike else SEVERAL, claims=claims)
    plain = to_plain(Pins(designs=designs))["designs"]
    return json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
