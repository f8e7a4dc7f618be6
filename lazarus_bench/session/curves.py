"""Training curves for the report: what the runs of one recipe logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lazarus_bench.errors import UserError
from lazarus_bench.figures import Curve, Curves

if TYPE_CHECKING:
    from lazarus_bench.session.runs import Run
    from lazarus_bench.training.record import StepMetrics

POINTS = 25
"""Points a seed: a report is read whole, and a sparkline of more does not fit its table."""

LOSS = "loss"


def training_curves(
    title: str, runs: Sequence[Run], names: Sequence[str], unit: str = "nats"
) -> Curves:
    """Curves of the logged numbers `names` over the training of `runs`, one line a run.

    Args:
        title: what was trained.
        runs: trainings of one recipe on one subject, one a seed, at least one.
        names: "loss", which is what was minimised, or named parts of it.
        unit: of every number named; numbers of another unit are curves of another title.

    Raises:
        UserError: a log has no number of that name.
    """
    logs = [(run.name, run.thinned(POINTS)) for run in runs]
    series = tuple(
        Curve(
            name=name,
            lines=tuple(
                tuple((float(record.step), _value(run, record, name)) for record in log)
                for run, log in logs
            ),
        )
        for name in names
    )
    return Curves(title=title, subject=without_seed(runs[0]), unit=unit, series=series)


def without_seed(run: Run) -> str:
    """The subject a run is of: its name but for its seed."""
    return run.name.removesuffix(f" seed {run.seed}")


def _value(run: str, record: StepMetrics, name: str) -> float:
    if name == LOSS:
        return record.loss
    if name not in record.parts:
        known = ", ".join([LOSS, *record.parts])
        raise UserError(f"the log of {run} has no {name!r}; choose from {known}")
    return record.parts[name]
