"""Claims about results at hand, and the report of their verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from lazarus_bench.codec import MalformedError, from_plain, to_plain
from lazarus_bench.digests import digest_of
from lazarus_bench.errors import UserError
from lazarus_bench.judge import Evidence, Region, Verdict, decide, error_of_looks, region_of
from lazarus_bench.report.schema import Record, Report, Row
from lazarus_bench.results.files import Source, read
from lazarus_bench.results.samples import Pairing, evidence_of
from lazarus_bench.results.table import ARM, CLUSTER, ITEM, VALUE, Columns, Table
from lazarus_bench.versions import versions

FAMILY = "results"
PROFILE = "results at hand"


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A claim about results, as a file of claims or the command line states it.

    Attributes:
        id: "family/name", or the name alone where `family` is given.
        region: such as "> 0", "<= 0.1" or "[-0.01, 0.01]".
        says: the claim in a sentence; by default what region and arms say.
        estimand: the number that it is about; by default what arms and pairing say.
        arms: one whose mean it is about, or two whose difference, the first minus the second.
            By default the arms that there are, in their order.
        pairing: what is paired: items, runs (each arm has items of its own), or nothing.
        clusters: the column of clusters, each of which counts once.
        family: claims of a family share its level.
        looks: registered numbers of runs, of which the level is shared.
        value: the column of values, or the metric.
        source: where the claim comes from.
    """

    id: str
    region: str
    says: str = ""
    estimand: str = ""
    arms: tuple[str, ...] = ()
    pairing: Literal["item", "run", "none"] = "item"
    clusters: str | None = None
    family: str = ""
    looks: tuple[int, ...] = ()
    value: str | None = None
    source: str = "the user's own results"

    def __post_init__(self) -> None:
        """Refuse a name, a region, arms or looks that cannot be, with a ValueError."""
        family, slash, _ = self.id.partition("/")
        if slash and self.family and family != self.family:
            raise ValueError(f"{self.id} is not of the family {self.family}")
        name = self.id if slash else f"{self.family or FAMILY}/{self.id}"
        if not all(name.partition("/")):
            raise ValueError(f"{self.id!r} is no id: write family/name")
        object.__setattr__(self, "family", name.partition("/")[0])
        object.__setattr__(self, "id", name)
        region_of(self.region)
        if len(self.arms) > 2 or len(set(self.arms)) < len(self.arms):
            raise ValueError(f"{self.id} compares {', '.join(self.arms)}: name one arm or two")
        ascending = list(self.looks) == sorted(set(self.looks))
        if not ascending or min(self.looks, default=2) < 2:
            raise ValueError(f"{self.id} has the looks {self.looks}: give ascending ones from 2 on")

    @property
    def place(self) -> Region:
        """The region."""
        return region_of(self.region)


@dataclass(frozen=True, kw_only=True)
class _Stated:
    claims: tuple[Statement, ...]


def statements(content: Any, name: str) -> tuple[Statement, ...]:
    """The claims of a TOML or YAML file's `content`, a list `claims` of tables.

    Raises:
        UserError: the content is none, or two claims have one id.
    """
    try:
        found = from_plain(content, _Stated, name).claims
    except MalformedError as error:
        raise UserError(f"{error}; write [[claims]] with id and region") from error
    twice = [id for id, many in Counter(claim.id for claim in found).items() if many > 1]
    if twice or not found:
        why = f"has the claim {twice[0]} twice" if twice else "has no claim"
        raise UserError(f"{name} {why}: give each its own id")
    return found


def judge_files(
    files: Sequence[Source],
    stated: Sequence[Statement],
    columns: Columns,
    command: str,
    *,
    verdicts: int | None = None,
) -> Report:
    """Judge claims on the results in files.

    Args:
        files: what the arms and runs are in.
        stated: the claims; those of a family share its level.
        columns: the user's names of columns; a claim's own value and clusters come first.
        command: how the user asked for it.
        verdicts: verdicts of each family, where there are more than these claims.

    Raises:
        UserError: a file cannot be judged; the sentence names it, with the column and row.
    """
    sizes = Counter(claim.family for claim in stated)
    tables: dict[Columns, Table] = {}
    rows, records = [], []
    for claim in stated:
        own = replace(
            columns,
            value=claim.value or columns.value,
            clusters=claim.clusters or columns.clusters,
        )
        if own not in tables:
            tables = {own: read(files, own)}
        size = max(verdicts or 1, sizes[claim.family])
        row, record = _judged(claim, tables[own], size)
        rows.append(row)
        records.append(record)
    return report_of(rows, records, command, files)


def _judged(claim: Statement, table: Table, size: int) -> tuple[Row, Record]:
    arms = claim.arms or table.keys[ARM].names
    if len(arms) > 2:
        raise UserError(
            f"{claim.id}: there are the arms {', '.join(arms)[:200]}; name one or two with --arms, "
            f"or as arms in the file of claims"
        )
    evidence = evidence_of(table, arms, claim.pairing)
    looks = max(1, len(claim.looks))
    verdict = decide(evidence, claim.place, family_size=size, looks=looks)
    subject = " − ".join(arms)
    mean = _estimand(table, arms, claim.pairing)
    row = Row(
        claim_id=claim.id,
        family=claim.family,
        says=claim.says or f"The {mean} is {claim.place.describe()}",
        estimand=claim.estimand or mean,
        source=claim.source,
        subject=subject,
        verdict=verdict,
        published=None,
        claim_digest=digest_of({**to_plain(claim), "family_size": size}),
        family_size=size,
        unplanned=_unplanned(claim.looks, verdict, evidence),
    )
    record = Record(
        claim_id=claim.id, subject=subject, evidence=evidence, family_size=size, looks=looks
    )
    return row, record


def _estimand(table: Table, arms: Sequence[str], pairing: Pairing) -> str:
    value = f"mean {table.called.get(VALUE, VALUE)} of {arms[0]}"
    by = f", by clusters of {table.called[CLUSTER]}" if CLUSTER in table.keys else ""
    if len(arms) == 1:
        return f"{value}{by}"
    if pairing == "none":
        return f"{value} minus that of {arms[1]}, unpaired{by}"
    paired = table.called.get(ITEM, ITEM) if pairing == "item" else "run"
    return f"{value} minus that of {arms[1]}, paired by {paired}{by}"


def _unplanned(looks: Sequence[int], verdict: Verdict, evidence: Evidence) -> str:
    """What judging at a number of runs that is not registered costs in error; else nothing."""
    runs = evidence.shape[0]
    if not looks or evidence.scope != "seeds" or runs in looks:
        return ""
    error = error_of_looks(tuple(sorted({*looks, runs})), verdict.level)
    return (
        f"the claim registers looks at {', '.join(map(str, looks))} runs and these are {runs}; who "
        f"looks at all errs {error:.3f} of the time on one side, not "
        f"{(1 - verdict.level) / 2 * len(looks):.3f}"
    )


def report_of(
    rows: Sequence[Row], records: Sequence[Record], command: str, files: Sequence[Source]
) -> Report:
    """A report of rows judged on files, whose digests its manifest holds."""
    read: Mapping[str, str] = {f"data {file.name}": f"SHA-256 {file.digest()}" for file in files}
    return Report(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        profile=PROFILE,
        command=command,
        manifest={**versions(), **read},
        rows=tuple(rows),
        evidence=tuple(records),
    )
