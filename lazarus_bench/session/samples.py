"""Samples over seeds: arrays that know their axes, their bounds and where they came from.

    gold = runs.lens(problems).at("classifier").gold_probability    # Samples[seeds, prompts]
    mean(gold)                                  # evidence: Means, bounded by 0 and 1
    mean(gold >= 0.36)                          # ... of hits: Hits
    mean(gold - before)                         # ... paired by prompt: Differences, in [-1, 1]
    difference(gold, others)                    # ... of other prompts, as many as they may be
    best_layer(runs.lens(problems).gold_probability)                # LayerMax over [.., layers]

A `Stack` is what an instrument measured of each seed. Its attributes are those of one result,
stacked: arrays and numbers become `Samples`, seeds first, and methods are called seed by seed.
`.at("classifier")` or `.at(3)` picks a layer of whatever is asked of it from then on.

`Samples` are arrays: operators, NumPy's functions, indices and reductions work as on `values`, to
the last bit as they would on each seed's own array. Along the way they keep

- `axes`, the name of each axis ("seeds", "prompts", "layers", ...), which `mean`, `max` and the
  like take in place of a number, and whose second one is what an interval counts;
- `bounds`, where a value can lie: from a measurement's annotation (`analysis.measured`), through
  differences, scaling, |x|, 1 - x and maxima; any other function forgets them, and `within(SHARE)`
  states them anew;
- `asked`, which runs were asked which problems, from which the control for an overlap of training
  and evaluation follows (`asked_of(evidence)`).

What only a loop over seeds can express is `runs.each(lambda run: ...)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, reduce
from numbers import Number
from operator import or_
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt
from numpy.lib.mixins import NDArrayOperatorsMixin

from lazarus_bench.analysis.measured import Axes, Limits
from lazarus_bench.judge import (
    Above,
    AllOf,
    AtLeast,
    AtMost,
    Below,
    ClassEntropy,
    Condition,
    Differences,
    Evidence,
    HitDifferences,
    Hits,
    LayerMax,
    Means,
    Ratios,
    Trend,
)

if TYPE_CHECKING:
    from lazarus_bench.session.run import Run

SEEDS, PROMPTS, LAYERS = "seeds", "prompts", "layers"
OneSided = Above | AtLeast | AtMost | Below
NOTHING: Limits = (-math.inf, math.inf)
SHARE: Limits = (0.0, 1.0)
Kind = TypeVar("Kind", bound=Evidence)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which `runs` were asked about which `problems` (their keys), in which `questions`."""

    runs: tuple[Run, ...] = ()
    problems: frozenset[Any] = frozenset()
    questions: frozenset[str] = frozenset()

    def __or__(self, other: Asked) -> Asked:
        known = {id(run) for run in self.runs}
        return Asked(
            runs=(*self.runs, *(run for run in other.runs if id(run) not in known)),
            problems=self.problems | other.problems,
            questions=self.questions | other.questions,
        )

    @property
    def shared(self) -> frozenset[Any]:
        """Keys of the problems that one of the runs, or a training below it, was trained on."""
        trained = {id(made): made for run in self.runs for made in run.trainings}.values()
        return self.problems & {problem.key for made in trained for problem in made.trained_on}


