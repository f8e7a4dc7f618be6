"""One claim on one subject: from the evidence a test hands over to the row of the report."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lazarus_bench.claims.claim import REGISTRY, Claim, OnOff, family_sizes
from lazarus_bench.claims.claim_files import nearest
from lazarus_bench.claims.finding import Finding
from lazarus_bench.claims.history import Event, post_hoc
from lazarus_bench.claims.pins import Pins, read_pins
from lazarus_bench.claims.profiles import asked as asked_subjects
from lazarus_bench.claims.subjects import COMPUTED, PUBLISHED, is_model, lab_family
from lazarus_bench.claims.trained import SEEDS, Trained, asked_by, parameters
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.figures.heatmap import HeatMap
from lazarus_bench.figures.layers import LayerCurves
from lazarus_bench.figures.scatter import Scatter
from lazarus_bench.figures.training import Curves
from lazarus_bench.judge import (
    Control,
    Estimate,
    Evidence,
    Looks,
    Outcome,
    Reported,
    Verdict,
    decide,
    family_level,
    not_applicable,
)
from lazarus_bench.report.defects import manifest_lines
from lazarus_bench.report.pooling import pool_rows
from lazarus_bench.report.registry import (
    RegisteredClaim,
    amended,
    draw_up,
    read_registered,
)
from lazarus_bench.report.schema import (
    Explained,
    LensTable,
    Look,
    Record,
    Report,
    Row,
    Secondary,
)
from lazarus_bench.session.controls import overlap
from lazarus_bench.session.options import MOVED
from lazarus_bench.session.samples import asked_of
from lazarus_bench.versions import versions

if TYPE_CHECKING:
    from lazarus_bench.jobs.spec import Job
    from lazarus_bench.session.session import Session

Shown = LensTable | Curves | LayerCurves | HeatMap | Scatter
PLACES: Mapping[type[Shown], str] = {
    LensTable: "lens_tables",
    Curves: "curves",
    LayerCurves: "layer_curves",
    HeatMap: "heatmaps",
    Scatter: "scatters",
}
"""Where a report keeps each kind of what a test shows."""


class NoVerdict(Exception):
    """A claim's test returned no evidence."""


@dataclass(kw_only=True)
class Trial:
    """One claim put to one subject.

    `jobs`, the trainings that it reads, and `hopeless`, why no outcome of this design could decide
    it, are known once `plan` was called; `verdict` and the `evidence` behind it once it is judged.
    `planned` are the registered looks where sampling stops once the claim is decided, `seeds` the
    look at hand (None for the profile's own number), `path` what each look showed so far.
    """

    claim: Claim
    subject: str
    family_size: int
    digest: str = ""
    amended: tuple[str, ...] = ()
    history: tuple[Event, ...] = ()
    pins: Pins = field(default_factory=Pins)
    jobs: Sequence[Job] = ()
    hopeless: str | None = None
    verdict: Verdict | None = None
    evidence: Evidence | None = None
    planned: Looks | None = None
    seeds: int | None = None
    path: list[Look] = field(default_factory=list)
    secondary: list[Secondary] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    measured: dict[str, tuple[Estimate, Estimate]] = field(default_factory=dict)

    def __call__(self, evidence: Evidence, controls: Sequence[Control] = ()) -> Verdict:
        """Judge `evidence` by the claim's region; a failed control makes it invalid."""
        if self.verdict is not None:
            raise ValueError(f"{self.claim.id} is judged twice in one test; judge it once")
        self.evidence, self.verdict = evidence, self.decided(evidence, controls)
        return self.verdict

    def decided(self, evidence: Evidence, controls: Sequence[Control] = ()) -> Verdict:
        """The rule's verdict on `evidence`, which it does not keep."""
        return decide(
            evidence,
            self.claim.region,
            family_size=self.family_size,
            controls=controls,
            looks=self.looks,
        )

    @property
    def looks(self) -> int:
        """How many registered looks share the level."""
        return len(self.planned.sizes) if self.planned else 1

    def add(self, item: Shown | tuple[str, Evidence | OnOff]) -> None:
        """Put what a `@beside` function yielded next to the verdict, where it is not judged.

        A figure or table is shown once for each title and subject. A labelled estimate is of
        another measurement, or of what a defect explains: evidence with it and without it, which is
        shown next to the number that the finding `explains` under the same label.
        """
        if not isinstance(item, tuple):
            self.shown.append(item)
            return
        label, evidence = item
        if not isinstance(evidence, OnOff):
            estimate = evidence.estimate(self.level)
            self.secondary.append(Secondary(label=label, estimate=estimate))
            return
        if not self.claim.quirk:
            raise ValueError(f"{self.claim.id} is about no defect; register it with quirk=...")
        on, off = evidence
        self.measured[label] = on.estimate(self.level), off.estimate(self.level)

    @property
    def level(self) -> float:
        """The level of the claim's intervals."""
        return family_level(self.family_size * self.looks)

    def plan(self, session: Session) -> Sequence[Job]:
        """Look up the trainings that it reads; none where no outcome could decide it."""
        with session.at_seeds(self.seeds):
            self.hopeless = session.unattainable(self.claim, self.subject, self.level)
            self.jobs = [] if self.hopeless else session.needed(self.claim, self.subject)
        return self.jobs

    def without_evidence(self, outcome: Outcome, reason: str) -> Verdict:
        """The verdict where no evidence was, or could be, taken."""
        return Verdict(
            outcome=outcome,
            reason=reason,
            estimate=None,
            region=self.claim.region,
            level=self.level,
        )

    def judge_published(self) -> Verdict:
        """The rule on the source's own number.

        A source that prints nothing for the estimand gives "not applicable", with its note.
        """
        finding = self.claim.finding
        if finding.evidence is None:
            return not_applicable(self.claim.region, finding.note)
        return decide(finding.evidence, self.claim.region, family_size=self.family_size)


