"""From rows to evidence: the values of each arm as `[run, item]`, paired as the claim says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lazarus_bench.errors import UserError
from lazarus_bench.judge import Differences, Evidence, HitDifferences, Hits, Means
from lazarus_bench.judge.crossed import cluster_cells
from lazarus_bench.report import printed
from lazarus_bench.results.table import ARM, CLUSTER, CONTENT, ITEM, RUN, Codes, Numbers, Table

Pairing = Literal["item", "run", "none"]

ITEMS = "items"


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One arm: `values` of shape (runs, items), `items` the codes of its items, ascending."""

    arm: str
    values: Numbers
    items: Codes
    runs: tuple[str, ...]


def evidence_of(table: Table, arms: Sequence[str], pairing: Pairing) -> Evidence:
    """Evidence about the mean of one arm, or about that of the first minus that of the second.

    Raises:
        UserError: the rows make no such samples; the sentence names the first at fault.
    """
    _check_names(table, arms, pairing)
    found = [_sample(table, arm) for arm in arms]
    clusters, items = None, ITEMS
    if len(found) == 1 or pairing == "item":
        clusters = _clusters(table, found[0], arms)
        if clusters is not None:
            items = f"{ITEMS} in {printed.many(len(set(clusters)), 'cluster')}"
    elif CLUSTER in table.keys and ITEM in table.keys:
        found = [_by_cluster(table, sample) for sample in found]
        items = "clusters"
    hits = all(np.isin(sample.values, (0.0, 1.0)).all() for sample in found)
    try:
        if len(found) == 1:
            kind = Hits if hits else Means
            return kind(values=found[0].values, clusters=clusters, items=items)  # type: ignore[arg-type]
        _check_runs(table, found, pairing)
        if pairing == "item":
            _check_items(table, found)
        return _difference(found, pairing, hits=hits, clusters=clusters, items=items)
    except ValueError as error:
        raise UserError(
            f"{_files(table)}: these samples cannot be judged ({error}): give both arms the same "
            f"runs and items, or pair them otherwise"
        ) from error


def _difference(
    found: Sequence[Sample],
    pairing: Pairing,
    *,
    hits: bool,
    clusters: Sequence[str] | None,
    items: str,
) -> Evidence:
    first, second = (sample.values for sample in found)
    paired = {"item": "prompts", "run": "seeds", "none": "no"}[pairing]
    kind = HitDifferences if hits and pairing != "run" else Differences
    return kind(first=first, second=second, paired=paired, clusters=clusters, items=items)  # type: ignore[arg-type]


def _check_names(table: Table, arms: Sequence[str], pairing: Pairing) -> None:
    known = table.keys[ARM].names
    for arm in arms:
        if arm not in known:
            raise UserError(
                f"{table.files.names[0]} has no arm {arm} (there is {', '.join(known)[:200]}): "
                f"name another"
            )
    if pairing == "item" and len(arms) > 1 and ITEM not in table.keys:
        raise UserError(
            f"{table.files.names[0]} has no column item: name the one that pairs rows with "
            f"--paired-by"
        )


