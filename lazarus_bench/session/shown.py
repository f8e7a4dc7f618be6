"""Figures and tables that claims show beside their verdicts, each from a few runs.

Training curves, a probe's accuracy by layer, lens heat maps and tables, scatters of engrams.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lazarus_bench.errors import UserError
from lazarus_bench.figures.heatmap import HeatGroup, HeatMap, HeatRow
from lazarus_bench.figures.layers import LayerCurves, LayerSeries, NullBand
from lazarus_bench.figures.scatter import MOST, Scatter
from lazarus_bench.figures.training import Curve, Curves
from lazarus_bench.report.schema import LensRow, LensTable
from lazarus_bench.tasks.arithmetic import Operation, Problem
from lazarus_bench.training.record import StepMetrics, read_thinned

if TYPE_CHECKING:
    from lazarus_bench.analysis.measured import Floats
    from lazarus_bench.analysis.probe_prompts import HeldOut, ProbePrompts
    from lazarus_bench.session.run import Run

POINTS = 25
"""Points a seed: a report is read whole, and a sparkline of more does not fit its table."""

LOSS = "loss"
EACH = 2
"""Held-out prompts of each operation: a page has room for a look, and claims have the numbers."""

ERASED_DRAWS = 5
"""Random labels of each layer in a figure."""

DIGITS = 4
UPPER = 0.95
ByLayer = npt.NDArray[np.float64]


def training_curves(
    title: str, runs: Sequence[Run], names: Sequence[str], unit: str = "nats"
) -> Curves:
    """Curves of the logged numbers `names` over the training of `runs`, one line a run.

    `runs` are trainings of one recipe on one subject, one a seed, at least one. A name is "loss",
    which is what was minimised, or a named part of it, all in `unit`.

    Raises:
        UserError: a log has no number of that name.
    """
    logs = [(run.name, read_thinned(run.made, POINTS)) for run in runs]
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


def probe_curves(
    title: str, runs: Sequence[Run], prompts: ProbePrompts, held_out: HeldOut
) -> LayerCurves:
    """Held-out accuracy of every layer, of random weights, and on control tasks, over a null band.

    The null permutes labels inside the split; its upper edge is that of the best layer, the maximum
    taken inside each permutation, so a curve that stays below it shows nothing. All seeds are
    permuted alike, and the null of their mean is the mean of their nulls. Control tasks are those
    of Hewitt and Liang (EMNLP 2019).

    `runs` are models of one subject, one a seed, at least one; `held_out` is what the split holds
    out of `prompts`.

    Raises:
        UserError: too few prompts for the split.
    """
    read: dict[str, Callable[[Run], Any]] = {
        "accuracy": lambda run: run.probe(prompts, held_out).accuracy,
        "control: random weights": lambda run: run.randomised().probe(prompts, held_out).accuracy,
        "control: control task": lambda run: run.probe_control(prompts, held_out).mean(axis=0),
    }
    nulls = _each(runs, lambda run: run.probe_null(prompts, held_out).permuted).mean(axis=0)
    return LayerCurves(
        title=title,
        subject=without_seed(runs[0]),
        unit=f"fraction, chance {1 / len(prompts.classes):g}",
        layers=tuple(range(nulls.shape[1])),
        series=tuple(LayerSeries.of(name, _each(runs, how).tolist()) for name, how in read.items()),
        null=NullBand(
            name="permuted labels",
            mean=tuple(nulls.mean(axis=0).tolist()),
            upper=float(np.quantile(nulls.max(axis=1), UPPER)),
        ),
    )


def _each(runs: Sequence[Run], read: Callable[[Run], Any]) -> ByLayer:
    return np.stack([np.asarray(read(run), dtype=np.float64) for run in runs])


def lens_heatmap(
    title: str, runs: Sequence[Run], sample: Sequence[Problem], held_out: Sequence[Problem]
) -> HeatMap:
    """Lens probability of the operation's name, prompt by layer, a mean over `runs`.

    Shows all prompts of `sample` and the first two others of each operation in `held_out`. Both
    measurements are of all the prompts given, as claims take them, so that one that is kept serves
    here too. `runs` are of one subject, one a seed, at least one.
    """
    others: list[int] = []
    for operation in Operation:
        own = (at for at, p in enumerate(held_out) if p.operation is operation and p not in sample)
        others += islice(own, EACH)
    few = f"{len(others)} of {len(held_out)} held-out prompts"
    return HeatMap(
        title=title,
        subject=without_seed(runs[0]),
        layer=runs[0].classifier_layer,
        seeds=len(runs),
        groups=(
            _group(f"{len(sample)} sample prompts", runs, sample, range(len(sample))),
            _group(few, runs, held_out, others),
        ),
    )


def lenses_heatmap(
    title: str, lenses: Mapping[str, Sequence[Run]], problems: Sequence[Problem]
) -> HeatMap:
    """Probability of the operation's name under several lenses, prompt by layer, means over seeds.

    `lenses` are runs of one subject that are read by the lens so called, one run a seed, at least
    one of each.
    """
    first = next(iter(lenses.values()))
    shown = range(len(problems))
    return HeatMap(
        title=title,
        subject=without_seed(first[0]),
        layer=first[0].classifier_layer,
        seeds=len(first),
        groups=tuple(_group(name, runs, problems, shown) for name, runs in lenses.items()),
    )


def erasure_curves(
    title: str, run: Run, problems: Sequence[Problem], fitted_on: Sequence[Problem]
) -> LayerCurves:
    """Accuracy of one run with the operation erased after each layer, and with a random label.

    Raises:
        UserError: as `analysis.erasure.erasure`.
    """
    layers = tuple(range(run.depth))
    found = [run.erasure(problems, at, fitted_on, draws=ERASED_DRAWS) for at in layers]
    accuracy = {
        "as it is": [each.correct_before for each in found],
        "operation erased": [each.correct for each in found],
        "random label erased": [each.random_correct for each in found],
    }
    return LayerCurves(
        title=title,
        subject=run.name,
        unit="accuracy",
        layers=layers,
        series=tuple(
            LayerSeries.of(name, [[each.mean() for each in by_layer]])
            for name, by_layer in accuracy.items()
        ),
    )


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


def engram_scatter(title: str, run: Run) -> Scatter:
    """The engrams of the evaluation examples in the plane of their first two components.

    The components are those of all examples; of more than 300, so many drawn at random are shown.
    """
    from sklearn.decomposition import PCA

    read = run.engrams()
    plane = PCA(n_components=2, svd_solver="full").fit(read.engram)
    shown = np.sort(np.random.default_rng(0).permutation(len(read.label))[:MOST])
    places: Floats = plane.transform(read.engram[shown])
    x, y = map(float, plane.explained_variance_ratio_)
    return Scatter(
        title=f"{title}, {run.data.name}",
        subject=run.name,
        classes=run.data.classes,
        points=tuple(
            (round(float(a), DIGITS), round(float(b), DIGITS), int(label))
            for (a, b), label in zip(places, read.label[shown], strict=True)
        ),
        explained=(x, y),
    )
