"""Lens heat maps for the report: how much each layer gives to the operation's name, by prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lazarus_bench.figures import HeatGroup, HeatMap, HeatRow
from lazarus_bench.session.curves import without_seed
from lazarus_bench.tasks.arithmetic import Operation, Problem

if TYPE_CHECKING:
    from lazarus_bench.session.runs import Run

EACH = 2
"""Held-out prompts of each operation: a page has room for a look, and claims have the numbers."""

DIGITS = 4


def lens_heatmap(
    title: str, runs: Sequence[Run], writeup_prompts: Sequence[Problem], held_out: Sequence[Problem]
) -> HeatMap:
    """Lens probability of the operation's name, prompt by layer, a mean over `runs`.

    Shown are the writeups' prompts and the first two others of each operation that are held out.
    Both readings are of all the prompts given, as claims take them, so that one that is kept serves
    here too.

    Args:
        title: what was read.
        runs: trainings of one recipe on one subject, or its bases, one a seed, at least one.
        writeup_prompts: all of them are shown.
        held_out: the evaluation problems.
    """
    sample = _of_each_operation(held_out, writeup_prompts)
    few = f"{len(sample)} of {len(held_out)} held-out prompts"
    own = range(len(writeup_prompts))
    return HeatMap(
        title=title,
        subject=without_seed(runs[0]),
        layer=runs[0].classifier_layer,
        seeds=len(runs),
        groups=(
            _group("the writeups' prompts", runs, writeup_prompts, own),
            _group(few, runs, held_out, sample),
        ),
    )


def _of_each_operation(problems: Sequence[Problem], but: Sequence[Problem]) -> list[int]:
    """Places of the first `EACH` problems of every operation, by operation, `but` for some."""
    found: list[int] = []
    for operation in Operation:
        own = [at for at, p in enumerate(problems) if p.operation is operation and p not in but]
        found += own[:EACH]
    return found


def _group(
    name: str, runs: Sequence[Run], problems: Sequence[Problem], shown: Sequence[int]
) -> HeatGroup:
    mean = np.mean([run.lens(problems).gold_probability for run in runs], axis=0)
    return HeatGroup(
        name=name,
        rows=tuple(
            HeatRow(
                prompt=problems[at].symbols,
                gold=problems[at].operation.word,
                probability=tuple(float(f"{p:.{DIGITS}g}") for p in mean[at]),
            )
            for at in shown
        ),
    )
