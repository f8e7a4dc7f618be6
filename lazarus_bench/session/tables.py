"""Lens tables for the report: the sample prompts before and after a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lazarus_bench.report import LensRow, LensTable
from lazarus_bench.tasks.arithmetic import Problem

if TYPE_CHECKING:
    from lazarus_bench.session.runs import Run


def lens_table(title: str, run: Run, problems: Sequence[Problem]) -> LensTable:
    """Top lens tokens at the classifier layer of `run` and of the run it started from."""
    layer = run.classifier_layer
    before, after = run.before.lens(problems), run.lens(problems)
    decode = run.loaded.tokenizer.decode
    rows = tuple(
        LensRow(
            prompt=problem.symbols,
            before_token=decode([int(before.top[i, layer, 0])]),
            before_probability=float(before.top_probability[i, layer, 0]),
            after_token=decode([int(after.top[i, layer, 0])]),
            after_probability=float(after.top_probability[i, layer, 0]),
            gold=problem.operation.word,
        )
        for i, problem in enumerate(problems)
    )
    return LensTable(title=title, subject=run.name, layer=layer, rows=rows)