class PerSeed:
    """What holds a part for each seed."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Samples(PerSeed, NDArrayOperatorsMixin):
    """An array `[seeds, ...]` with the names of its axes, its bounds and its origin.

    `pair` holds both sides of a difference until it is changed further.
    """

    values: npt.NDArray[Any]
    axes: tuple[str, ...]
    bounds: Limits = NOTHING
    asked: Asked = Asked()
    pair: tuple[Samples, Samples] | None = None

    def __post_init__(self) -> None:
        if len(self.axes) != self.values.ndim:
            raise ValueError(f"an array of {self.values.ndim} axes cannot have {self.axes}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return self.values.shape

    @property
    def items(self) -> str:
        """What a seed's samples are of, in the plural."""
        return self.axes[1] if len(self.axes) > 1 else PROMPTS

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=copy)

    def within(self, bounds: Limits) -> Samples:
        """The same, whose values are known to lie between `bounds`."""
        return replace(self, bounds=bounds)

    def single(self) -> Samples:
        """The same as samples in their own right, no longer as the two sides of a difference."""
        return replace(self, pair=None)

    def axis(self, axis: int | str) -> int:
        """The number of an axis given by name or number.

        Raises:
            ValueError: there is none of that name.
        """
        if isinstance(axis, int):
            return axis % len(self.axes)
        if axis not in self.axes:
            raise ValueError(f"these samples have the axes {', '.join(self.axes)}, and no {axis}")
        return self.axes.index(axis)

    def at(self, layer: int | str) -> Samples:
        """One layer: its number, or "classifier".

        Raises:
            ValueError: there is no axis of layers.
        """
        at = self.asked.runs[0].classifier_layer if layer == "classifier" else layer
        picked = self[(*[slice(None)] * self.axis(LAYERS), at)]
        assert isinstance(picked, Samples)
        return picked

    def __getitem__(self, index: Any) -> Any:
        found = self.values[index]
        given = index if isinstance(index, tuple) else (index,)
        if Ellipsis in [i for i in given if i is Ellipsis]:
            at = next(n for n, i in enumerate(given) if i is Ellipsis)
            missing = len(self.axes) - len(given) + 1
            given = (*given[:at], *[slice(None)] * missing, *given[at + 1 :])
        given = (*given, *[slice(None)] * (len(self.axes) - len(given)))
        axes = tuple(a for a, i in zip(self.axes, given, strict=False) if np.ndim(_probe(i)))
        if not axes or axes[0] != SEEDS or len(axes) != np.ndim(found):
            return found
        sides = tuple(side[index] for side in self.pair or () if side.axes == self.axes)
        pair = (sides[0], sides[1]) if len(sides) == 2 else None
        return replace(self, values=found, axes=axes, pair=pair)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or "out" in kwargs:
            return NotImplemented
        given = [i for i in inputs if isinstance(i, Samples)]
        widest = max(given, key=lambda samples: samples.values.ndim)
        plain = [i.values if isinstance(i, Samples) else i for i in inputs]
        if ufunc is np.subtract:  # which NumPy refuses for two arrays of hits
            plain = [np.float64(i) if np.asarray(i).dtype == bool else i for i in plain]
        values = np.asarray(ufunc(*plain, **kwargs))
        return Samples(
            values=values,
            axes=widest.axes,
            bounds=_bounds(ufunc, inputs, values),
            asked=reduce(or_, (samples.asked for samples in given)),
            pair=(inputs[0], inputs[1]) if ufunc is np.subtract and len(given) == 2 else None,
        )

    def _reduced(self, how: str, axis: int | str | None, bounds: Limits) -> Any:
        if axis is None:
            return getattr(self.values, how)()
        at = self.axis(axis)
        found = getattr(self.values, how)(axis=at)
        axes = self.axes[:at] + self.axes[at + 1 :]
        if at == 0:
            return found
        return replace(self, values=found, axes=axes, bounds=bounds, pair=None)

    def mean(self, axis: int | str | None = None, **_: None) -> Any:
        """The mean over an axis, or of everything."""
        return self._reduced("mean", axis, self.bounds)

    def max(self, axis: int | str | None = None, **_: None) -> Any:
        """The largest along an axis, or of everything."""
        return self._reduced("max", axis, self.bounds)

    def min(self, axis: int | str | None = None, **_: None) -> Any:
        """The least along an axis, or of everything."""
        return self._reduced("min", axis, self.bounds)

    def sum(self, axis: int | str | None = None, **_: None) -> Any:
        """The sum over an axis, or of everything, of no known bounds."""
        return self._reduced("sum", axis, NOTHING)

    def round(self, decimals: int = 0) -> Samples:
        """Rounded to so many decimals, as NumPy rounds."""
        return replace(self, values=self.values.round(decimals), pair=None)

    def argmax(self, axis: int | str | None = None, **_: None) -> Any:
        """Where along an axis the largest is."""
        return self._reduced("argmax", axis, NOTHING)


def _probe(index: Any) -> Any:
    """Something with an axis where indexing by `index` leaves one."""
    return [0] if isinstance(index, slice) else index


def _limits(value: Any) -> Limits:
    if isinstance(value, Samples):
        return value.bounds
    return (float(value),) * 2 if isinstance(value, Number) else NOTHING  # type: ignore[arg-type]


