"""What became of registered claims: amended, new or gone, and how they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lazarus_bench.report import wording
from lazarus_bench.report.registry.records import RegisteredClaim
from lazarus_bench.report.rows import UNREGISTERED

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
    found = {}
    for claim in now:
        old = before.pop(claim.id, None)
        if old is None:
            found[claim.id] = Status(what=NEW)
        else:
            how = differences(old, claim)
            found[claim.id] = Status(what=AMENDED if how else KEPT, differences=how)
    return found | {name: Status(what=GONE) for name in before}


def tally(statuses: Mapping[str, Status]) -> str:
    """Say in a line how many claims are what: "76 as registered, 1 amended"."""
    counts = Counter(status.what for status in statuses.values())
    parts = [f"{counts[what]} {what}" for what in (KEPT, AMENDED, NEW, GONE) if counts[what]]
    return ", ".join(parts)


def differences(then: RegisteredClaim, now: RegisteredClaim) -> tuple[str, ...]:
    """A phrase for each thing that decides the claim and has changed; empty where nothing has."""
    if then.digest == now.digest:
        return ()
    return tuple(_phrases(then, now)) or ("what decides it is written differently",)


def _phrases(then: RegisteredClaim, now: RegisteredClaim) -> Iterator[str]:
    for name in dict.fromkeys((*now.decides, *then.decides)):
        old, new = then.decides.get(name), now.decides.get(name)
        resized = then.decides.get("family_size") != now.decides.get("family_size")
        if old == new or (name == "level" and resized):  # the level follows from the family's size
            continue
        if name == "region":
            yield f"region {wording.region(then.region)} → {wording.region(now.region)}"
        elif name in ("family_size", "alpha", "level"):
            shown = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in (old, new))
            yield f"{name.replace('_', ' ')} {' → '.join(shown)}"
        elif name == "subjects":
            yield f"subjects {' → '.join(', '.join(v or ()) or 'none' for v in (old, new))}"
        else:
            yield _PHRASES.get(name, name.replace("_", " "))


def amended(
    claim: RegisteredClaim, registered: Mapping[str, RegisteredClaim] | None
) -> tuple[str, ...]:
    """How `claim` differs from what is on record; nothing where there is no record at all."""
    if registered is None:
        return ()
    then = registered.get(claim.id)
    return (UNREGISTERED,) if then is None else differences(then, claim)
