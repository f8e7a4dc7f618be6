"""The plan: the jobs that claims need, which of them the store has, and what the rest will cost."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lazarus_bench.jobs.spec import Checkpoint, Job, with_dependencies
from lazarus_bench.jobs.store import Store


class State(StrEnum):
    """What the store has of a job."""

    WHOLE = "in the store"
    DAMAGED = "damaged"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One job of the plan; `seconds` is its estimated cost, or None where there is no estimate."""

    job: Job
    state: State
    seconds: float | None
    damage: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every job the claims need, each once, bases first."""

    entries: tuple[Entry, ...]

    @property
    def todo(self) -> list[Job]:
        """The jobs that have to run."""
        return [entry.job for entry in self.entries if entry.state is not State.WHOLE]

    @property
    def damaged(self) -> list[str]:
        """A sentence for each damaged artifact, which will be made again."""
        return [entry.damage for entry in self.entries if entry.damage is not None]

    @property
    def estimates(self) -> dict[str, float]:
        """Seconds by digest of what has to run, where known."""
        return {
            entry.job.digest: entry.seconds
            for entry in self.entries
            if entry.state is not State.WHOLE and entry.seconds is not None
        }

    def seconds(self, workers: int) -> float | None:
        """About how long the rest takes on `workers`: no less than its longest chain.

        None when the cost of a job is unknown.
        """
        costs = self.estimates
        if len(costs) < len(self.todo):
            return None
        chain: dict[str, float] = {}
        for job in self.todo:
            base = chain.get(job.base.digest, 0.0) if isinstance(job.base, Job) else 0.0
            chain[job.digest] = base + costs[job.digest]
        return max(sum(costs.values()) / workers, max(chain.values(), default=0.0))


def make_plan(
    jobs: Iterable[Job], store: Store, timer: Callable[[Job], float | None] | None = None
) -> Plan:
    """Look up every job and everything below it in the store.

    `timer` tells what a job on a given model costs that the store knows nothing of, in seconds.
    """
    took: dict[str, list[float]] = {}
    for stored in store.artifacts():
        if stored.state == "whole" and stored.spec and stored.seconds is not None:
            took.setdefault(_likeness(stored.spec), []).append(stored.seconds)

    def estimate(job: Job) -> float | None:
        """The median over seeds in this store, else what the recipe costs on a lab model."""
        past = took.get(_likeness(job.canonical()))
        if past:
            return statistics.median(past)
        if _on_lab(job):
            return job.recipe.lab_seconds
        return None if timer is None else timer(job)

    def entry(job: Job) -> Entry:
        artifact = store.find(job)
        if artifact is not None:
            return Entry(job=job, state=State.WHOLE, seconds=artifact.seconds)
        damage = store.damage(job)
        state = State.MISSING if damage is None else State.DAMAGED
        return Entry(job=job, state=state, seconds=estimate(job), damage=damage)

    return Plan(entries=tuple(map(entry, with_dependencies(jobs))))


def _likeness(canonical: object) -> str:
    """The canonical spec without its seeds."""
    return json.dumps(_seedless(canonical), sort_keys=True)


def _seedless(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {key: _seedless(part) for key, part in value.items() if key != "seed"}


def _on_lab(job: Job) -> bool:
    return not isinstance(job.base, Checkpoint) and (job.base is None or _on_lab(job.base))


@dataclass(frozen=True, kw_only=True)
class Group:
    """The same training at several seeds."""

    label: str
    digests: tuple[str, ...]
    seeds: tuple[int, ...]
    whole: int
    todo: int
    seconds: float | None
    """Estimated cost of one of those that have to run."""


def groups(entries: Sequence[Entry]) -> list[Group]:
    """The entries by training, in the plan's order; labels that would be equal say what differs."""
    alike: dict[str, list[Entry]] = {}
    for entry in entries:
        alike.setdefault(_likeness(entry.job.canonical()), []).append(entry)
    labels = Counter(found[0].job.label for found in alike.values())
    found = []
    for own in alike.values():
        job, label = own[0].job, own[0].job.label
        if labels[label] > 1:
            twins = [other[0].job for other in alike.values() if other[0].job.label == label]
            theirs = [dict(_flat(twin.canonical())) for twin in twins]
            differing = (
                f"{key} {value}"
                for key, value in _flat(job.canonical())
                if not key.endswith("seed") and any(t.get(key) != value for t in theirs)
            )
            label += f" ({', '.join(differing)})"
        todo = [entry for entry in own if entry.state is not State.WHOLE]
        known = [entry.seconds for entry in todo if entry.seconds is not None]
        group = Group(
            label=label,
            digests=tuple(entry.job.digest for entry in own),
            seeds=tuple(entry.job.seed for entry in own),
            whole=len(own) - len(todo),
            todo=len(todo),
            seconds=statistics.median(known) if known else None,
        )
        found.append(group)
    return found


def _flat(value: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, part in value.items():
        if isinstance(part, Mapping):
            yield from _flat(part, f"{prefix}base " if key == "base" else prefix)
        else:
            yield f"{prefix}{key}", part


HEADS = ("training", "seeds", "in the store", "to run", "each")


def rows(plan: Plan) -> list[list[str]]:
    """Cells below `HEADS`: one row per training, over its seeds."""
    found = []
    for group in groups(plan.entries):
        first, last = min(group.seeds), max(group.seeds)
        seeds = ", ".join(map(str, sorted(group.seeds)))
        if 1 < len(group.seeds) == last - first + 1:
            seeds = f"{first}-{last}"
        each = "unknown" if group.seconds is None else f"{group.seconds:.0f} s"
        cells = [group.label, seeds, str(group.whole), str(group.todo), each if group.todo else ""]
        found.append(cells)
    return found


def table(plan: Plan) -> str:
    """The plan for people: one line per training, over its seeds."""
    from tabulate import tabulate

    return tabulate(rows(plan), headers=HEADS, tablefmt="simple", colalign=("left", *["right"] * 4))


def trainings(count: int) -> str:
    """How many, in words: "1 training", "2 trainings"."""
    return "1 training" if count == 1 else f"{count} trainings"


def duration(seconds: float) -> str:
    """Seconds for people: "40 s", "13 min", "2 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
