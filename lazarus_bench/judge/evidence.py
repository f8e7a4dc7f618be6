"""What every kind of evidence shares: its estimate at a level, and what a decision would take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lazarus_bench.judge.bounds import Array, Limits
from lazarus_bench.judge.power import detectable_distance, units_needed
from lazarus_bench.judge.region import Region
from lazarus_bench.judge.sampling import NOTHING, Sampling

Scope = Literal["seeds", "run", "repeats", "exact", "reported"]

PLAIN_LEVEL = 0.95

SHARE: Limits = (0.0, 1.0)
"""Where a probability, an accuracy or any other share can lie."""

SHARE_DIFFERENCE: Limits = (-1.0, 1.0)
"""Where the difference of two shares can lie."""

_ROUNDING = 1e-6
"""By which a sum of probabilities in float32 may pass 1."""

_LARGEST = 1e150
"""Largest size of a sample, whose square is still a number."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval, closed; ±inf where the sample says nothing about that side.

    Attributes:
        low: lower limit.
        high: upper limit.
        level: two-sided confidence level, for example 0.95.
    """

    low: float
    high: float
    level: float


@dataclass(frozen=True, kw_only=True)
class Effect:
    """A standardised effect size with its interval.

    Attributes:
        name: "Hedges g", "Cohen h", "Cliff δ", "odds ratio" or "rank correlation".
        value: point estimate.
        low: lower limit.
        high: upper limit.
        level: two-sided confidence level.
    """

    name: str
    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One estimand's value with the family-wise and the plain 95% interval.

    Attributes:
        value: point estimate in the estimand's own unit.
        interval: interval at the level the verdict uses.
        interval95: plain 95% interval, shown beside it.
        method: the estimator's name.
        scope: "seeds" speaks of the recipe, "run" of one trained model, "repeats" of one machine,
            "exact" of a computed number, "reported" of a number printed without its sample.
        seeds: number of training seeds, or of repeats.
        prompts: prompts per seed.
        effect: effect size that suits the estimand, or None.
        note: what limits the estimate, in one clause; empty when nothing does.
        items: what `prompts` counts, where the samples are of something else.
        error: standard error of `value`, positive; None where only the interval is known.
        df: degrees of freedom of `error`; None without it.
        by_seed: each seed's own value, in the seeds' order; empty where there is one run, or where
            a seed alone has none.
    """

    value: float
    interval: Interval
    interval95: Interval
    method: str
    scope: Scope
    seeds: int
    prompts: int
    effect: Effect | None = None
    note: str = ""
    items: str = "prompts"
    error: float | None = None
    df: float | None = None
    by_seed: tuple[float, ...] = ()


