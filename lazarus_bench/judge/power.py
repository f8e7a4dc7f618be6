"""What a design can decide: smallest detectable effect, sample size needed, attainability."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, special, stats

from lazarus_bench.judge.bounds import clopper_pearson, t_quantile
from lazarus_bench.judge.crossed import Crossed, Items
from lazarus_bench.judge.region import Region
from lazarus_bench.judge.sampling import Bounded, Sampling

POWER = 0.8
_LARGEST = 1_000_000
_POINTS = 9
"""Power is averaged over 2⁹ points of the mean squares; twice as many move it by under .001."""


def units_needed(sampling: Sampling, value: float, region: Region, level: float) -> int | None:
    """Return the smallest size at which a sample that looks like this one decides.

    Args:
        sampling: the sample at hand.
        value: its point estimate; on the region's edge nothing decides.
        region: the claim's region.
        level: two-sided interval level.

    Returns:
        Number of units (at least 2), or None beyond a million.
    """
    if min(abs(value - edge) for edge in region.edges()) == 0:
        return None

    def enough(size: int) -> bool:
        limits = sampling.resized(size).limits(level)
        return region.contains(*limits) or region.excludes(*limits)

    high = 2
    while not enough(high):
        high *= 2
        if high > _LARGEST:
            return None
    untried = range(high // 2 + 1, high)
    return untried.start + bisect_left(untried, True, key=enough)


def detectable_shift(error: float, df: float, level: float, power: float = 0.8) -> float | None:
    """Return the distance from an edge at which a one-sided t test has the given power.

    Args:
        error: standard error of the estimate, in its unit.
        df: degrees of freedom of that error.
        level: two-sided interval level; the test uses (1 − level)/2.
        power: wanted power.

    Returns:
        The distance in the estimand's unit, or None when the error is unknown.
    """
    if error <= 0 or df < 1:
        return None
    critical = float(stats.t.ppf((1 + level) / 2, df))

    def gap(noncentrality: float) -> float:
        return float(stats.nct.sf(critical, df, noncentrality)) - power

    return error * float(optimize.brentq(gap, 0.0, 6 * critical + 10, xtol=1e-9))


def detectable_distance(sampling: Sampling, region: Region, level: float) -> float | None:
    """Return the smallest distance from an edge, inside the region, supported with 80% power.

    0/1 data of one run: exact over the binomial. Seeds crossed with prompts: averaged over the
    errors that samples with these components show, on log-odds where the limits are. Otherwise the
    noncentral t with the error of the limits. None where no truth would be supported that often, or
    the error is unknown.
    """
    if isinstance(sampling, Bounded) and sampling.binary:
        return _binary_distance(sampling, region, level)
    if isinstance(sampling, Crossed):
        return _crossed_distance(sampling, region, level)
    error, df = sampling.standard_error()
    return detectable_shift(error, df, level, POWER)


def _crossed_distance(sampling: Crossed, region: Region, level: float) -> float | None:
    shift = _crossed_shift(sampling, level)
    if shift is None:
        return None
    found = []
    for edge in region.edges():
        for step in (shift, -shift):
            truth = sampling.moved(edge, step)
            if truth is not None and region.contains_value(truth):
                found.append(abs(truth - edge))
    return min(found, default=None)


def _crossed_shift(sampling: Crossed, level: float) -> float | None:
    """The noncentral t with the errors and degrees of freedom of many samples instead of one's.

    Under normality a balanced design's mean squares are independent of each other and of the mean,
    each χ² over its degrees of freedom; what a sample makes of them need not be, as at a
    component's boundary.
    """
    true_error, _ = sampling.working_error()
    if true_error == 0:
        return None
    seeds = sampling.n - 1
    counts = [items.count - 1 for items in sampling.items]
    free = np.array([seeds, *(df for count in counts for df in (count, count * seeds))])
    points = stats.qmc.Sobol(len(free), rng=0).random_base2(_POINTS)
    # A single item has no spread, and its components are 0.
    squares = stats.chi2.ppf(points, np.maximum(free, 1)) / np.maximum(free, 1)
    shown = [sampling.repeated(each).working_error() for each in squares]
    needed = np.array([t_quantile((1 + level) / 2, df) * error for error, df in shown])

    def gap(shift: float) -> float:
        return float(special.ndtr((shift - needed) / true_error).mean()) - POWER

    return float(optimize.brentq(gap, 0.0, needed.max() + 5 * true_error))


def _binary_distance(sampling: Bounded, region: Region, level: float) -> float | None:
    start, width = sampling.support[0] - sampling.offset, sampling.support[1] - sampling.support[0]
    trials = sampling.units
    hits = range(trials + 1)
    pairs = ([start + width * x for x in clopper_pearson(k, trials, level)] for k in hits)
    supports = np.array([region.contains(*pair) for pair in pairs])
    rates = np.linspace(0, 1, 501)
    power = stats.binom.pmf(np.asarray(hits)[:, None], trials, rates[None, :]).T @ supports
    truths = start + width * rates
    inside = np.array([region.contains_value(float(t)) for t in truths])
    distance = np.min([np.abs(truths - edge) for edge in region.edges()], axis=0)
    found = distance[inside & (power >= POWER)]
    return float(found.min()) if found.size else None


def _outcomes(seeds: int, prompts: int, difference: bool) -> list[Sampling]:
    """The calmest outcomes of a design on hits: seeds and prompts that differ by chance alone."""
    support = (-1.0, 1.0) if difference else (0.0, 1.0)
    total = min(prompts, 400)
    shares = [k / total for k in range(total + 1)]
    if seeds == 1:
        model = Bounded(atoms=support, shares=(1.0, 0.0), support=support, units=prompts)
        found: list[Sampling] = [replace(model, shares=(1 - k, k)) for k in shares]
    else:
        inner = [k for k in shares if 0 < k < 1]
        found = [_calm(k, seeds, prompts, difference) for k in inner]
        ends = (-1.0, 1.0) if difference else (0.0, 1.0)
        found += [Bounded.of(np.full(prompts, end), support) for end in ends]
    # Every pair alike on both sides is the calmest outcome, and no ±1 mixture shows it.
    return [*found, Bounded.of(np.zeros(prompts), support)] if difference else found


def _calm(share: float, seeds: int, prompts: int, difference: bool) -> Crossed:
    """Return independent hits with a rate, or ±1 differences with a mean of 2·share − 1."""
    variance = share * (1 - share)
    # A difference needs at least as many discordant pairs as its size; log-odds 1/p(1 − p).
    mean = 2 * share - 1
    noise = abs(mean) * (1 - abs(mean)) if difference else 1 / variance
    items = (Items(between=0.0, noise=noise, count=prompts),)
    centre = mean if difference else float(special.logit(share))
    return Crossed(
        mean=centre, between=noise / prompts, n=seeds, items=items, logits=not difference
    )


SELDOM = 4.0
"""Distance from an edge, in standard deviations of a unit, beyond which few truths lie."""


@dataclass(frozen=True, kw_only=True)
class Attainability:
    """What a design could ever show.

    Attributes:
        supports: whether some outcome would support the region.
        refutes: whether some outcome would refute it.
        sentence: what no outcome could do; empty when both are possible.
    """

    supports: bool
    refutes: bool
    sentence: str = ""

    @property
    def hopeless(self) -> bool:
        """Whether no outcome could decide at all, so that the design is not worth its cost."""
        return not (self.supports or self.refutes)


def attainable(
    region: Region,
    *,
    binary: bool,
    seeds: int,
    prompts: int,
    level: float,
    difference: bool = False,
) -> Attainability:
    """Say what some outcome of a design could do to a region.

    Args:
        region: the claim's region.
        binary: whether outcomes are hits (0/1) or differences of hits.
        seeds: planned training seeds.
        prompts: planned prompts per seed.
        level: two-sided interval level.
        difference: whether the estimand is a difference of hit rates, in [−1, 1].

    Raises:
        ValueError: for fewer than one seed or prompt.
    """
    if seeds < 1 or prompts < 1:
        raise ValueError(
            f"a design needs at least one seed and one prompt, not {seeds} × {prompts}"
        )
    design = f"{seeds} seed{'s' * (seeds > 1)} × {prompts} prompt{'s' * (prompts > 1)}"
    if not binary:
        return _continuous(region, design, seeds, prompts, level)
    limits = [model.limits(level) for model in _outcomes(seeds, prompts, difference)]
    supports = any(region.contains(*pair) for pair in limits)
    refutes = any(region.excludes(*pair) for pair in limits)
    verb = "support" if refutes else "refute" if supports else "support or refute"
    sentence = f"no outcome of {design} could {verb} {region.describe()} at level {level:.4g}"
    both = supports and refutes
    return Attainability(supports=supports, refutes=refutes, sentence="" if both else sentence)


def _continuous(
    region: Region, design: str, seeds: int, prompts: int, level: float
) -> Attainability:
    """Attainability of a mean: how far, in spreads of its units, a truth must lie from an edge."""
    units = seeds if seeds > 1 else prompts
    if units < 2:
        sentence = f"{design} shows no spread, so no outcome could decide {region.describe()}"
        return Attainability(supports=False, refutes=False, sentence=sentence)
    distance = detectable_shift(1 / math.sqrt(units), units - 1, level, POWER) or math.inf
    unit = "seeds" if seeds > 1 else "prompts"
    sentence = (
        f"{design} would seldom decide {region.describe()} at level {level:.4g}: in 80% of cases "
        f"only where the truth lies {distance:.2g} standard deviations of the {unit} from an edge"
    )
    calm = distance <= SELDOM
    return Attainability(supports=True, refutes=True, sentence="" if calm else sentence)