def matches(claim_id: str, wanted: str) -> bool:
    """Whether `wanted` names a claim.

    It is the claim's id, the id without its variant in brackets, its family, or a pattern in which
    `*` stands for any part of the id.
    """
    pattern = "".join(
        ".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", wanted)
    )
    named = (claim_id, claim_id.partition("[")[0], claim_id.partition("/")[0])
    return wanted in named or re.fullmatch(pattern, claim_id) is not None


def select(claims: Sequence[Claim], wanted: Sequence[str]) -> tuple[Claim, ...]:
    """The claims that one of `wanted` names, in their own order; all where none is wanted.

    Raises:
        UserError: a name means no claim, with the nearest that there are.
    """
    for name in wanted:
        if not any(matches(claim.id, name) for claim in claims):
            known = [*dict.fromkeys(claim.family for claim in claims), *(c.id for c in claims)]
            raise UserError(
                f"no claim and no family is called {name}{nearest(name, known)}: "
                f"`lazarus-bench claims list` lists them"
            )
    return tuple(c for c in claims if not wanted or any(matches(c.id, name) for name in wanted))


def put_to_models(
    chosen: Iterable[Claim], claims: Iterable[Claim], models: Sequence[str], profile: str
) -> Iterator[Trial]:
    """Each of the `chosen` ones of all `claims` with each model that a session asks it of.

    That is what pytest collects: the user's `models`, else those of the claim's own subjects that
    the `profile` asks; none for a claim on computed numbers.
    """
    sizes = family_sizes(claims)
    for claim in chosen:
        named = tuple(dict.fromkeys(models)) or asked_subjects(profile, claim.subjects)
        for subject in named if claim.subjects else ():
            yield Trial(claim=claim, subject=subject, family_size=sizes[claim.family])


def put_on_trial(asked: Iterable[tuple[Claim, str, Path]]) -> list[Trial]:
    """A trial for each claim on each subject, given with the folder of the claim's file.

    Each knows whether its claim is the one on record, and the verdicts on record.

    Raises:
        UserError: what is on record in a folder is damaged.
    """
    asked = list(asked)
    folders = dict.fromkeys(folder for _, _, folder in asked)
    on_record = {folder: (read_pins(folder), read_registered(folder)) for folder in folders}
    sizes = {claim.id: REGISTRY.size(claim.family) for claim, _, _ in asked}
    claims = {claim.id: claim for claim, _, _ in asked}
    entries = {name: draw_up(claim, sizes[name]) for name, claim in claims.items()}
    return [
        Trial(
            claim=claim,
            subject=subject,
            family_size=sizes[claim.id],
            digest=entries[claim.id].digest,
            amended=amended(entries[claim.id], on_record[folder][1]),
            history=_past(claim.id, on_record[folder][1]),
            pins=on_record[folder][0],
        )
        for claim, subject, folder in asked
    ]


def _past(name: str, record: Mapping[str, RegisteredClaim] | None) -> tuple[Event, ...]:
    return record[name].history if record and name in record else ()


def _seeds(session: Session, subject: str, verdict: Verdict) -> tuple[int, ...]:
    """The seeds that a verdict rests on; none of a published number and of a user's own model."""
    estimate = verdict.estimate
    if estimate is None or not (subject == COMPUTED or lab_family(subject)):
        return ()
    return session.numbered(estimate.seeds if estimate.scope == "seeds" else 1)


