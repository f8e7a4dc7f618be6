"""Which verdicts moved between two reports.

A verdict has moved when its outcome is another, and when it is in one of the reports only. Another
estimate with the same outcome has not moved a verdict; it is kept apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lazarus_bench.report.diff.reasons import Reason, amendments, of_pair, of_runs, unpaired
from lazarus_bench.report.rows import Report, Row


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One claim on one subject in both reports; None where a report lacks it.

    Attributes:
        old: Its row in the older report.
        new: Its row in the newer one.
        reasons: What differs on record between the two, and may be why.
    """

    old: Row | None
    new: Row | None
    reasons: tuple[Reason, ...] = ()

    @property
    def row(self) -> Row:
        """A row of it: the newer where there is one."""
        row = self.new or self.old
        assert row is not None
        return row

    @property
    def outcomes(self) -> tuple[str | None, str | None]:
        """The verdict before and after; None where a report lacks it."""
        return _outcome(self.old), _outcome(self.new)

    @property
    def moved(self) -> bool:
        """Whether the verdict is another, or there is only one."""
        before, after = self.outcomes
        return before != after

    @property
    def reestimated(self) -> bool:
        """Whether the verdict is the same and its estimate or interval is not."""
        if self.moved or self.old is None or self.new is None:
            return False
        # By their printed forms: one not-a-number differs from the next.
        return repr(_numbers(self.old)) != repr(_numbers(self.new))


def _outcome(row: Row | None) -> str | None:
    return None if row is None else row.verdict.outcome.value


def _numbers(row: Row) -> tuple[object, ...]:
    estimate = row.verdict.estimate
    return () if estimate is None else (estimate.value, estimate.interval)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two reports and what differs.

    Attributes:
        old: The older report.
        new: The newer one.
        moved: Verdicts that moved, in the order of the newer report, those that are gone last.
        reestimated: The same verdict from another estimate or interval.
        same: How many verdicts rest on the same numbers.
        amended: Claims that both have and that are not the same, each with how they differ.
        runs: What differs between the runs as a whole: profile, code, machine, versions, data.
    """

    old: Report
    new: Report
    moved: tuple[Pair, ...]
    reestimated: tuple[Pair, ...]
    same: int
    amended: Mapping[str, tuple[str, ...]]
    runs: tuple[Reason, ...]

    @property
    def changed(self) -> tuple[Pair, ...]:
        """Verdicts that both reports have and that are not the same."""
        return tuple(pair for pair in self.moved if pair.old and pair.new)

    @property
    def come(self) -> tuple[Pair, ...]:
        """Verdicts that the newer report alone has."""
        return tuple(pair for pair in self.moved if pair.old is None)

    @property
    def gone(self) -> tuple[Pair, ...]:
        """Verdicts that the older report alone has."""
        return tuple(pair for pair in self.moved if pair.new is None)


def compare(old: Report, new: Report) -> Comparison:
    """Compare two reports claim by claim and subject by subject."""
    pairs = _pairs(old, new)
    runs = of_runs(old, new)
    moved = [pair for pair in pairs if pair.moved]
    reestimated = [pair for pair in pairs if pair.reestimated]
    return Comparison(
        old=old,
        new=new,
        moved=_explained(moved, old, new, runs),
        reestimated=_explained(reestimated, old, new, runs),
        same=len(pairs) - len(moved) - len(reestimated),
        amended=_amended(pairs),
        runs=runs,
    )


def _amended(pairs: Iterable[Pair]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for pair in pairs:
        if pair.old is not None and pair.new is not None:
            found.setdefault(pair.new.claim_id, []).extend(amendments(pair.old, pair.new))
    return {name: tuple(dict.fromkeys(how)) for name, how in found.items() if how}


def _pairs(old: Report, new: Report) -> list[Pair]:
    before = {(row.claim_id, row.subject): row for row in old.rows}
    pairs = [Pair(old=before.pop((r.claim_id, r.subject), None), new=r) for r in new.rows]
    return pairs + [Pair(old=row, new=None) for row in before.values()]


def _explained(
    pairs: Iterable[Pair], old: Report, new: Report, runs: tuple[Reason, ...]
) -> tuple[Pair, ...]:
    return tuple(replace(pair, reasons=_reasons(pair, old, new, runs)) for pair in pairs)


def _reasons(pair: Pair, old: Report, new: Report, runs: tuple[Reason, ...]) -> tuple[Reason, ...]:
    if pair.old is None or pair.new is None:
        where, verb = (old, "added") if pair.old is None else (new, "removed")
        return (unpaired(pair.row, where, verb),)
    return of_pair(pair.old, pair.new, old, new, runs)
