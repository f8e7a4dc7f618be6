"""The claims one a line, fitted to the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lazarus_bench.report import wording
from lazarus_bench.report.printed import cut
from lazarus_bench.report.registry.amendments import Status
from lazarus_bench.report.registry.records import RegisteredClaim
from lazarus_bench.report.terminal import fitted_table

SHORT_DIGEST = 12
_GAP = "   "
_LEAST_WORDS = 24


def list_claims(
    claims: Iterable[RegisteredClaim], width: int, statuses: Mapping[str, Status] | None = None
) -> str:
    """Lay out a line for each claim, none longer than `width`.

    The id, the digest and the region always show. With `statuses`, by id, the status stands in the
    digest's place, what differs below it, and claims that are gone at the end.
    """
    claims = list(claims)
    marks = [statuses[c.id].what if statuses else c.digest[:SHORT_DIGEST] for c in claims]
    lines = _table(claims, marks, width)
    if statuses is None:
        return "\n".join(lines)
    known = {claim.id: line for claim, line in zip(claims, lines, strict=True)}
    return "\n".join(
        line
        for name, status in statuses.items()
        for line in (known.get(name, cut(f"{name}{_GAP}{status.what}", width)), *_below(status))
    )


def _table(claims: list[RegisteredClaim], marks: list[str], width: int) -> list[str]:
    cells = [
        (claim.id, mark, wording.region(claim.region), _asked(claim.decides["subjects"]))
        for claim, mark in zip(claims, marks, strict=True)
    ]
    lines = fitted_table(cells, width).splitlines()
    longest = max(map(len, lines), default=0)
    if width - longest < _LEAST_WORDS + len(_GAP):
        return lines
    says = (str(claim.decides["says"]) for claim in claims)
    return [
        cut(f"{line.ljust(longest)}{_GAP}{words}", width)
        for line, words in zip(lines, says, strict=True)
    ]


def _asked(subjects: list[str]) -> str:
    more = f" +{len(subjects) - 1}" if len(subjects) > 1 else ""
    return f"{subjects[0]}{more}" if subjects else "no model"


def _below(status: Status) -> list[str]:
    return [f"{_GAP}{text}" for text in status.differences]