def judge(
    session: Session,
    trial: Trial,
    test: Callable[..., object],
    fixtures: Mapping[str, Any],
) -> Report:
    """Judge one claim on one subject: published numbers as they are, all else by its `test`.

    `fixtures` are the values of those parameters of the claim's functions that are no runs. The
    report has the one row and what belongs to it.

    Raises:
        NoVerdict: the test returned no evidence.
    """
    start = time.perf_counter()
    claim = trial.claim
    with session.defects_read() as read:
        printed = trial.subject == PUBLISHED
        verdict = trial.judge_published() if printed else _asked(session, trial, test, fixtures)
    evidence = claim.published if printed else trial.evidence
    if trial.subject == COMPUTED and evidence is not None and evidence == claim.published:
        trial.subject = PUBLISHED  # its test handed the finding's own numbers on
    spent = time.perf_counter() - start
    return _report(session, trial, verdict, evidence, read=read, seconds=spent)


def unjudged(session: Session, trial: Trial, outcome: Outcome, reason: str) -> Report:
    """The report of a claim whose test gave no verdict: it broke, or was skipped."""
    return _report(session, trial, trial.without_evidence(outcome, reason), None)


def _report(
    session: Session,
    trial: Trial,
    verdict: Verdict,
    evidence: Evidence | None,
    *,
    read: Iterable[str] = (),
    seconds: float = 0.0,
) -> Report:
    """The report of one row, and of what belongs to it."""
    claim, published = trial.claim, trial.judge_published()
    model, ours = is_model(trial.subject), trial.subject != PUBLISHED
    seeded = model or (ours and SEEDS in parameters(claim.test or unjudged))
    others = tuple(
        Secondary(label=other.label, estimate=other.evidence.estimate(trial.level))
        for other in claim.finding.others
    )
    design = session.design(claim, trial.subject)
    pin = trial.pins.on_record(design, trial.subject, claim.id)
    pin = None if session.options.update_pins else pin
    same = pin is not None and trial.pins.made_on(design, session.machine(trial.subject))
    trained = (quirk for job in trial.jobs for quirk in job.quirks)
    row = Row(
        claim_id=claim.id,
        family=claim.family,
        says=claim.says,
        estimand=claim.estimand,
        source=claim.finding.source,
        subject=trial.subject,
        verdict=verdict,
        published=published,
        pinned=pin.verdict if pin else None,
        moved=pin.moved(verdict, same_machine=same) if pin else "",
        family_size=trial.family_size,
        looks=tuple(trial.path),
        unplanned=session.unplanned(verdict) if seeded else "",
        post_hoc=post_hoc(trial.history, _seeds(session, trial.subject, verdict)),
        digests=tuple(job.digest for job in trial.jobs),
        seconds=round(seconds, 3),
        secondary=tuple(trial.secondary) if ours else others,
        published_note=claim.finding.note,
        exploratory=claim.exploratory,
        architecture=session.subject(trial.subject).model_type if model else "",
        claim_digest=trial.digest,
        amended=trial.amended,
        quirk=claim.quirk,
        quirks=tuple(dict.fromkeys([*trained, *sorted(read)])),
        explained=explained(claim.finding, trial.measured, trial.level),
    )
    records = [
        Record(
            claim_id=claim.id,
            subject=trial.subject,
            evidence=found,
            family_size=trial.family_size,
            looks=trial.looks if model else 1,
        )
        for found in (evidence,)
        if found is not None
    ]
    return Report(
        created=_now(),
        profile=session.profile.name,
        command="",
        manifest=session.seed_lines | session.data_lines | session.precision_lines(trial.subject),
        rows=(row,),
        jobs=session.job_rows(trial.jobs),
        evidence=tuple(records),
        **_placed(trial.shown),
    )


def _asked(
    session: Session, trial: Trial, test: Callable[..., object], fixtures: Mapping[str, Any]
) -> Verdict:
    claim = trial.claim
    try:
        if trial.hopeless is not None:
            session.check_words(trial.subject, claim.words)
            return trial.without_evidence(Outcome.INCONCLUSIVE, trial.hopeless)
        with session.at_seeds(trial.seeds):
            evidence, controls = measured(session, trial, test, fixtures)
            trial(evidence, controls=controls)
            for function in claim.shown:
                for item in function(**arguments(session, trial.subject, function, fixtures)):
                    trial.add(item)
    except NotApplicable as reason:
        return not_applicable(claim.region, str(reason))
    except UserError as error:
        return trial.without_evidence(Outcome.INVALID, str(error))
    assert trial.verdict is not None
    return trial.verdict


