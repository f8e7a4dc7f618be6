"""The contents of a report as frozen dataclasses, and `report.json`.

A file names its schema version; an unknown version is refused. Version 1 had no curves; version 2
neither layer curves nor pooled estimates; version 3 neither scatters nor seeds' values in its
estimates; version 4 neither digests of claims nor heat maps nor defects; version 5 no predictions,
looks or reasons of what moved.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lazarus_bench.codec import OMITTED, MalformedError, from_plain, to_plain
from lazarus_bench.errors import UserError
from lazarus_bench.figures.heatmap import HeatMap
from lazarus_bench.figures.layers import LayerCurves
from lazarus_bench.figures.scatter import Scatter
from lazarus_bench.figures.training import Curves
from lazarus_bench.judge import Estimate, Evidence, Outcome, Pooled, Verdict
from lazarus_bench.report.files import read_versioned, write_text

SCHEMA_VERSION = 6

UNREGISTERED = "not in the registry"
"""`Row.amended` of a claim that was never registered."""


@dataclass(frozen=True, kw_only=True)
class Secondary:
    """A further estimate: another measurement, another model, another set of prompts."""

    label: str
    estimate: Estimate


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A published number, and the same quantity measured with a known defect and without it.

    `reads` says what was printed and measured, `published` is None where the source prints no
    number, `on` and `off` are None where no model was judged. `span` holds the lowest and highest
    of a printed range, of which `published` is the middle.
    """

    reads: str
    published: Estimate | None
    on: Estimate | None = None
    off: Estimate | None = None
    span: tuple[float, float] | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one registered look showed: the interval with so many `seeds`, and the outcome."""

    seeds: int
    value: float
    low: float
    high: float
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """The samples behind one row, and what else `decide` needs to judge them again.

    `family_size` counts the registered verdicts of the family, `looks` the registered looks that
    share the level.
    """

    claim_id: str
    subject: str
    evidence: Evidence
    family_size: int
    looks: int = 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """One claim judged on one subject.

    Attributes:
        subject: "published", a lab model, or a model named by the user.
        published: The verdict of the same rule on the source's own number; None where it printed
            none for the estimand.
        digests: Those of the jobs behind the evidence.
        exploratory: Whether the source left the prediction open.
        architecture: The model family in the config of a given model ("llama"); empty for a lab
            model, for the published numbers, and before schema 3.
        claim_digest: Digest of everything that decides the claim; empty before schema 5.
        amended: A phrase for each difference from the registry beside the claim's file.
        quirk: The known defect that the claim is about; `quirks` were on in what was judged.
        moved: How the verdict departs from the one on record; empty where it does not.
        family_size: Registered verdicts of its family; 0 before schema 6.
        looks: What each registered look showed, up to the one that decides here.
        unplanned: Where the number of seeds is not a registered one: what that costs in error.
        post_hoc: What was fixed of the claim when numbers of this row's seeds were known.
    """

    claim_id: str
    family: str
    says: str
    estimand: str
    source: str
    subject: str
    verdict: Verdict
    published: Verdict | None
    pinned: str | None = None
    digests: tuple[str, ...] = ()
    seconds: float = 0.0
    secondary: tuple[Secondary, ...] = ()
    published_note: str = ""
    exploratory: bool = False
    architecture: str = ""
    claim_digest: str = ""
    amended: tuple[str, ...] = ()
    quirk: str = ""
    quirks: tuple[str, ...] = ()
    explained: tuple[Explained, ...] = ()
    moved: str = ""
    family_size: int = 0
    looks: tuple[Look, ...] = ()
    unplanned: str = ""
    post_hoc: tuple[str, ...] = field(default=(), metadata=OMITTED)


@dataclass(frozen=True, kw_only=True)
class LensRow:
    """Top lens tokens of one prompt before and after training; probabilities are fractions.

    `gold` is the word that names the prompt's operation.
    """

    prompt: str
    before_token: str
    before_probability: float
    after_token: str
    after_probability: float
    gold: str

    @property
    def names_operation(self) -> bool:
        """Whether the top token after training is the gold word."""
        return self.after_token.strip().lower() == self.gold.strip().lower()


@dataclass(frozen=True, kw_only=True)
class LensTable:
    """Lens measurements of one subject at one layer (0-based)."""

    title: str
    subject: str
    layer: int
    rows: tuple[LensRow, ...]


@dataclass(frozen=True, kw_only=True)
class PooledFamily:
    """One model family's contribution to a pooled estimate: the mean over its subjects."""

    name: str
    subjects: tuple[str, ...]
    value: float
    standard_error: float


