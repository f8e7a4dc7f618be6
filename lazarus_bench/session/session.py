"""The session behind the plugin: subjects, the jobs their claims need, and the runs they become."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lazarus_bench.claims.claim import Need, OnInstruct, data_of, needs_of, recipes_of
from lazarus_bench.claims.profiles import Profile
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs.execute import choose, execute
from lazarus_bench.jobs.executors import Tick, automatic_workers
from lazarus_bench.jobs.measurements import (
    Room,
    any_kept,
    content_of,
    content_of_checkpoint,
    model_name,
)
from lazarus_bench.jobs.plan import Plan, make_plan, trainings
from lazarus_bench.jobs.progress import Progress
from lazarus_bench.jobs.spec import Checkpoint, Job, with_dependencies, with_ranks
from lazarus_bench.jobs.store import Artifact, Store
from lazarus_bench.jobs.subjects import BLANK, INSTRUCT, Subject, lab_subject, subject
from lazarus_bench.jobs.work import Failure, Place, Result
from lazarus_bench.judge import Claim, attainable, family_level
from lazarus_bench.models.files import resolve
from lazarus_bench.report.schema import JobRow
from lazarus_bench.tasks.labelled_data import DataSource, read_data
from lazarus_bench.training.engram_arms import REGISTERED, suited
from lazarus_bench.training.specs import Engram, Recipe

if TYPE_CHECKING:
    from lazarus_bench.session.memory import Memory
    from lazarus_bench.session.runs import Run, Runs


@dataclass(frozen=True, kw_only=True)
class Resources:
    """With what the session trains.

    `workers` trainings at a time (None lets the machine decide) here, or as many as the dask
    `scheduler` has; each on `ranks` processes, which mlx.launch places by its `hosts` file. With
    `offline` nothing is trained.
    """

    workers: int | None = None
    scheduler: str | None = None
    ranks: int = 1
    hosts: Path | None = None
    offline: bool = False


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who hears of the trainings: `say` a line that stays, `live` one that the next replaces."""

    say: Callable[[str], None]
    live: Callable[[str], None]