def _sample(table: Table, arm: str) -> Sample:
    """An arm's values; a UserError where a run lacks an item or has it twice."""
    chosen = np.flatnonzero(table.keys[ARM].codes == table.keys[ARM].names.index(arm))
    runs = table.keys[RUN]
    order = sorted(np.unique(runs.codes[chosen]), key=lambda at: _by_number(runs.names[at]))
    place = np.zeros(len(runs.names), dtype=np.int64)
    place[order] = np.arange(len(order))
    items = np.zeros(chosen.size, dtype=np.int64)
    if ITEM in table.keys:
        items = table.keys[ITEM].codes[chosen]
    known, column = np.unique(items, return_inverse=True)
    cell = place[runs.codes[chosen]] * known.size + column
    if np.bincount(cell, minlength=len(order) * known.size).max() > 1:
        raise _twice(table, chosen, cell)
    if cell.size < len(order) * known.size:
        empty = int(np.setdiff1d(np.arange(len(order) * known.size), cell)[0])
        run, item = runs.names[order[empty // known.size]], int(known[empty % known.size])
        raise UserError(
            f"{table.files.names[table.files.codes[chosen[0]]]}: run {run} of arm {arm} has no row "
            f"for {table.called.get(ITEM, ITEM)} {table.keys[ITEM].names[item]}; give every run "
            f"the same items"
        )
    values = np.empty(cell.size)
    values[cell] = table.values[chosen]
    return Sample(
        arm=arm,
        values=values.reshape(len(order), known.size),
        items=known,
        runs=tuple(runs.names[at] for at in order),
    )


def _by_number(name: str) -> tuple[int, str]:
    """Numbers in their order: 9 before 10."""
    return len(name), name


def _twice(table: Table, chosen: Codes, cell: Codes) -> UserError:
    order = np.argsort(cell, kind="stable")
    at = int(np.flatnonzero(np.diff(cell[order]) == 0)[0])
    first, second = (int(chosen[order[i]]) for i in (at, at + 1))
    what = f"arm {table.name(ARM, first)}, run {table.name(RUN, first)}"
    if ITEM not in table.keys:
        return UserError(
            f"{table.place(second)} is a second value of {what}; name the column that tells items "
            f"apart with --paired-by"
        )
    item = f"{table.called.get(ITEM, ITEM)} {table.name(ITEM, first)}"
    return UserError(
        f"{table.place(second)} has {item} of {what} again, as {table.place(first)}; leave one "
        f"out, or name the column of runs with --run"
    )


def _check_runs(table: Table, found: Sequence[Sample], pairing: Pairing) -> None:
    """Make sure that each run has its counterpart in the other arm, or that one arm is one run."""
    runs = [sample.runs for sample in found]
    single = min(map(len, runs)) == 1 and pairing == "item"
    if pairing == "none" or single or len(runs[0]) == len(runs[1]):
        return
    first, second = (f"{s.arm} has {', '.join(s.runs):.100}" for s in found)
    raise UserError(
        f"{_files(table)}: of column {table.called.get(RUN, RUN)}, arm {first} and arm {second}; "
        f"give both arms as many runs, or one of them a single one"
    )


def _files(table: Table) -> str:
    return f"{', '.join(table.files.names):.200}"


def _check_items(table: Table, found: Sequence[Sample]) -> None:
    """Make sure that both arms have the same items: of one name, and of one content."""
    first, second = found
    for here, there in ((first, second), (second, first)):
        lacking = np.setdiff1d(here.items, there.items)
        if lacking.size:
            name = table.keys[ITEM].names[int(lacking[0])]
            raise UserError(
                f"{_files(table)}: {table.called.get(ITEM, ITEM)} {name} is in arm {here.arm} "
                f"and not in {there.arm} ({lacking.size} of {here.items.size} are not): judge the "
                f"same items, or leave them unpaired"
            )
    if CONTENT in table.keys:
        row = _unlike(table, CONTENT, np.arange(table.values.size))
        if row is not None:
            raise UserError(
                f"{table.place(row)}: {table.called.get(ITEM, ITEM)} {table.name(ITEM, row)} is "
                f"another item than in {table.files.names[0]}, by its column "
                f"{table.called.get(CONTENT, CONTENT)}; judge the same task"
            )


def _unlike(table: Table, column: str, chosen: Codes) -> int | None:
    """The first of the chosen rows whose item has something else in a column in an earlier one."""
    items, codes = table.keys[ITEM].codes[chosen], table.keys[column].codes[chosen]
    known, first = np.unique(items, return_index=True)
    of_item = np.zeros(len(table.keys[ITEM].names), dtype=np.int64)
    of_item[known] = codes[first]
    other = np.flatnonzero(of_item[items] != codes)
    return int(chosen[other[0]]) if other.size else None


def _by_cluster(table: Table, sample: Sample) -> Sample:
    """An arm of its own items, a mean for each of their clusters."""
    return replace(
        sample, values=cluster_cells(sample.values, _clusters(table, sample, [sample.arm]))
    )


def _clusters(table: Table, sample: Sample, arms: Sequence[str]) -> list[str] | None:
    """The cluster of each item; a UserError where an item of these arms is in two."""
    if CLUSTER not in table.keys or ITEM not in table.keys:
        return None
    named = [table.keys[ARM].names.index(arm) for arm in arms]
    chosen = np.flatnonzero(np.isin(table.keys[ARM].codes, named))
    row = _unlike(table, CLUSTER, chosen)
    if row is not None:
        raise UserError(
            f"{table.place(row)}: column {table.called.get(CLUSTER, CLUSTER)} has "
            f"{table.name(CLUSTER, row)} for {table.called.get(ITEM, ITEM)} "
            f"{table.name(ITEM, row)}, and another row another; an item is in one cluster"
        )
    known, first = np.unique(table.keys[ITEM].codes[chosen], return_index=True)
    rows = chosen[first[np.searchsorted(known, sample.items)]]
    names, codes = table.keys[CLUSTER].names, table.keys[CLUSTER].codes
    return [names[code] for code in codes[rows]]
