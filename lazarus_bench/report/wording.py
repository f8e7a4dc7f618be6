"""The wording of estimates, regions and sample sizes, the same in every rendering.

Everything is printed as a fraction, never as a percentage, so that two cells can be compared.
"""

import math
from collections.abc import Iterator

from lazarus_bench.judge import (
    Above,
    AtLeast,
    AtMost,
    Below,
    Effect,
    Estimate,
    Interval,
    Outcome,
    Region,
    Verdict,
    Within,
)
from lazarus_bench.report.printed import brackets, number, numbers, signed, with_limits
from lazarus_bench.report.schema import Look, Row

_RELATION = {
    Outcome.SUPPORTED: "⊂",
    Outcome.REFUTED: "outside",
    Outcome.SUPPORTED_RUN: "⊂",
    Outcome.REFUTED_RUN: "outside",
    Outcome.INCONCLUSIVE: "across",
    Outcome.MIXED: "seeds on both sides of",
    Outcome.INVALID: "against",
    Outcome.NOT_APPLICABLE: "against",
    Outcome.ERROR: "against",
}


def interval(span: Interval, value: float) -> str:
    """Print an interval alone, with the decimals of its value."""
    _, low, high = numbers([value, span.low, span.high])
    return brackets(span.low, span.high, low, high)


def interval95(item: Estimate) -> str:
    """Print the plain 95% interval alone: [0.86, 0.94], open where it has no end."""
    return interval(item.interval95, item.value)


def estimate(item: Estimate) -> str:
    """Print an estimate and its verdict interval: "0.900 [0.860, 0.940]"."""
    return _with_interval(item, item.interval)


def estimate95(item: Estimate) -> str:
    """Print an estimate and its plain 95% interval."""
    return _with_interval(item, item.interval95)


def _with_interval(item: Estimate, span: Interval) -> str:
    has = has_interval(item)
    return with_limits(item.value, span.low, span.high) if has else number(item.value)


def has_interval(item: Estimate) -> bool:
    """Whether there is an interval to print: a computed or bare number has none."""
    bounded = math.isfinite(item.interval.low) or math.isfinite(item.interval.high)
    return bounded and item.scope != "exact"


def effect(item: Effect | None) -> str:
    """Print an effect size with its interval; "" where there is none."""
    return f"{item.name} {with_limits(item.value, item.low, item.high)}" if item else ""


def sample(item: Estimate | None) -> str:
    """Name the sample of an estimate: "5 seeds × 200 prompts", "1 run × 8 prompts", "computed"."""
    if item is None:
        return ""
    if item.scope == "exact":
        return "computed"
    if item.scope == "reported":
        return "sample not printed"
    kind = "repeats" if item.scope == "repeats" else "seeds"
    runs = f"{item.seeds} {kind}" if item.seeds > 1 else "1 run"
    trend = item.effect is not None and item.effect.name == "rank correlation"
    many = f"{item.prompts:,} {'checkpoints' if trend else item.items}"
    return f"{runs} × {many}" if item.prompts > 1 else runs


def speaks_of(item: Estimate) -> str:
    """Say what an estimate generalises to."""
    return {
        "seeds": "speaks of the recipe, over training seeds",
        "run": "speaks of this run alone",
        "repeats": "speaks of this machine, over paired repeats",
        "exact": "computed, nothing was sampled",
        "reported": "a number printed without its sample decides nothing",
    }[item.scope]


def region_set(region: Region) -> str:
    """Write a region as a set: [0.36, ∞)."""
    match region:
        case AtLeast(x):
            return f"[{_edge(x)}, ∞)"
        case Above(x):
            return f"({_edge(x)}, ∞)"
        case AtMost(x):
            return f"(−∞, {_edge(x)}]"
        case Below(x):
            return f"(−∞, {_edge(x)})"
        case Within(a, b) if a == b:
            return f"{{{_edge(a)}}}"
        case Within(a, b):
            return f"[{_edge(a)}, {_edge(b)}]"
        case _:
            return region.describe()


def region(region: Region) -> str:
    """Write a region as a condition: "≥ 0.36", "= 851,968"."""
    if isinstance(region, Within) and region.a == region.b:
        return f"= {_edge(region.a)}"
    return region.describe()


def _edge(x: float) -> str:
    return number(x) if abs(x) >= 1000 else signed(f"{x:g}")


def relation(verdict: Verdict) -> str:
    """Relate the interval to the region: "⊂ [0.36, ∞)"."""
    if verdict.estimate is None:
        return ""
    if verdict.estimate.scope == "exact":
        sign = "∈" if verdict.region.contains_value(verdict.estimate.value) else "∉"
    elif has_interval(verdict.estimate):
        sign = _RELATION[verdict.outcome]
    else:
        sign = "no interval for"
    return f"{sign} {region_set(verdict.region)}"


def again(row: Row) -> Iterator[tuple[str, str]]:
    """Yield what a replication, further looks and simulations say of a row, each with its label."""
    predicted, found = row.verdict.predicted, row.verdict.estimate
    if predicted is not None and found is not None and predicted.low < predicted.high:
        _, low, high = numbers([found.value, predicted.low, predicted.high])
        span = brackets(predicted.low, predicted.high, low, high)
        share = f"{100 * predicted.level:g}% of estimates in {span}"
        told = f"the same verdict with a chance of {predicted.same:.0%}; {share}"
        yield "Replication with new seeds", told
    if row.looks:
        shown = (f"{_look(look)}: {look.outcome}" for look in row.looks)
        yield "Looks", "; ".join(shown)
    for event in row.post_hoc:
        yield "Post hoc", event
    if row.unplanned:
        yield "Unplanned", row.unplanned.removeprefix("unplanned: ")
    if row.verdict.warning:
        yield "Warning", row.verdict.warning


def _look(look: Look) -> str:
    return f"{look.seeds} seeds, {with_limits(look.value, look.low, look.high)}"


def published(verdict: Verdict | None) -> str:
    """Print the published number and the rule's verdict on it: "0.571: inconclusive"."""
    if verdict is None or verdict.estimate is None:
        return "" if verdict is None else "no number"
    return f"{number(verdict.estimate.value)}: {verdict.outcome.value}"