def measured(
    session: Session, trial: Trial, test: Callable[..., object], fixtures: Mapping[str, Any]
) -> tuple[Evidence, list[Control]]:
    """What a claim's test measures, with the controls it returns and those that are implied.

    Raises:
        NoVerdict: it returned no evidence.
        NotApplicable: the subject cannot be asked.
        UserError: a training failed.
    """
    found = test(**arguments(session, trial.subject, test, fixtures))
    evidence, *controls = found if isinstance(found, tuple) and found else (found,)
    if not isinstance(evidence, Evidence):
        gave = "None" if evidence is None else f"a {type(evidence).__name__}"
        raise NoVerdict(f"{trial.claim.id}: its test must return evidence, and it returned {gave}")
    return evidence, [*implied(evidence), *controls]


def arguments(
    session: Session, subject: str, function: Callable[..., object], fixtures: Mapping[str, Any]
) -> dict[str, Any]:
    """What to call one of a claim's functions with: runs where it asks for them, else fixtures.

    Raises:
        NotApplicable: the subject cannot be asked.
        UserError: a training failed.
    """
    asked = asked_by(function)

    def value(name: str) -> Any:
        if name in fixtures:
            return fixtures[name]
        if name not in asked:
            return session.seeds
        need = asked[name]
        if isinstance(need, Trained):
            return session.runs(subject, need)
        return {key: session.runs(subject, each) for key, each in need.items()}

    own = (SEEDS,) if subject == COMPUTED else ()
    names = (name for name in parameters(function) if name in {*asked, *fixtures, *own})
    return {name: value(name) for name in names}


def implied(evidence: Evidence) -> list[Control]:
    """The controls that follow from what evidence was computed from.

    Runs that were trained on problems must not have seen those that they were evaluated on.
    """
    asked = asked_of(evidence)
    read = asked.problems and any(run.trainings for run in asked.runs)
    return [overlap(asked)] if read else []


def explained(
    finding: Finding, measured: Mapping[str, tuple[Estimate, Estimate]], level: float
) -> tuple[Explained, ...]:
    """The published numbers that a claim about a defect explains, and what was measured of them."""
    printed = {item.label: item.evidence for item in finding.explains}
    found = []
    for reads in dict.fromkeys((*printed, *measured)):
        evidence = printed.get(reads)
        on, off = measured.get(reads, (None, None))
        estimate = None if evidence is None else evidence.estimate(level)
        span = None
        if isinstance(evidence, Reported):
            low, high = evidence.low, evidence.high
            span = None if low is None or high is None else (low, high)
        found.append(Explained(reads=reads, published=estimate, on=on, off=off, span=span))
    return tuple(found)


def _placed(shown: Iterable[Shown]) -> dict[str, Any]:
    """What was shown, by the report's field for it, once for each title and subject."""
    once = {(type(item), item.title, item.subject): item for item in shown}
    return {
        name: tuple(item for item in once.values() if type(item) is kind)
        for kind, name in PLACES.items()
    }


def merged(reports: Sequence[Report], command: str) -> Report:
    """The whole session's report, of the reports of its claims; `command` started it."""
    rows = tuple(row for report in reports for row in report.rows)
    jobs = {job.digest: job for report in reports for job in report.jobs}
    shown = (item for r in reports for name in PLACES.values() for item in getattr(r, name))
    if jobs:
        from lazarus_bench import backend

        made_by = backend.manifest().as_strings()
    else:
        made_by = versions()
    return Report(
        created=_now(),
        profile=reports[0].profile,
        command=command,
        manifest=made_by | dict(reports[0].manifest) | manifest_lines(rows),
        rows=rows,
        pooled=pool_rows(rows),
        evidence=tuple(record for report in reports for record in report.evidence),
        jobs=tuple(jobs.values()),
        **_placed(shown),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def category(row: Row) -> str:
    """What the row counts as: "moved" when its pin says otherwise, else the verdict."""
    return MOVED if row.moved else row.verdict.outcome.value


def fails(row: Row, fail_on: Sequence[str]) -> bool:
    """Whether the row sets the exit code: a pinned verdict only when it moved, an error always."""
    if row.verdict.outcome is Outcome.ERROR:
        return True
    # A refutation of one run is one, where a run fails on refutations.
    found = category(row).removesuffix(" for this run")
    return found in fail_on and (row.pinned is None or found == MOVED)


def sentence(row: Row) -> str:
    """What a row says, in one line."""
    moved = f"moved ({row.moved}): " if row.moved else ""
    return f"{row.claim_id} on {row.subject}: {moved}{row.verdict.outcome}: {row.verdict.reason}"