@dataclass(frozen=True, kw_only=True)
class PooledClaim:
    """One claim's estimates on several model families, pooled; it has no verdict of its own.

    `families` come in the order of `result.weights`, which is None for fewer than two of them;
    `left_out` has the subjects whose estimate cannot be pooled, each with the reason.
    """

    claim_id: str
    families: tuple[PooledFamily, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    result: Pooled | None

    def __post_init__(self) -> None:
        """Refuse, with a ValueError, families without a weight each, and negative weights."""
        weights = () if self.result is None else self.result.weights
        if self.result is not None and len(weights) != len(self.families):
            raise ValueError(f"{len(weights)} weights for {len(self.families)} pooled families")
        if any(weight < 0 for weight in weights):
            raise ValueError(f"the weight of a pooled family is {min(weights)}, below 0")


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """One training run or analysis: its digest, what it was, and what it cost.

    `quirks` are the known defects switched on in it or in the trainings it starts from.
    """

    digest: str
    what: str
    seconds: float
    tokens_per_second: float | None
    cached: bool
    quirks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything a rendering needs.

    `created` is UTC in ISO 8601, `manifest` has versions, devices and libraries by name, `rows` one
    row for each claim and subject in the order they ran, and `jobs` what the evidence cost; the
    samples in `evidence` are kept in a file of their own.
    """

    schema: int = SCHEMA_VERSION
    created: str
    profile: str
    command: str
    manifest: Mapping[str, str]
    rows: tuple[Row, ...] = ()
    lens_tables: tuple[LensTable, ...] = ()
    jobs: tuple[JobRow, ...] = ()
    curves: tuple[Curves, ...] = ()
    layer_curves: tuple[LayerCurves, ...] = ()
    heatmaps: tuple[HeatMap, ...] = ()
    scatters: tuple[Scatter, ...] = ()
    pooled: tuple[PooledClaim, ...] = ()
    evidence: tuple[Record, ...] = field(default=(), metadata=OMITTED)


_ADDED: dict[int, tuple[str, ...]] = {
    1: (),
    2: ("curves",),
    3: ("layer_curves", "pooled"),
    4: ("scatters",),
    5: ("heatmaps",),
    6: (),
}
"""The fields of a report that each version added."""


def _with_reason(row: Any) -> Any:
    """A row of an older report: one training's verdict says so, and what moved says why."""
    if not isinstance(row, dict) or not isinstance(row.get("verdict"), dict):
        return row
    pinned = row.get("pinned")
    moved = pinned not in (None, row["verdict"].get("outcome"))
    judged = {name: _of_one_run(row.get(name)) for name in ("verdict", "published") if name in row}
    return {**row, **judged, **({"moved": f"{pinned} is on record"} if moved else {})}


def _of_one_run(verdict: Any) -> Any:
    """An older verdict, under today's name where it rests on one training."""
    estimate = verdict.get("estimate") if isinstance(verdict, dict) else None
    single = isinstance(estimate, dict) and estimate.get("scope") == "run"
    if not single or verdict.get("outcome") not in (Outcome.SUPPORTED, Outcome.REFUTED):
        return verdict
    return {**verdict, "outcome": f"{verdict['outcome']} for this run"}


def from_dict(data: Mapping[str, Any]) -> Report:
    """Build a report from its plain JSON; a MalformedError names the first place that is wrong."""
    return from_plain(data, Report, "report", whole=True)


def save(report: Report, path: Path) -> None:
    """Write `report` without its samples to `path` as JSON, whole or not at all, or a UserError."""
    report = replace(report, evidence=())
    text = json.dumps(to_plain(report), ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    write_text(text, path)


def load(path: Path) -> Report:
    """Read a report that `save` wrote; one of an older version becomes one of this version.

    UserError if the file is missing, is no report, or has a schema version unknown here.
    """
    data = read_versioned(
        path,
        kind="report",
        key="schema",
        versions=tuple(_ADDED),
        remedy="an existing report.json",
        again="run the hypotheses again",
    )
    added = [name for version in _ADDED if version > data["schema"] for name in _ADDED[version]]
    if data["schema"] < 6:  # from then on a row says why it moved
        data["rows"] = [*map(_with_reason, data.get("rows", ()))]
    try:
        return from_dict(data | dict.fromkeys(added, ()) | {"schema": SCHEMA_VERSION})
    except MalformedError as error:
        raise UserError(
            f"{path} is damaged ({error}); run the hypotheses again to regenerate it"
        ) from error