class Evidence(ABC):
    """Samples of one estimand. Subclasses are frozen dataclasses that hold plain tuples."""

    @property
    def items(self) -> str:
        """What a seed's samples are of, in the plural."""
        return "prompts"

    @property
    @abstractmethod
    def point(self) -> float:
        """Point estimate in the estimand's own unit."""

    @property
    @abstractmethod
    def method(self) -> str:
        """Name of the estimator that the sample's shape selects."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(seeds, prompts per seed)."""

    @property
    def bounds(self) -> Limits:
        """The range in which the estimand can lie, as far as it is known.

        A t interval knows nothing of it. Estimates end there: the limits cover the truth as often
        as before, and a verdict is the same for every region whose edges lie between the bounds.
        """
        return NOTHING

    @property
    def scope(self) -> Scope:
        """Whether the estimate speaks of the recipe ("seeds") or of one trained model ("run")."""
        return "seeds" if self.shape[0] > 1 else "run"

    @property
    def unit(self) -> str:
        """What a larger sample would have more of."""
        return "seeds" if self.scope == "seeds" else self.counted

    @property
    def counted(self) -> str:
        """What counts once within a seed: its items, or clusters of them."""
        return self.items if getattr(self, "clusters", None) is None else "clusters"

    @property
    def caveat(self) -> str:
        """What limits the estimate, in one clause; empty when nothing does."""
        model = self.sampling()
        if model is None or model.spread_known():
            return ""
        if self.scope == "seeds":
            return "all seeds agree exactly, so the spread between seeds is unknown"
        return f"one run shows no spread between {self.unit}"

    @abstractmethod
    def sampling(self) -> Sampling | None:
        """Return the sampling model, or None when the sample supports no interval."""

    def seed_values(self) -> Array | None:
        """Return each seed's own value, shape (seeds,), or None where a seed alone has none."""
        return None

    @property
    def kind(self) -> str:
        """Name of its kind in the calibration table; empty where it has none."""
        return ""

    def error_of_a_seed(self) -> float:
        """Return the error that the prompts leave in one seed's value; 0 where it is unknown."""
        return 0.0

    def seed_checks(self) -> list[Array]:
        """Return what is searched for seeds that stand apart: each one's value, shape (seeds,).

        Unpaired samples give two: each side's seeds against the other side's mean.
        """
        values = self.seed_values() if self.scope == "seeds" else None
        return [] if values is None else [values]

    def by_seed(self) -> tuple[float, ...]:
        """Return each seed's own value where there are several; they are shown, never judged."""
        values = self.seed_values() if self.shape[0] > 1 else None
        return () if values is None else tuple(values.tolist())

    def effect(self, level: float, edge: float | None = None) -> Effect | None:  # noqa: ARG002
        """Return the effect size that suits the estimand, against an edge where it needs one."""
        return None

    def limits(self, level: float) -> Limits:
        """Return the confidence limits at a two-sided level (cheaper than `estimate`)."""
        model = self.sampling()
        return model.limits(level) if model else NOTHING

    def estimate(self, level: float, edge: float | None = None) -> Estimate:
        """Return value, intervals and effect size.

        Args:
            level: two-sided level of the interval that the verdict uses, in (0, 1).
            edge: reference for the effect sizes of single samples: the region's nearest edge.

        Raises:
            ValueError: for a level outside (0, 1).
        """
        if not 0 < level < 1:
            raise ValueError(f"an interval's level lies between 0 and 1, not at {level}")
        error, df = self._error()
        return Estimate(
            value=self.point,
            interval=self._interval(level),
            interval95=self._interval(PLAIN_LEVEL),
            method=self.method,
            scope=self.scope,
            seeds=self.shape[0],
            prompts=self.shape[1],
            effect=self.effect(level, edge),
            note=self.caveat,
            items=self.items,
            error=error,
            df=df,
            by_seed=self.by_seed(),
        )

    def _interval(self, level: float) -> Interval:
        limits = self.limits(level)
        # An interval that knows nothing says so, rather than that it is the whole range.
        low, high = limits if limits == NOTHING else np.clip(limits, *self.bounds).tolist()
        return Interval(low=low, high=high, level=level)

    def _error(self) -> tuple[float, float] | tuple[None, None]:
        model = self.sampling()
        error, df = model.sampling_error() if model else (0.0, 0.0)
        return (error, float(df)) if error > 0 else (None, None)

    def detectable(self, region: Region, level: float) -> float | None:
        """Return the smallest distance from the region's edge that 80% of such samples detect."""
        model = self.sampling()
        return detectable_distance(model, region, level) if model else None

    def needed(self, region: Region, level: float) -> str | None:
        """Return how large a sample that looks like this one would have to be to decide."""
        model = self.sampling()
        if model is None:
            return None
        size = units_needed(model, self.point, region, level)
        if size is None and not np.isfinite(self.limits(level)).all():
            return f"at least 2 {self.unit} (now {model.size}), since one shows no spread"
        if size is None:
            return f"no affordable number of {self.unit} would decide a value of {self.point:.3g}"
        side = "support" if region.contains_value(self.point) else "refute"
        return (
            f"{size} {self.unit} (now {model.size}) with the same outcome would {side} "
            f"{region.describe()}"
        )


class OneSample(Evidence):
    """Evidence from one sample, `values[seed][prompt]`."""

    values: Sequence[Sequence[Any]]

    @property
    def shape(self) -> tuple[int, int]:  # noqa: D102
        return len(self.values), len(self.values[0])


def _nested_tuples(values: Any) -> Any:
    return tuple(map(_nested_tuples, values)) if isinstance(values, list) else values


def _complaint(values: Any, depth: int, name: str) -> str:
    """Say what keeps `values` from being a rectangular sample of finite numbers."""
    if depth == 0:
        value = values.item() if isinstance(values, np.generic) else values
        return f"{name} holds {value!r}; every sample must be a finite number up to {_LARGEST:g}"
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
        return f"{name} is nested too shallowly: it needs {depth} more level(s)"
    if len(values) == 0:
        return f"{name} is empty; it needs at least one value at every level"
    for item in values:
        if not _is_sample(item, depth - 1):
            return _complaint(item, depth - 1, name)
    return f"{name} has unequal lengths; every seed needs the same prompts"


