"""What an estimator hands to a verdict: a value, its intervals, its effect size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scope = Literal["seeds", "run", "repeats", "exact", "reported"]


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
