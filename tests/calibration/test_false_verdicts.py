"""False verdicts and coverage where the truth is known, and the simpler rules that would fail."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from simulated_truth import ALPHA, allowed, coverage, false_verdicts, limits, rates

from lazarus_bench.judge import (
    Above,
    Differences,
    HitDifferences,
    Hits,
    LayerMax,
    Means,
    Ratios,
    Trend,
)

pytestmark = pytest.mark.calibration


def seeds_and_prompts(between, seeds=5, prompts=20):
    return lambda rng: Means(
        values=2 + rng.normal(0, between, (seeds, 1)) + rng.normal(0, 1, (seeds, prompts))
    )


def betas(a, b, shape):
    return lambda rng: Means(values=rng.beta(a, b, shape))


def clusters(rng):
    means = np.repeat(rng.beta(2, 6, 10), 4)
    keys = np.repeat(np.arange(10), 4).tolist()
    return Means(values=[rng.beta(10 * means, 10 * (1 - means) + 1e-9)], clusters=keys)


def beta_binomial(rng, rate, correlation, seeds, prompts):
    scale = 1 / correlation - 1 if correlation else np.inf
    own = rng.beta(rate * scale, (1 - rate) * scale, (seeds, 1)) if correlation else rate
    return (rng.random((seeds, prompts)) < np.broadcast_to(own, (seeds, 1))).astype(float)


def hits(rate, correlation=0.0, seeds=1, prompts=8, minus=0.0):
    return lambda rng: Hits(
        values=beta_binomial(rng, rate, correlation, seeds, prompts), minus=minus
    )


def pair(first, second, shared, seeds, prompts, between=0.0):
    """Hits with given rates; a share of prompts draws both outcomes from one uniform."""

    def sample(rng):
        shift = rng.uniform(-between, between, (2, seeds, 1))
        uniform = rng.random((2, seeds, prompts))
        uniform[1] = np.where(rng.random((seeds, prompts)) < shared, uniform[0], uniform[1])
        return HitDifferences(
            first=uniform[0] < first + shift[0], second=uniform[1] < second + shift[1]
        )

    return sample


def unpaired(first, second, sizes):
    return lambda rng: HitDifferences(
        first=rng.random((1, sizes[0])) < first,
        second=rng.random((1, sizes[1])) < second,
        paired="no",
    )


def two_sides(paired, count=(5, 5), spread=(1.0, 1.0)):
    def sample(rng):
        shared = rng.normal(0, 2, (count[0], 1)) if paired == "seeds" else 0.0
        first, second = (
            shared + rng.normal(0, sd, (n, 1)) + rng.normal(0, 1, (n, 10))
            for n, sd in zip(count, spread, strict=True)
        )
        return Differences(first=1.0 + first, second=second, paired=paired)

    return sample


def probabilities(paired, a, b):
    return lambda rng: Differences(
        first=rng.beta(*a, (1, 8)), second=rng.beta(*b, (1, 8)), paired=paired
    )


def ratios(rng):
    scale = rng.uniform(1, 9, 5)
    return Ratios(numerator=np.exp(rng.normal(np.log(0.5), 0.4, 5)) * scale, denominator=scale)


def layers(means, prompts):
    def sample(rng):
        prompt = rng.normal(0, 0.1, (1, prompts, 1))
        return LayerMax(values=means + prompt + rng.normal(0, 0.1, (1, prompts, len(means))))

    return sample


def skewed_layers(a, b):
    return lambda rng: LayerMax(values=rng.beta(a, b, (1, 10, 4)))


def of(name, *about, **more):
    return pytest.param(*about, more, id=name)


SKEWED = [(1, 1), (0.2, 1.8), (4.5, 0.5), (5, 5), (0.02, 1.98)]
BETA_PAIRS = [((2, 2), (2, 2)), ((0.2, 1.8), (0.05, 1.95)), ((6, 1), (1, 6))]


@pytest.mark.parametrize(
    ("sample", "truth", "margin", "about"),
    [
        *(
            of(f"one run of Beta{ab}, {n}", betas(*ab, (1, n)), ab[0] / sum(ab), 0.05)
            for ab in SKEWED
            for n in (8, 30)
        ),
        of("unbounded", lambda rng: Means(values=rng.normal(3, 1, (1, 8))), 3.0, 0.3),
        *(of(f"clusters of {m}", clusters, 0.25, 0.05, family_size=m) for m in (1, 6)),
        *(
            of(f"hits {rate}, {n}", hits(rate, prompts=n), rate, 0.02, replicates=1500)
            for rate in (0.02, 0.5, 0.9)
            for n in (8, 60)
        ),
        of("hits above chance", hits(0.3, prompts=40, minus=0.2), 0.1, 0.05, replicates=1500),
        *(
            of(f"pairs {a} {b} {shared} {n}", pair(a, b, shared, 1, n), a - b, 0.05)
            for a, b in ((0.5, 0.5), (0.9, 0.8), (0.05, 0.02))
            for shared in (0.0, 0.8)
            for n in (8, 25)
        ),
        of("unpaired .5", unpaired(0.5, 0.5, (8, 6)), 0.0, 0.05, replicates=2000),
        of("unpaired .95", unpaired(0.95, 0.6, (20, 12)), 0.95 - 0.6, 0.05, replicates=2000),
        *(
            of(f"paired by {paired} of {m}", two_sides(paired), 1.0, 0.5, family_size=m)
            for paired in ("prompts", "seeds", "no")
            for m in (1, 7)
        ),
        of("unequal sides", two_sides("no", (5, 8), (3.0, 0.5)), 1.0, 0.5, replicates=1000),
        *(
            of(f"{paired} {a} {b}", probabilities(paired, a, b), a[0] / sum(a) - b[0] / sum(b), 0.1)
            for paired in ("prompts", "no")
            for a, b in BETA_PAIRS
        ),
        of("ratios", ratios, 0.5, 0.1, replicates=1000),
        *(of(f"flat layers, {n}", layers(np.full(8, 3.0), n), 3.0, 0.05) for n in (8, 30)),
        of("peaked layers", layers(np.linspace(2.7, 3.0, 8), 8), 3.0, 0.05),
        *(
            of(f"equal layers of Beta{ab}", skewed_layers(*ab), ab[0] / sum(ab), 0.03)
            for ab in ((0.3, 2.7), (3, 3), (2.7, 0.3))
        ),
    ],
)
def test_a_claim_near_its_edge_is_decided_wrongly_at_most_alpha(sample, truth, margin, about):
    assert not false_verdicts(sample, truth, margin, **({"replicates": 600} | about))


SEED_PAIRS = [
    of(f"pairs {a} {b} between {d}", pair(a, b, 0.5, 5, 30, d), a - b)
    for a, b in ((0.5, 0.5), (0.85, 0.75))
    for d in (0.0, 0.1)
]


@pytest.mark.parametrize(("sample", "truth", "about"), SEED_PAIRS)
def test_paired_seeds_err_at_most_alpha(sample, truth, about):
    assert not false_verdicts(sample, truth, 0.05, replicates=600, **about)


@pytest.mark.parametrize(
    ("sample", "truth", "about"),
    [
        *(of(f"means between {d}", seeds_and_prompts(d), 2.0) for d in (0.0, 0.3, 3.0)),
        *(
            of(f"Beta{ab}", betas(*ab, (5, 1)), ab[0] / sum(ab), replicates=4000)
            for ab in ((5, 5), (40, 10), (6, 14))
        ),
        *(of(f"hits ICC {icc}", hits(0.7, icc, 5, 50), 0.7) for icc in (0.0, 0.05, 0.2)),
        *SEED_PAIRS,
        *(of(f"paired by {paired}", two_sides(paired), 1.0) for paired in ("seeds", "no")),
        of("ratios", ratios, 0.5),
    ],
)
def test_five_seeds_cover(sample, truth, about):
    assert coverage(sample, truth, **about) >= 0.93


def test_five_strongly_skewed_seeds_cover_little_less():
    # No five values show their own skewness; the docstring of Means states this limit.
    assert 0.90 <= coverage(betas(8, 2, (5, 1)), 0.8) <= 0.94


def test_t_alone_would_fail_on_skewed_probabilities():
    values = np.random.default_rng(7).beta(0.2, 1.8, (4000, 8))
    high = values.mean(1) + stats.t.ppf(0.95, 7) * values.std(1, ddof=1) / np.sqrt(8)
    assert np.mean(high < 0.1) > 0.1


def test_ignoring_clusters_would_fail():
    def sample(rng):
        return Means(values=np.repeat(rng.beta(2, 6, (1, 10)), 4, axis=1))

    assert false_verdicts(sample, 0.25, 0.05, replicates=600)


def test_pooling_seeds_would_fail():
    def pooled(rng):
        return Hits(values=beta_binomial(rng, 0.9, 0.05, 5, 100).reshape(1, -1))

    assert false_verdicts(pooled, 0.9, 0.03)


def test_bootstrapping_five_seeds_undercovers():
    rng = np.random.default_rng(7)
    draws = rng.normal(0, 1, (2000, 5))[:, rng.integers(0, 5, (500, 5))].mean(axis=2)
    low, high = np.quantile(draws, [0.025, 0.975], axis=1)
    assert np.mean((low <= 0) & (high >= 0)) < 0.87


def test_picking_the_layer_on_the_prompts_it_is_read_on_would_fail():
    def double_dipping(rng):
        values = rng.normal(3, 1, (20, 16))
        return Means(values=[values[:, values.mean(axis=0).argmax()]])

    def honest(rng):
        return LayerMax(values=rng.normal(3, 1, (1, 20, 16)))

    dipped, inside = (
        rates(Above(3.0), limits(each, level=1 - 2 * ALPHA, replicates=500)).supported
        for each in (double_dipping, honest)
    )
    assert dipped > 0.3
    assert inside <= allowed(ALPHA, 500)


def test_pairing_decides_what_independent_samples_cannot():
    rng = np.random.default_rng(3)
    shared = rng.normal(0, 5, (5, 1))
    first, second = shared + 1 + rng.normal(0, 0.1, (5, 4)), shared + rng.normal(0, 0.1, (5, 4))
    low, free = (
        Differences(first=first, second=second, paired=paired).limits(0.95)[0]
        for paired in ("seeds", "no")
    )
    assert low > 0 > free


def test_a_real_trend_is_not_refuted_and_mostly_found():
    found = limits(
        lambda rng: Trend(values=np.arange(4) + rng.normal(0, 1, (5, 4))),
        level=0.9,
        replicates=500,
    )
    assert rates(Above(0.0), found).refuted == 0
    assert rates(Above(0.0), found).supported > 0.9