def _is_sample(values: Any, depth: int) -> bool:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return numbers.ndim == depth and numbers.size > 0 and bool((np.abs(numbers) <= _LARGEST).all())


def freeze(owner: object, depth: int, *names: str) -> None:
    """Turn the named fields of a frozen dataclass into rectangular nested tuples of floats.

    Args:
        owner: the instance under construction.
        depth: levels of nesting, for example 2 for `values[seed][prompt]`.
        names: its fields.

    Raises:
        ValueError: for an empty level, a value that is no number or too large, or unequal lengths.
    """
    for name in names:
        values = getattr(owner, name)
        if not _is_sample(values, depth):
            raise ValueError(_complaint(values, depth, f"{type(owner).__name__}.{name}"))
        numbers = np.asarray(values, dtype=np.float64).tolist()
        object.__setattr__(owner, name, _nested_tuples(numbers))


def check_bounds(owner: Evidence) -> None:
    """Make the bounds of evidence under construction floats.

    Raises:
        ValueError: they are no range, or the estimate lies outside of them.
    """
    low, high = map(float, owner.bounds)
    object.__setattr__(owner, "bounds", (low, high))
    what = f"{type(owner).__name__}.bounds ({low:g}, {high:g})"
    if not low < high:
        raise ValueError(f"{what} are no range; give the lower one first")
    if not low - _ROUNDING <= owner.point <= high + _ROUNDING:
        raise ValueError(f"{what} do not hold the estimate, {owner.point:.3g}")


def check_shares(owner: Evidence, values: Array) -> None:
    """Refuse values that are no shares in evidence whose bounds say that they are.

    Raises:
        ValueError: one of them lies outside of [0, 1] by more than rounding.
    """
    outside = values[(values < -_ROUNDING) | (values > 1 + _ROUNDING)]
    if owner.bounds == SHARE and outside.size:
        raise ValueError(
            f"{type(owner).__name__}.bounds (0, 1) do not hold the value {outside[0]:g}"
        )


def check_clusters(owner: Any, prompts: int) -> None:
    """Make the clusters of evidence under construction a tuple, and its population a number.

    Raises:
        ValueError: there is not one text or number for each of the `prompts`, two keys differ by
            type alone, or the population is smaller than the sample.
    """
    name, count = type(owner).__name__, prompts
    if owner.clusters is not None:
        if isinstance(owner.clusters, str) or not isinstance(owner.clusters, Sequence | np.ndarray):
            raise ValueError(f"{name}.clusters is {owner.clusters!r}; give one key for each prompt")
        keys = tuple(int(k) if isinstance(k, np.integer) else k for k in owner.clusters)
        if len(keys) != prompts:
            raise ValueError(f"{name}.clusters has {len(keys)} keys for {prompts} prompts")
        for key in keys:
            if not isinstance(key, str | int) or (isinstance(key, int) and abs(key) >= 2**63):
                raise ValueError(f"{name}.clusters holds {key!r}; a key is a text or whole number")
        object.__setattr__(owner, "clusters", keys)
        count = len({str(key) for key in keys})
        if count != len(set(keys)):
            raise ValueError(f"{name}.clusters mixes numbers with texts that look like them")
    if owner.population is not None:
        object.__setattr__(owner, "population", int(owner.population))
        if owner.population < count:
            raise ValueError(f"{name}.population is {owner.population}, below the {count} sampled")


def array(values: Sequence[Any]) -> Array:
    """Return nested tuples as a float array of the same shape."""
    return np.asarray(values, dtype=np.float64)


def require_hits(owner: object, values: Array, name: str) -> None:
    """Raise ValueError unless every value is 0 or 1."""
    if not np.isin(values, (0.0, 1.0)).all():
        bad = values[~np.isin(values, (0.0, 1.0))].flat[0]
        raise ValueError(
            f"{type(owner).__name__}.{name} holds {bad:g}; hits are 0 or 1 (use Means otherwise)"
        )


def paired_difference(owner: object, first: Array, second: Array) -> Array:
    """Return first − second, shape (seeds, prompts); a single run is compared with every seed.

    Raises:
        ValueError: when seeds or prompts do not match.
    """
    name = type(owner).__name__
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"{name} pairs by prompt, but first has {first.shape[1]} prompts and second "
            f"{second.shape[1]}"
        )
    if first.shape[0] != second.shape[0] and 1 not in (first.shape[0], second.shape[0]):
        raise ValueError(
            f"{name} pairs by seed, but first has {first.shape[0]} seeds and second "
            f"{second.shape[0]}"
        )
    difference: Array = first - second
    return difference
