"""The plan: what the selected claims need, what the store has of it, what the rest will cost."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """One job of the plan; `seconds` is what it will take, or None where nothing tells."""

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
        """What has to run."""
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


def make_plan(jobs: Iterable[Job], store: Store) -> Plan:
    """Look up every job and everything below it in the store."""
    past = _Past(store)
    return Plan(entries=tuple(_entry(job, store, past) for job in with_dependencies(jobs)))


def _entry(job: Job, store: Store, past: _Past) -> Entry:
    artifact = store.find(job)
    if artifact is not None:
        return Entry(job=job, state=State.WHOLE, seconds=artifact.seconds)
    damage = store.damage(job)
    state = State.MISSING if damage is None else State.DAMAGED
    return Entry(job=job, state=state, seconds=past.seconds(job), damage=damage)


class _Past:
    """What jobs like one took before: the same recipe on the same kind of model, any seed."""

    def __init__(self, store: Store) -> None:
        self._took: dict[str, list[float]] = {}
        for stored in store.artifacts():
            if stored.state == "whole" and stored.spec and stored.seconds is not None:
                self._took.setdefault(_likeness(stored.spec), []).append(stored.seconds)

    def seconds(self, job: Job) -> float | None:
        """The median over seeds in this store, else what the recipe costs on a lab model."""
        took = self._took.get(_likeness(job.canonical()))
        if took:
            return statistics.median(took)
        return job.recipe.lab_seconds if _on_lab(job) else None


def _likeness(canonical: object) -> str:
    """The canonical spec without its seeds."""
    return json.dumps(_seedless(canonical), sort_keys=True)


def _seedless(value: object) -> object:
    if isinstance(value, dict):
        return {key: _seedless(part) for key, part in value.items() if key != "seed"}
    return list(value) if isinstance(value, tuple) else value


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
    """Of one of those that have to run."""


def groups(entries: Sequence[Entry]) -> list[Group]:
    """The entries by training, in the plan's order; labels that would be equal say what differs."""
    alike: dict[str, list[Entry]] = {}
    for entry in entries:
        alike.setdefault(_likeness(entry.job.canonical()), []).append(entry)
    labels = Counter(found[0].job.label for found in alike.values())
    return [
        _group(found, [*alike.values()] if labels[found[0].job.label] > 1 else [])
        for found in alike.values()
    ]


def _group(found: Sequence[Entry], others: Sequence[Sequence[Entry]]) -> Group:
    todo = [entry for entry in found if entry.state is not State.WHOLE]
    known = [entry.seconds for entry in todo if entry.seconds is not None]
    job = found[0].job
    twins = [other[0].job for other in others if other[0].job.label == job.label]
    return Group(
        label=f"{job.label} ({_own(job, twins)})" if twins else job.label,
        digests=tuple(entry.job.digest for entry in found),
        seeds=tuple(entry.job.seed for entry in found),
        whole=len(found) - len(todo),
        todo=len(todo),
        seconds=statistics.median(known) if known else None,
    )


def _own(job: Job, twins: Sequence[Job]) -> str:
    """The parameters in which `job` differs from one of its twins."""
    flat = dict(_flat(job.canonical()))
    theirs = [dict(_flat(twin.canonical())) for twin in twins]
    differs = (key for key, value in flat.items() if any(t.get(key) != value for t in theirs))
    return ", ".join(f"{key} {flat[key]}" for key in differs if not key.endswith("seed"))


def _flat(value: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, part in value.items():
        if isinstance(part, Mapping):
            yield from _flat(part, f"{prefix}base " if key == "base" else prefix)
        else:
            yield f"{prefix}{key}", part


HEADS = ("training", "seeds", "in the store", "to run", "each")


def rows(plan: Plan) -> list[list[str]]:
    """Cells below `HEADS`: a row a training, over its seeds."""
    return [
        [group.label, _span(group.seeds), str(group.whole), str(group.todo), _each(group)]
        for group in groups(plan.entries)
    ]


def table(plan: Plan) -> str:
    """The plan for people: a line a training, over its seeds."""
    from tabulate import tabulate

    return tabulate(rows(plan), headers=HEADS, tablefmt="simple", colalign=("left", *["right"] * 4))


def _each(group: Group) -> str:
    if not group.todo:
        return ""
    return "unknown" if group.seconds is None else f"{group.seconds:.0f} s"


def _span(seeds: Sequence[int]) -> str:
    first, last = min(seeds), max(seeds)
    whole = len(seeds) == last - first + 1
    if len(seeds) == 1:
        return str(first)
    return f"{first}-{last}" if whole else ", ".join(map(str, sorted(seeds)))


def trainings(count: int) -> str:
    """How many, in words: "1 training", "2 trainings"."""
    return "1 training" if count == 1 else f"{count} trainings"


def duration(seconds: float) -> str:
    """Seconds for people: "40 s", "13 min", "2 h 05 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