@dataclass(kw_only=True)
class Session:
    """State of one pytest session.

    With `fresh_readings` what the store keeps of measurements is not used, but replaced.
    `data` are the sources that take the place of generated ones, by the name of what they replace.
    `quirks` are those that were switched on in a run since the set was last emptied.
    """

    profile: Profile
    store: Store
    data: Mapping[str, DataSource] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    fresh_readings: bool = False
    began: float = field(default_factory=time.time)
    subjects: dict[str, Subject] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    trained: bool = False
    quirks: set[str] = field(default_factory=set)
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

        A given checkpoint that is not trained further stands alone, whatever the seeds, and so does
        a recipe that is not seeded. A base of a further family of the lab, not trained further, has
        the profile's seeds for those.

        Raises:
            NotApplicable: it needs an instruct sibling and there is none.
        """
        target = self._target(name, need)
        recipes = recipes_of(need)
        seeds = self.profile.seeds if recipes else self.profile.bases(target.name)
        seeds = seeds if all(r.seeded for r in recipes) else 1
        chains = (self._chain(target, recipes, seed) for seed in range(seeds))
        return tuple(dict.fromkeys(chains))

    def _chain(self, target: Subject, recipes: Iterable[Recipe], seed: int) -> Job | Checkpoint:
        """The jobs of `recipes` on one another and on the base of `seed`: the last one."""
        asked = [self._as_asked(recipe, target) for recipe in recipes]
        last = self._base(target, seed, next(filter(None, map(data_of, asked)), None))
        for recipe in asked:
            ranks = self.resources.ranks if recipe.ranked else 1
            last = Job(recipe=recipe, base=last, seed=seed, ranks=ranks)
        return last

    def _as_asked(self, recipe: Recipe, target: Subject) -> Recipe:
        """`recipe` on the data that the session was given, where it reads any.

        A registered arm of the engram is made to suit what it starts from as well.
        """
        data = data_of(recipe)
        if data is None:
            return recipe
        data = self.data.get(data.name, data)
        if isinstance(recipe, Engram) and recipe in REGISTERED:
            return suited(recipe, data, blank=target.name == BLANK)
        return replace(recipe, data=data)  # type: ignore[call-arg]

    @cached_property
    def data_lines(self) -> dict[str, str]:
        """What the given data are, by name, for the report."""
        return {
            f"data {source.name}, for {of}": f"{read_data(source).summary}; SHA-256 {source.digest}"
            for of, source in self.data.items()
        }

    def design(self, claim: Claim, name: str) -> str:
        """What verdicts on record are kept under: the profile, and the real data that were read."""
        recipes = (recipe for need in needs_of(claim) for recipe in recipes_of(need))
        read = {data.name for recipe in recipes if (data := data_of(recipe))}
        real = sorted(source.name for of, source in self.data.items() if of in read)
        return ", ".join([self.profile.label(name), *real])

    def _base(self, target: Subject, seed: int, data: DataSource | None) -> Job | Checkpoint:
        base = target.base(seed, data)
        return with_ranks(base, self.resources.ranks) if isinstance(base, Job) else base

    def needed(self, claim: Claim, name: str) -> list[Job]:
        """The trainings that a claim reads on a subject."""
        found: list[Job] = []
        for need in (None, *needs_of(claim)):
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

        What is only read, not trained, may be fewer runs than the profile has seeds.
        """
        found = attainable(
            claim.region,
            binary=claim.binary,
            seeds=self._seeds(claim, name),
            prompts=self.profile.prompts,
            level=family_level(family_size),
            difference=claim.difference,
        )
        return found.sentence if found.hopeless else None

    def _seeds(self, claim: Claim, name: str) -> int:
        """Of how many seeds the runs are that a claim reads on a subject, if it can be asked."""
        if any(recipes_of(need) for need in needs_of(claim)):
            return self.profile.seeds
        try:
            return len(self.jobs(name, None))
        except NotApplicable:
            return self.profile.seeds

    def plan(self, jobs: Iterable[Job]) -> Plan:
        """What `jobs` and everything below them need, and what the store has of it."""
        return make_plan(jobs, self.store)

    @property
    def workers(self) -> int:
        """Trainings at a time on this machine."""
        return self.resources.workers or automatic_workers(self.resources.ranks)

    @property
    def reads_ahead(self) -> bool:
        """Whether a second process could help.

        It needs a core, models of which two fit into memory, and readings that are yet to be taken
        and can be kept: nothing was read by this code so far, or something was trained just now.
        """
        cold = self.trained or not any_kept(self.store.root)
        small = all(subject.is_lab for subject in self.subjects.values())
        kept = self.store.writable() and not self.fresh_readings
        return cold and small and kept and automatic_workers(1) > 1

    def train(self, plan: Plan, watch: Watch) -> None:
        """Run what the store lacks, one line a finished job.

        Raises:
            UserError: the store cannot be written, or the scheduler cannot be used.
        """
        for sentence in plan.damaged:
            watch.say(f"{sentence}; it is made again")
        todo = plan.todo
        if not todo:
            return
        self._check_store(trainings(len(todo)))
        self.trained = True
        place = Place(root=self.store.root, hosts=self.resources.hosts)
        with choose(place, len(todo), self.workers, self.resources.scheduler) as executor:
            where = self.resources.scheduler or "this machine"
            watch.say(
                f"{trainings(len(todo))} to run, {executor.workers} at a time on {where}, kept in "
                f"{self.store.root}"
            )
            progress = Progress(todo, executor.workers, self.store, plan.estimates)
            execute(todo, executor, self._noted(progress, watch), _tick(progress, watch))

    def _check_store(self, lacking: str) -> None:
        if not self.store.writable():
            raise UserError(
                f"the store {self.store.root} is read-only and lacks {lacking}: name "
                f"another with --lb-store, or judge what it has with --lb-offline"
            )

    def _noted(self, progress: Progress, watch: Watch) -> Callable[[Job, Result], None]:
        def finished(job: Job, result: Result) -> None:
            if isinstance(result, Failure):
                self.failures[job.digest] = result
            watch.say(progress.line(job, result))

        return finished

    def lacking(self, jobs: Iterable[Job]) -> list[Job]:
        """Which of `jobs`, and what they stand on, the store does not have."""
        return [job for job in with_dependencies(jobs) if self.store.find(job) is None]

    def runs(self, name: str, need: Need) -> Runs:
        """The runs of `need` on a subject, one a seed.

        Raises:
            NotApplicable: the subject cannot be asked.
            UserError: a training it needs failed.
        """
        from lazarus_bench.session.runs import Runs

        jobs = enumerate(self.jobs(name, need))
        return Runs(self._run(name, found, seed) for seed, found in jobs)

    def _run(self, name: str, found: Job | Checkpoint, seed: int) -> Run:
        from lazarus_bench.session.runs import Run

        key = found.digest if isinstance(found, Job) else found.source
        if key in self._runs:
            return self._runs[key]
        if isinstance(found, Checkpoint):
            directory = resolve(found.source)
            memory = self._memory(None, content_of_checkpoint(directory, found.fingerprint))
            run = Run(
                name=name,
                seed=seed,
                directory=directory,
                memory=memory,
                noticed=self.quirks.add,
            )
        else:
            run = self._trained(name, found)
        self._runs[key] = run
        return run

    def _trained(self, name: str, job: Job) -> Run:
        from lazarus_bench.session.runs import Run

        artifact = self.artifact(job)
        made, content = artifact.directory, content_of(artifact.manifest)
        label = f"{name}, {job.label} seed {job.seed}"
        whole, stage = job.recipe.leaves == "model", job.recipe.on_adapter
        if whole and not stage:
            memory = self._memory(made.name, content)
            return Run(
                name=label,
                seed=job.seed,
                directory=made,
                memory=memory,
                noticed=self.quirks.add,
            )
        if job.base is None:
            raise ValueError(f"{label} left no whole model, so it has a base")
        base = self._run(name, job.base, job.seed)
        return Run(
            name=label,
            seed=job.seed,
            directory=made if whole else base.directory,
            adapter=made if job.recipe.leaves == "adapter" else None,
            artifact=made,
            recipe=job.recipe,
            base=base,
            memory=self._memory(made.name, content, below=None if whole else base.memory),
            noticed=self.quirks.add,
        )

    def _memory(self, artifact: str | None, content: str, below: Memory | None = None) -> Memory:
        """Where measurements of a model are kept.

        `artifact` holds the files with the digest `content`; where they are an adapter, `below` is
        the memory of the model that they lie on.
        """
        from lazarus_bench.session.memory import Memory

        room = Room(root=self.store.root, model=model_name(content, artifact))
        model = (*(below.model if below else ()), content)
        return Memory(room=room, model=model, fresh=self.fresh_readings)

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


def _tick(progress: Progress, watch: Watch) -> Tick:
    return lambda: watch.live(progress.status())


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
        quirks=job.quirks,
    )
