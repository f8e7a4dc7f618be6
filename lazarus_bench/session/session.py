"""The session behind the plugin: subjects, the jobs their claims need, and the runs they become."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from lazarus_bench.claims.claim import Claim, recipes_of
from lazarus_bench.claims.profiles import PROFILES, Profile, profile
from lazarus_bench.claims.subjects import BLANK, INSTRUCT, PUBLISHED, is_further, is_model
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs.executors import InProcess, automatic_workers, choose, execute
from lazarus_bench.jobs.measurements import (
    Room,
    any_kept,
    content_of,
    content_of_checkpoint,
    model_name,
)
from lazarus_bench.jobs.plan import Plan, duration, make_plan, trainings
from lazarus_bench.jobs.progress import Progress
from lazarus_bench.jobs.spec import Checkpoint, Job, with_dependencies, with_ranks
from lazarus_bench.jobs.store import Artifact, Store, default_root
from lazarus_bench.jobs.subjects import Need, Subject, data_of, subject
from lazarus_bench.jobs.work import Failure, Place, Result
from lazarus_bench.judge import Verdict, attainable, error_of_looks
from lazarus_bench.models.files import resolve
from lazarus_bench.report.schema import JobRow
from lazarus_bench.session.options import Options
from lazarus_bench.session.progress import every
from lazarus_bench.tasks.labelled import generated
from lazarus_bench.tasks.labelled_data import DataSource, given_data, read_data
from lazarus_bench.training import Engram, Recipe
from lazarus_bench.training.engram import REGISTERED, suited
from lazarus_bench.training.footprint import FEWER, peak_line, training_peak

if TYPE_CHECKING:
    from lazarus_bench.session.memory import Memory
    from lazarus_bench.session.run import Run
    from lazarus_bench.session.runs import Runs


TICK_SECONDS = 1.0
"""Between two looks at a training under way."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who hears of the trainings: `say` a line that stays, `live` one that the next replaces."""

    say: Callable[[str], None]
    live: Callable[[str], None]


