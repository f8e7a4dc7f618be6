"""What a report holds, as frozen dataclasses; `schema` is their form on file."""

from collections.abc import Mapping
from dataclasses import dataclass

from lazarus_bench.figures import Curves, HeatMap, LayerCurves, Scatter
from lazarus_bench.judge import Estimate, Pooled, Verdict

SCHEMA_VERSION = 5

UNREGISTERED = "not in the registry"
"""What `Row.amended` says of a claim that was never put on record."""


@dataclass(frozen=True, kw_only=True)
class Secondary:
    """An estimate beside the claim's own: another reading, another model, another prompt set."""

    label: str
    estimate: Estimate


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A published number, and the same one measured with a known defect and without it.

    Attributes:
        reads: What was printed and measured, in words.
        published: The number as printed; None where the writeups print none.
        on: Measured with the defect; None where no model was asked.
        off: Measured without it.
        span: Lowest and highest, where a range was printed in the place of a number; `published`
            then holds its middle.
    """

    reads: str
    published: Estimate | None
    on: Estimate | None = None
    off: Estimate | None = None
    span: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One claim judged on one subject.

    Attributes:
        claim_id: The claim's id, "family/name".
        family: The part before the slash.
        says: The claim in one sentence.
        estimand: What is estimated, in words.
        source: Writeup and section.
        subject: "published", a lab model, or a model that the user named.
        verdict: The verdict on this subject.
        published: The verdict of the same rule on the writeup's own number; None where it printed
            nothing that measures the estimand.
        pinned: The verdict pinned for this row, None where none is.
        digests: Digests of the jobs that the evidence came from.
        seconds: Wall-clock time of the test.
        secondary: Further estimates.
        published_note: What a reader must know about the writeup's number.
        exploratory: Whether the claim is a prediction the writeup left open.
        architecture: The model family as the config of a given model names it ("llama"); empty for
            a lab model, whose name says it, for the writeups' numbers, and before schema 3.
        claim_digest: Digest of everything that decides the claim, whatever the seeds said; empty
            before schema 5.
        amended: How the claim differs from the registry beside its file, a phrase for each
            difference; empty where nothing differs or there is no registry.
        quirk: The known defect of the public source that the claim is about; empty for most, and
            before schema 5.
        quirks: Known defects that were switched on in what was judged.
        explained: What the writeups print that the defect might have produced.
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


@dataclass(frozen=True, kw_only=True)
class LensTable:
    """Lens readings of one subject at one layer (0-based)."""

    title: str
    subject: str
    layer: int
    rows: tuple[LensRow, ...]


@dataclass(frozen=True, kw_only=True)
class PooledFamily:
    """What one model family gives to a pooled estimate.

    Attributes:
        name: The family.
        subjects: The family's subjects that the claim was judged on.
        value: Estimate, the mean over these subjects.
        standard_error: Of `value`, as `judge.pool.standard_error` reads it.
    """

    name: str
    subjects: tuple[str, ...]
    value: float
    standard_error: float


@dataclass(frozen=True, kw_only=True)
class PooledClaim:
    """One claim's estimates on several model families as one; it has no verdict of its own.

    Attributes:
        claim_id: The claim's id.
        families: Those that were pooled, in the order of `result.weights`.
        left_out: Subjects with an estimate that cannot be pooled, each with the reason.
        result: The pooled estimate; None where fewer than two families are left.
    """

    claim_id: str
    families: tuple[PooledFamily, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    result: Pooled | None

    def __post_init__(self) -> None:
        """Each family has its weight.

        Raises:
            ValueError: There are more of one than of the other, or a weight is below 0.
        """
        weights = () if self.result is None else self.result.weights
        if self.result is not None and len(weights) != len(self.families):
            raise ValueError(f"{len(weights)} weights of {len(self.families)} pooled families")
        if any(weight < 0 for weight in weights):
            raise ValueError(f"{min(weights)} is no weight of a pooled family")


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """One training run or analysis: its digest, what it was, and what it cost.

    `quirks` are the known defects that were switched on in it or in what it stands on.
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

    Attributes:
        schema: Version of this layout.
        created: UTC time in ISO 8601.
        profile: The `--lb-profile` of the run.
        command: The command line that made it.
        manifest: Versions, devices and libraries, by name.
        rows: One for each claim and subject, in the order they ran.
        lens_tables: The writeups' prompts before and after training.
        jobs: What the evidence cost.
        curves: What trainings logged, step by step.
        layer_curves: What instruments read, layer by layer.
        heatmaps: Lens probabilities, prompt by layer.
        scatters: Texts in the plane, by class.
        pooled: Claims judged on several model families, one estimate each.
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