def _bounds(ufunc: np.ufunc, inputs: Sequence[Any], values: npt.NDArray[Any]) -> Limits:
    """Where the values of a function can lie, as far as that follows from where its inputs can."""
    if values.dtype == bool:
        return SHARE
    low, high = _limits(inputs[0])
    other = _limits(inputs[1]) if len(inputs) > 1 else NOTHING
    if ufunc is np.subtract:
        return low - other[1], high - other[0]
    if ufunc is np.add:
        return low + other[0], high + other[1]
    if ufunc is np.negative:
        return -high, -low
    if ufunc is np.absolute and math.isfinite(high - low):
        return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))
    if ufunc in (np.maximum, np.minimum):
        return float(ufunc(low, other[0])), float(ufunc(high, other[1]))
    # Scaled by a positive number.
    if ufunc in (np.multiply, np.true_divide) and 0 < other[0] == other[1] < math.inf:
        return float(ufunc(low, other[0])), float(ufunc(high, other[0]))
    return NOTHING


class Stack(PerSeed):
    """What an instrument measured of each seed: attributes are stacked, methods called by seed."""

    def __init__(
        self, results: Sequence[Any], asked: Asked, layer: int | str | None = None
    ) -> None:
        self._results, self._asked, self._layer = tuple(results), asked, layer

    def __len__(self) -> int:
        return len(self._results)

    def __getitem__(self, seed: int) -> Any:
        return self._results[seed]

    def at(self, layer: int | str) -> Stack:
        """The same, at one layer of its arrays `[..., layers]`: "classifier" or a number."""
        return Stack(self._results, self._asked, layer)

    def each(self, function: Callable[[Any], Any]) -> Any:
        """`function` of every seed's result, stacked; it asks no run anything further."""
        return self._stacked([function(result) for result in self._results], None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = [getattr(result, name) for result in self._results]
        result: Any = type(self._results[0])
        axes = _axes_of(result, name)
        if not callable(found[0]):
            return self._stacked(found, axes)

        def called(*args: Any, **kwargs: Any) -> Any:
            return self._stacked(called_by_seed(found, args, kwargs), axes)

        return called

    def _stacked(self, found: list[Any], axes: Axes | None) -> Any:
        samples = stacked(found, self._asked, axes)
        return samples if self._layer is None else samples.at(self._layer)


def stacked(found: Sequence[Any], asked: Asked, axes: Axes | None = None) -> Any:
    """Results of each seed: `Samples` of numbers and arrays, a `Stack` of anything else.

    Raises:
        ValueError: arrays of different shapes, of which no array can be made.
    """
    if not all(isinstance(each, np.ndarray | np.generic | Number) for each in found):
        return Stack(found, asked)
    if len({np.shape(each) for each in found}) > 1:
        shapes = ", ".join(str(np.shape(each)) for each in found)
        raise ValueError(f"seeds gave arrays of different shapes, {shapes}; reduce each first")
    values = np.stack([np.asarray(each) for each in found])
    names = axes.names if axes and len(axes.names) == values.ndim - 1 else None
    if names is None:
        names = (PROMPTS, *(f"axis {n}" for n in range(2, values.ndim)))[: values.ndim - 1]
    bounds = axes.bounds if axes else SHARE if values.dtype == bool else NOTHING
    return Samples(values=values, axes=(SEEDS, *names), bounds=bounds, asked=asked)


def called_by_seed(
    functions: Iterable[Callable[..., Any]], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[Any]:
    """Call a function a seed; of an argument that is `PerSeed`, each gets its seed's own part."""

    def own(given: Any, seed: int) -> Any:
        return given[seed] if isinstance(given, PerSeed) else given  # type: ignore[index]

    return [
        function(*(own(a, seed) for a in args), **{k: own(v, seed) for k, v in kwargs.items()})
        for seed, function in enumerate(functions)
    ]


@cache
def _axes_of(cls: Any, name: str) -> Axes | None:
    """The `Axes` that a class's attribute, property or method is annotated with."""
    member = getattr(cls, name, None)
    of = member.fget if isinstance(member, property) else getattr(member, "func", member)
    try:
        hint = (
            get_type_hints(of, include_extras=True).get("return")
            if callable(of)
            else get_type_hints(cls, include_extras=True).get(name)
        )
    except (NameError, TypeError):
        return None
    return axes_in(hint)


def axes_in(hint: Any) -> Axes | None:
    """The `Axes` of an annotated type."""
    notes = getattr(hint, "__metadata__", ())
    return next((note for note in notes if isinstance(note, Axes)), None)


def mean(samples: Samples | Sequence[Any] | np.ndarray, **options: Any) -> Evidence:
    """Evidence about the mean of samples `[seeds, prompts]` or `[seeds]`.

    Numbers of one's own are as good as those of runs: an array, or a list for each seed. Hits give
    `Hits`, a difference of two samples what `difference` gives, anything else `Means`. `options`
    go to the evidence's class.
    """
    given: Samples = (
        samples
        if isinstance(samples, Samples)
        else stacked([np.asarray(seed) for seed in samples], Asked())
    )
    if given.pair is not None:
        return difference(*given.pair, **options)
    options = {"items": given.items, **options}
    if given.values.dtype == bool:
        return _from(given.asked, Hits(values=_rows(given), **options))
    options = {"bounds": given.bounds, **options}
    return _from(given.asked, Means(values=_rows(given), **options))


def difference(first: Samples, second: Samples, **options: Any) -> Evidence:
    """Evidence about the mean of `first` minus that of `second`, of any numbers of prompts.

    Two samples of hits give `HitDifferences`, others `Differences`. They are paired by prompt where
    both answer the same questions, else by seed where there are several. `options` go to the
    evidence's class.
    """
    sides = {"first": _rows(first), "second": _rows(second), "items": first.items}
    asked = first.asked | second.asked
    alike = first.asked.questions == second.asked.questions
    if first.values.dtype == second.values.dtype == bool:
        options = {"paired": "prompts" if alike else "no", **options}
        return _from(asked, HitDifferences(**{**sides, **options}))
    several = min(len(first), len(second)) > 1
    paired = "prompts" if alike else "seeds" if several else "no"
    bounds = (first.bounds[0] - second.bounds[1], first.bounds[1] - second.bounds[0])
    return _from(asked, Differences(**{**sides, "paired": paired, "bounds": bounds, **options}))


def best_layer(samples: Samples, **options: Any) -> Evidence:
    """Evidence about the largest of the layers' means, of samples `[seeds, prompts, layers]`."""
    options = {"items": samples.items, "bounds": samples.bounds, **options}
    return _from(samples.asked, LayerMax(values=samples.values, **options))  # type: ignore[arg-type]


def ratio(numerator: Samples, denominator: Samples, **options: Any) -> Evidence:
    """Evidence about the ratio of two positive numbers a seed, paired by seed."""
    sides = {"numerator": numerator.values.tolist(), "denominator": denominator.values.tolist()}
    return _from(numerator.asked | denominator.asked, Ratios(**sides, **options))


def trend(points: Iterable[Samples], **options: Any) -> Evidence:
    """Evidence about a rank correlation with the order of `points`, each a number a seed."""
    points = tuple(points)
    values = np.stack([point.values for point in points], axis=1).tolist()
    asked = reduce(or_, (point.asked for point in points))
    return _from(asked, Trend(values=values, **options))


def class_entropy(predictions: Samples | Sequence[Sequence[int]], classes: int) -> ClassEntropy:
    """Evidence about the entropy of predicted classes `[seeds, prompts]`, numbers from 0."""
    if not isinstance(predictions, Samples):
        return ClassEntropy(predictions=predictions, classes=classes)
    evidence = ClassEntropy(predictions=_rows(predictions), classes=classes)
    return _from(predictions.asked, evidence)


def all_of(conditions: Mapping[str, tuple[Evidence, OneSided]]) -> AllOf:
    """Evidence that all named conditions hold at once."""
    return AllOf(
        conditions=tuple(
            Condition(name=name, evidence=evidence, region=region)
            for name, (evidence, region) in conditions.items()
        )
    )


def asked_of(evidence: Evidence) -> Asked:
    """Which runs were asked what for a piece of evidence, or for its conditions."""
    own: Asked = getattr(evidence, "asked", Asked())
    parts = evidence.conditions if isinstance(evidence, AllOf) else ()
    return reduce(or_, (asked_of(part.evidence) for part in parts), own)


def _from(asked: Asked, evidence: Kind) -> Kind:
    # Evidence knows no models, and is compared by its numbers; its origin is a note on the object.
    object.__setattr__(evidence, "asked", asked)
    return evidence


def _rows(samples: Samples) -> Any:
    if samples.values.ndim not in (1, 2):
        raise ValueError(
            f"a mean is of samples [seeds, prompts], not of [{', '.join(samples.axes)}]: choose a "
            f"layer with .at(), reduce an axis, or ask for the best_layer()"
        )
    return samples.values if samples.values.ndim == 2 else samples.values[:, None]