@dataclass
class Session:
    """One session: it plans, trains and judges what its options ask for.

    `data` are the sources that take the place of generated ones, by the name of what they replace;
    `size` is the number of seeds of the look at hand, None for the profile's.

    Raises:
        UserError: data cannot be read, or a store cannot be made.
    """

    options: Options
    began: float = field(default_factory=time.time)
    profile: Profile = field(init=False)
    store: Store = field(init=False)
    data: Mapping[str, DataSource] = field(init=False)
    subjects: dict[str, Subject] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    size: int | None = None
    trained: bool = False
    _runs: dict[str, Run] = field(default_factory=dict)
    _read_with: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Look up what the options name."""
        options, named = self.options, self.options.store
        self.profile = profile(options.profile, options.seeds, named=bool(options.model))
        # A worker has another working directory.
        self.store = Store((named.expanduser() if named else default_root()).absolute())
        self.data = given_data(options.data, options.flag("data"))

    def subject(self, name: str) -> Subject:
        """The subject called `name`, resolved once.

        Raises:
            UserError: it names nothing that can be loaded.
        """
        if name not in self.subjects:
            self.subjects[name] = subject(name, self.options.dtype)
        return self.subjects[name]

    @property
    def notes(self) -> list[str]:
        """What a user should know of the subjects' precision, a sentence each."""
        found = (subject.precision.says for subject in self.subjects.values())
        return [said.replace("--dtype", self.options.flag("dtype")) for said in found if said]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of a claim that asks no model: as many as a training has."""
        return self.numbered(self.size or self.profile.seeds)

    def numbered(self, count: int) -> tuple[int, ...]:
        """That many seeds, from the session's first one on."""
        first = self.options.first_seed
        return tuple(range(first, first + count))

    def _target(self, name: str, need: Need) -> Subject:
        if not getattr(need, "on_instruct", False):
            return self.subject(name)
        if not name.startswith("lab:") or name.endswith(INSTRUCT):
            raise NotApplicable(f"{name} has no instruct sibling here; the lab's base models have")
        return subject(name + INSTRUCT, self.options.dtype)

    def jobs(self, name: str, need: Need) -> tuple[Job | Checkpoint, ...]:
        """What `need` means for a subject, one a seed.

        A given checkpoint that is not trained further stands alone, whatever the seeds, and so does
        a recipe that is not seeded. A base of a further family of the lab, not trained further, has
        the profile's seeds for those, and what is only fitted to it or drawn in its place as many.

        Raises:
            NotApplicable: it needs an instruct sibling and there is none.
        """
        target = self._target(name, need)
        recipes = recipes_of(need)
        trains = any(recipe.trains for recipe in recipes)
        seeds = self.profile.seeds if trains else self.profile.bases(target.name)
        if self.size is not None and (trains or not is_further(target.name)):
            seeds = self.size
        seeds = seeds if all(r.seeded for r in recipes) else 1
        chains = (self._chain(target, recipes, seed) for seed in self.numbered(seeds))
        return tuple(dict.fromkeys(chains))

    def _chain(self, target: Subject, recipes: Iterable[Recipe], seed: int) -> Job | Checkpoint:
        """The jobs of `recipes` on one another and on the base of `seed`: the last one."""
        asked = [self._as_asked(recipe, target) for recipe in recipes]
        last = self._base(target, seed, next(filter(None, map(data_of, asked)), None))
        for recipe in asked:
            ranks = self.options.ranks if recipe.ranked else 1
            dtype = target.precision.dtype
            last = Job(recipe=recipe, base=last, seed=seed, ranks=ranks, dtype=dtype)
        return last

    def _as_asked(self, recipe: Recipe, target: Subject) -> Recipe:
        """`recipe` on the data that the session was given, where it reads any.

        A registered arm of the engram is made to suit what it starts from as well.
        """
        data = data_of(recipe)
        if data is None:
            return recipe
        data = self.data.get(data.name, data)
        if not data.digest and data.name not in generated():
            flag = self.options.flag("data")
            raise NotApplicable(
                f"its data set {data.name} is not here: give {flag} {data.name}=DIR"
            )
        if isinstance(recipe, Engram) and recipe in REGISTERED:
            return suited(recipe, data, blank=target.name == BLANK)
        return replace(recipe, data=data)  # type: ignore[call-arg]

    def precision_lines(self, name: str) -> dict[str, str]:
        """What the subject `name` is computed in, for the report, where it is not as stored."""
        found = self.subjects.get(name)
        dtype = found and found.precision.dtype
        return {f"weights of {name}": f"turned into {dtype}"} if dtype else {}

    @property
    def seed_lines(self) -> dict[str, str]:
        """The session's first seed, for the report, where it is not 0."""
        first = self.options.first_seed
        return {"seeds": f"from {first} on"} if first else {}

    @cached_property
    def data_lines(self) -> dict[str, str]:
        """What the given data are, by name, for the report."""
        return {
            f"data {source.name}, for {of}": f"{read_data(source).summary}; SHA-256 {source.digest}"
            for of, source in self.data.items()
        }

    def design(self, claim: Claim, name: str) -> str:
        """What verdicts on record are kept under: profile, first seed, real data that were read."""
        if name == PUBLISHED:
            return PUBLISHED
        recipes = (recipe for need in claim.trainings for recipe in recipes_of(need))
        read = {data.name for recipe in recipes if (data := data_of(recipe))}
        real = sorted(source.name for of, source in self.data.items() if of in read)
        first = self.options.first_seed
        own = [f"seeds from {first}"] if first else []
        return ", ".join([self.profile.label(name), *own, *real])

    def _base(self, target: Subject, seed: int, data: DataSource | None) -> Job | Checkpoint:
        base = target.base(seed, data)
        return with_ranks(base, self.options.ranks) if isinstance(base, Job) else base

    def needed(self, claim: Claim, name: str) -> list[Job]:
        """The trainings that a claim reads on a subject."""
        found: list[Job] = []
        for need in (None, *claim.trainings):
            try:
                found += [job for job in self.jobs(name, need) if isinstance(job, Job)]
            except NotApplicable:
                continue
        return found

    @contextmanager
    def at_seeds(self, size: int | None) -> Iterator[None]:
        """Have every training and base of the lab `size` seeds while the block lasts."""
        before, self.size = self.size, size
        try:
            yield
        finally:
            self.size = before

    def machine(self, name: str) -> Mapping[str, str]:
        """What the last bits of a verdict on a subject depend on besides the models."""
        if not is_model(name):
            return {}
        from lazarus_bench import backend

        return backend.machine()

    def unplanned(self, verdict: Verdict) -> str:
        """What judging at a number of seeds that is not registered costs in error; else nothing."""
        registered, given = PROFILES[self.profile.name].seeds, self.options.seeds
        estimate = verdict.estimate
        if given in (None, registered) or estimate is None or estimate.scope != "seeds":
            return ""
        sizes = tuple(n for n in sorted({registered, estimate.seeds}) if n > 1)
        error = error_of_looks(sizes, verdict.level)
        return (
            f"unplanned: the profile registers {registered} seeds and this is {estimate.seeds}; "
            f"who looks at both errs {error:.3f} of the time on one side, not "
            f"{(1 - verdict.level) / 2:.3f}"
        )

    def check_words(self, name: str, words: Iterable[str]) -> None:
        """Make sure that `words` are single tokens of a given checkpoint; the lab's always are.

        Raises:
            NotApplicable: one of them is not.
        """
        from lazarus_bench.models.prompts import word_tokens

        if not self.subject(name).is_lab:
            tokenizer = self.runs(name, None)[0].loaded.tokenizer
            for word in words:
                word_tokens(tokenizer, word)

    def unattainable(self, claim: Claim, name: str, level: float) -> str | None:
        """Why no outcome of this design could ever decide the claim; None when one could.

        What is only read, not trained, may be fewer runs than the profile has seeds.
        """
        found = attainable(
            claim.region,
            binary=claim.binary,
            seeds=self._seeds(claim, name),
            prompts=self.profile.prompts,
            level=level,
            difference=claim.difference,
        )
        return found.sentence if found.hopeless else None

    def _seeds(self, claim: Claim, name: str) -> int:
        """Of how many seeds the runs are that a claim reads on a subject, if it can be asked."""
        try:
            return max(len(self.jobs(name, need)) for need in claim.needs or (None,))
        except NotApplicable:
            return self.profile.seeds

    def plan(self, jobs: Iterable[Job], say: Callable[[str], None] | None = None) -> Plan:
        """What `jobs` and everything below them need, and what the store has of it.

        With `say`, what is to be trained on a given model is estimated by one timed step of it.
        """
        if say is None:
            return make_plan(jobs, self.store)
        from lazarus_bench.jobs.timing import Timer

        return make_plan(jobs, self.store, Timer(say=say))

    def workers(self, plan: Plan) -> int:
        """Trainings of `plan` at a time on this machine."""
        each, ranks = max(self._peaks(plan).values(), default=0), self.options.ranks
        return self.options.workers or automatic_workers(ranks, each)

    def _peaks(self, plan: Plan) -> dict[Job, int]:
        """About how many bytes each training of `plan` on a given model takes in a process.

        The lab's models are small, and a fused model is as large as what it was fused of.
        """
        return {
            job: training_peak(job.recipe, resolve(root.source), job.dtype)
            for job in plan.todo
            if (root := job.root) is not None
        }

    def memory_lines(self, plan: Plan) -> list[str]:
        """What the largest training takes, and why fewer run at a time than there are cores.

        Raises:
            UserError: it takes more than this machine has.
        """
        peaks = self._peaks(plan)
        if not peaks or self.options.scheduler is not None:
            return []
        job = max(peaks, key=lambda job: peaks[job])
        remedy = FEWER.replace("--dtype", self.options.flag("dtype"))
        told = peak_line(job.label, peaks[job] * self.options.ranks, remedy)
        cores, workers = automatic_workers(self.options.ranks), self.workers(plan)
        fewer = self.options.workers is None and workers < cores
        few = f"memory allows {workers} at a time, though there are cores for {cores}"
        return [*filter(None, [told]), *([few] if fewer else [])]

    def cost(self, plan: Plan) -> str:
        """Say how much of `plan` there is to run and about how long it takes."""
        if not plan.todo:
            return "nothing to run"
        workers = self.workers(plan)
        one, many = plan.seconds(1), plan.seconds(workers)
        todo = f"{trainings(len(plan.todo))} to run"
        if one is None or many is None:
            return f"{todo}, of unknown cost until one of each kind has run"
        shared = "" if workers == 1 else f", {duration(many)} with {workers} workers"
        return f"{todo}, about {duration(one)} of one process{shared}"

    @property
    def reads_ahead(self) -> bool:
        """Whether a second process could help.

        It needs a core, models of which two fit into memory, and measurements that are still to be
        taken and can be kept: this code has taken none so far, or something was just trained.
        """
        cold = self.trained or not any_kept(self.store.root)
        small = all(subject.is_lab for subject in self.subjects.values())
        kept = self.store.writable() and not self.options.fresh_measurements
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
        count, options = trainings(len(todo)), self.options
        if not self.store.writable():
            raise UserError(
                f"the store {self.store.root} is read-only and lacks {count}: name another with "
                f"{options.flag('store')}"
            )
        self.trained = True
        place = Place(root=self.store.root, hosts=options.hosts and options.host_file())
        for sentence in self.memory_lines(plan):
            watch.say(sentence)
        with choose(place, len(todo), self.workers(plan), options.scheduler) as executor:
            where = options.scheduler or "this machine"
            watch.say(
                f"{count} to run, {executor.workers} at a time on {where}, kept in "
                f"{self.store.root}"
            )
            progress = Progress(todo, executor.workers, self.store, plan.estimates)

            def finished(job: Job, result: Result) -> None:
                if isinstance(result, Failure):
                    self.failures[job.digest] = result
                watch.say(progress.line(job, result))

            def tick() -> None:
                for line in () if sys.stderr.isatty() else progress.begun():
                    watch.say(line)
                watch.live(progress.status())

            # A training in this process has a bar on a terminal, unless ranks do the work.
            own = isinstance(executor, InProcess)
            silent = own and (options.ranks > 1 or not sys.stderr.isatty())
            with every(TICK_SECONDS, tick) if silent else nullcontext():
                execute(todo, executor, finished, tick if not silent else lambda: None)

    def lacking(self, jobs: Iterable[Job]) -> list[Job]:
        """Which of `jobs`, and what they stand on, the store does not have."""
        return [job for job in with_dependencies(jobs) if self.store.find(job) is None]

    @contextmanager
    def defects_read(self) -> Iterator[set[str]]:
        """The known defects that runs are read with while the block lasts."""
        before, self._read_with = self._read_with, set()
        try:
            yield self._read_with
        finally:
            self._read_with = before

    def _notice(self, quirk: str) -> None:
        self._read_with.add(quirk)

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
        from lazarus_bench.session.run import Run

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
                dtype=self.subject(name).precision.dtype,
                memory=memory,
                noticed=self._notice,
            )
        else:
            run = self._trained(name, found)
        self._runs[key] = run
        return run

    def _trained(self, name: str, job: Job) -> Run:
        from lazarus_bench.session.run import Run

        artifact = self.artifact(job)
        made, content = artifact.directory, content_of(artifact.manifest)
        base = None if job.base is None else self._run(name, job.base, job.seed)
        below = None if job.recipe.leaves == "model" else base
        return Run(
            name=f"{name}, {job.label} seed {job.seed}",
            seed=job.seed,
            directory=below.directory if below else made,
            adapter=made if job.recipe.leaves == "adapter" else None,
            artifact=made,
            dtype=self.subject(name).precision.dtype,
            recipe=job.recipe,
            base=base,
            memory=self._memory(made.name, content, below=below.memory if below else None),
            noticed=self._notice,
        )

    def _memory(self, artifact: str | None, content: str, below: Memory | None = None) -> Memory:
        """Where measurements of a model are kept.

        `artifact` holds the files with the digest `content`; where they are an adapter, `below` is
        the memory of the model that they lie on.
        """
        from lazarus_bench.session.memory import Memory

        room = Room(root=self.store.root, model=model_name(content, artifact))
        model = (*(below.model if below else ()), content)
        return Memory(room=room, model=model, fresh=self.options.fresh_measurements)

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
