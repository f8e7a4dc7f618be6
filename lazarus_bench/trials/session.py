"""The session behind the plugin: subjects, the jobs their claims need, and the runs they become."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs.execute import (
    Failure,
    Result,
    automatic_workers,
    execute,
    missing,
)
from lazarus_bench.jobs.progress import Progress
from lazarus_bench.jobs.spec import Checkpoint, Job, with_dependencies
from lazarus_bench.jobs.store import Artifact, Store
from lazarus_bench.jobs.subjects import Subject, lab_subject, subject
from lazarus_bench.judge import Claim, attainable, family_level
from lazarus_bench.models.files import resolve
from lazarus_bench.report.schema import JobRow
from lazarus_bench.training.specs import Recipe
from lazarus_bench.trials.claims import Need, OnInstruct
from lazarus_bench.trials.profiles import Profile

if TYPE_CHECKING:
    from lazarus_bench.trials.runs import Run

INSTRUCT = "-instruct"


@dataclass(kw_only=True)
class Session:
    """State of one pytest session."""

    profile: Profile
    store: Store
    workers: int | None
    """Training processes; None lets the machine decide."""
    began: float = field(default_factory=time.time)
    subjects: dict[str, Subject] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    _runs: dict[str, Run] = field(default_factory=dict)

    def subject(self, name: str) -> Subject:
        """The subject called `name`, resolved once.

        Raises:
            UserError: it names nothing that can be loaded.
        """
        if name not in self.subjects:
            self.subjects[name] = subject(name)
        return self.subjects[name]

    def _target(self, name: str, need: Need) -> Subject:
        if not isinstance(need, OnInstruct):
            return self.subject(name)
        if not name.startswith("lab:") or name.endswith(INSTRUCT):
            raise NotApplicable(f"{name} has no instruct sibling here; the lab's base models have")
        return lab_subject(name + INSTRUCT)

    def jobs(self, name: str, need: Need) -> tuple[Job | Checkpoint, ...]:
        """What `need` means for a subject, one a seed.

        A given checkpoint that is not trained further stands alone, whatever the seeds.

        Raises:
            NotApplicable: it needs an instruct sibling and there is none.
        """
        target = self._target(name, need)
        recipe = need.recipe if isinstance(need, OnInstruct) else need
        seeds = range(self.profile.seeds)
        if recipe is None:
            return tuple(dict.fromkeys(target.base(seed) for seed in seeds))
        return tuple(Job(recipe=recipe, base=target.base(seed), seed=seed) for seed in seeds)

    def needed(self, claim: Claim, name: str) -> list[Job]:
        """The trainings that a claim reads on a subject."""
        found: list[Job] = []
        for need in (None, *_needs(claim)):
            try:
                found += [job for job in self.jobs(name, need) if isinstance(job, Job)]
            except NotApplicable:
                continue
        return found

    def check_words(self, name: str, words: Iterable[str]) -> None:
        """Make sure that `words` are single tokens of a given checkpoint; the lab's always are.

        Raises:
            NotApplicable: one of them is not.
        """
        from lazarus_bench.models.words import word_tokens

        if not self.subject(name).is_lab:
            tokenizer = self.runs(name, None)[0].loaded.tokenizer
            for word in words:
                word_tokens(tokenizer, word)

    def unattainable(self, claim: Claim, name: str, family_size: int) -> str | None:
        """Why no outcome of this design could ever decide the claim; None when one could.

        A given checkpoint that is only read, not trained, is one run whatever the profile says.
        """
        found = attainable(
            claim.region,
            binary=claim.binary,
            seeds=self.profile.seeds if _needs(claim) else len(self.jobs(name, None)),
            prompts=self.profile.prompts,
            level=family_level(family_size),
            difference=claim.difference,
        )
        return found.sentence if found.hopeless else None

    def train(self, jobs: Iterable[Job], say: Callable[[str], None]) -> None:
        """Run what the store lacks, one line a finished job."""
        todo = missing(jobs, self.store)
        if not todo:
            return
        workers = self.workers or automatic_workers()
        say(f"{len(todo)} trainings to run, {workers} at a time, kept in {self.store.root}")
        progress = Progress(todo, workers)

        def finished(job: Job, result: Result) -> None:
            if isinstance(result, Failure):
                self.failures[job.digest] = result
            say(progress.line(job, result))

        execute(todo, self.store, workers, finished)

    def runs(self, name: str, need: Need) -> list[Run]:
        """The runs of `need` on a subject, one a seed.

        Raises:
            NotApplicable: the subject cannot be asked.
            UserError: a training it needs failed.
        """
        return [self._run(name, found, seed) for seed, found in enumerate(self.jobs(name, need))]

    def _run(self, name: str, found: Job | Checkpoint, seed: int) -> Run:
        from lazarus_bench.trials.runs import Run

        key = found.digest if isinstance(found, Job) else found.source
        if key in self._runs:
            return self._runs[key]
        if isinstance(found, Checkpoint):
            run = Run(name=name, seed=seed, directory=resolve(found.source))
        else:
            run = self._trained(name, found)
        self._runs[key] = run
        return run

    def _trained(self, name: str, job: Job) -> Run:
        from lazarus_bench.trials.runs import Run

        artifact = self.artifact(job)
        label = f"{name}, {job.label} seed {job.seed}"
        if not (artifact.directory / "adapters.safetensors").exists():
            return Run(name=label, seed=job.seed, directory=artifact.directory)
        if job.base is None:
            raise ValueError(f"{label} left an adapter, and an adapter has a base")
        base = self._run(name, job.base, job.seed)
        return Run(
            name=label,
            seed=job.seed,
            directory=base.directory,
            adapter=artifact.directory,
            artifact=artifact.directory,
            base=base,
        )

    def artifact(self, job: Job) -> Artifact:
        """The artifact of `job`.

        Raises:
            NotApplicable: the training cannot be done on this subject.
            UserError: it failed or has not been run.
        """
        for step in with_dependencies([job]):
            failure = self.failures.get(step.digest)
            if failure:
                raise (
                    UserError(failure.reason)
                    if failure.applicable
                    else NotApplicable(failure.reason)
                )
        artifact = self.store.find(job)
        if artifact is None:
            raise UserError(f"{job.label} seed {job.seed} is not in the store {self.store.root}")
        return artifact

    def job_rows(self, jobs: Iterable[Job]) -> tuple[JobRow, ...]:
        """What the jobs were and what they cost, for the report."""
        rows = []
        for job in with_dependencies(jobs):
            artifact = self.store.find(job)
            if artifact is not None:
                rows.append(_job_row(job, artifact, self.began))
        return tuple(rows)


def _needs(claim: Claim) -> tuple[Need, ...]:
    return tuple(n for n in claim.needs if n is None or isinstance(n, Recipe | OnInstruct))


def _job_row(job: Job, artifact: Artifact, began: float) -> JobRow:
    from lazarus_bench.training.record import METRICS, read_metrics

    rate = None
    if (artifact.directory / METRICS).exists():
        rates = sorted(m.tokens_per_second for m in read_metrics(artifact.directory)[1:])
        rate = rates[len(rates) // 2] if rates else None
    return JobRow(
        digest=job.digest,
        what=f"{job.label} seed {job.seed}",
        seconds=artifact.seconds,
        tokens_per_second=rate,
        cached=artifact.created < began,
    )
