"""What became of registered claims: amended, new or gone, and in what they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lazarus_bench.report import wording
from lazarus_bench.report.registry.records import RegisteredClaim

KEPT, AMENDED, NEW, GONE = "as registered", "amended", "new", "gone"

_PHRASES = {
    "says": "what it says",
    "needs": "its trainings",
    "test": "the test that reads and judges",
    "published": "the published number",
    "binary": "whether samples are hits",
    "difference": "whether it is a difference",
    "exploratory": "whether its source left it open",
    "quirk": "the known defect it is about",
    "words": "words that must be single tokens",
    "rule": "the judge's rule",
    "profiles": "the profiles' sizes",
}


@dataclass(frozen=True, kw_only=True)
class Status:
    """What became of one claim: `what` it is now, and a phrase for each difference."""

    what: str
    differences: tuple[str, ...] = ()


def against(then: Iterable[RegisteredClaim], now: Iterable[RegisteredClaim]) -> dict[str, Status]:
    """The status of every claim of either registry; those that are gone come last."""
    before = {claim.id: claim for claim in then}
    found = {claim.id: _status(before.pop(claim.id, None), claim) for claim in now}
    return found | {name: Status(what=GONE) for name in before}


def tally(statuses: Mapping[str, Status]) -> str:
    """Say in a line how many claims are what: "76 as registered, 1 amended"."""
    counts = Counter(status.what for status in statuses.values())
    parts = [f"{counts[what]} {what}" for what in (KEPT, AMENDED, NEW, GONE) if counts[what]]
    return ", ".join(parts)


def _status(then: RegisteredClaim | None, now: RegisteredClaim) -> Status:
    if then is None:
        return Status(what=NEW)
    if then.digest == now.digest:
        return Status(what=KEPT)
    return Status(what=AMENDED, differences=differences(then, now))


def differences(then: RegisteredClaim, now: RegisteredClaim) -> tuple[str, ...]:
    """A phrase for each thing that decides and is not what it was; empty where nothing is."""
    if then.digest == now.digest:
        return ()
    return tuple(_phrases(then, now)) or ("what decides it is written differently",)


def _phrases(then: RegisteredClaim, now: RegisteredClaim) -> Iterator[str]:
    old, new = then.decides, now.decides
    for name in dict.fromkeys((*new, *old)):
        if old.get(name) == new.get(name) or _follows(name, old, new):
            continue
        if name == "region":
            yield f"region {wording.region(then.region)} → {wording.region(now.region)}"
        elif name in ("family_size", "alpha", "level"):
            yield f"{name.replace('_', ' ')} {_short(old.get(name))} → {_short(new.get(name))}"
        elif name == "subjects":
            yield f"subjects {_list(old.get(name))} → {_list(new.get(name))}"
        else:
            yield _PHRASES.get(name, name.replace("_", " "))


def _follows(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a difference is told by another: the level follows from the family's size."""
    return name == "level" and old.get("family_size") != new.get("family_size")


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _list(subjects: Iterable[str] | None) -> str:
    return ", ".join(subjects or ()) or "none"
