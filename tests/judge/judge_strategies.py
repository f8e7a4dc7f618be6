"""Evidence of every kind, regions and intervals, for the property tests."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lazarus_bench.judge import (
    Above,
    AllOf,
    AtLeast,
    AtMost,
    Below,
    ClassEntropy,
    Condition,
    Differences,
    HitDifferences,
    Hits,
    LayerMax,
    Means,
    Ratios,
    Resampled,
    Summary,
    SummaryDifferences,
    Trend,
    Within,
)

numbers = st.floats(-1e6, 1e6)
regions = st.one_of(
    *(st.builds(kind, numbers) for kind in (AtLeast, AtMost, Above, Below)),
    st.tuples(numbers, numbers).map(lambda pair: Within(min(pair), max(pair))),
)
intervals = st.tuples(
    st.one_of(numbers, st.just(-math.inf)), st.one_of(numbers, st.just(math.inf))
).map(lambda pair: (min(pair), max(pair)))

unit = st.floats(0, 1).map(lambda x: round(x, 3))
bits = st.sampled_from([0.0, 1.0])


def grid(elements, *, seeds=(1, 4), prompts=(2, 6)):
    shape = st.tuples(st.integers(*seeds), st.integers(*prompts))
    return shape.flatmap(lambda s: arrays(float, s, elements=elements))


def pairs(elements):
    shape = st.tuples(st.just(2), st.integers(1, 4), st.integers(2, 6))
    return shape.flatmap(lambda s: arrays(float, s, elements=elements))


simple_evidence = st.one_of(
    grid(unit).map(lambda v: Means(values=v)),
    grid(st.floats(-50, 50)).map(lambda v: Means(values=v)),
    grid(bits).map(lambda v: Hits(values=v)),
    grid(bits).map(lambda v: Hits(values=v, minus=0.25)),
    pairs(bits).map(lambda v: HitDifferences(first=v[0], second=v[1])),
    pairs(bits).map(lambda v: HitDifferences(first=v[0], second=v[1], paired="no")),
    pairs(unit).map(lambda v: Differences(first=v[0], second=v[1], paired="prompts")),
    pairs(unit).map(lambda v: Differences(first=v[0], second=v[1], paired="no")),
    grid(unit).map(lambda v: Trend(values=v)),
    grid(unit).map(lambda v: LayerMax(values=np.stack([v, v**2], axis=2))),
    grid(st.floats(0.01, 100)).map(lambda v: Ratios(numerator=v[0], denominator=v[0][::-1])),
    st.tuples(unit, st.lists(unit, min_size=1, max_size=60)).map(
        lambda v: Resampled(value=v[0], draws=v[1], size=40)
    ),
    grid(st.integers(0, 2)).map(lambda v: ClassEntropy(predictions=v, classes=3)),
    st.tuples(unit, unit, unit, unit, st.integers(2, 9)).map(
        lambda v: SummaryDifferences(
            first=Summary(mean=v[0], sd=v[1], n=v[4]), second=Summary(mean=v[2], sd=v[3], n=5)
        )
    ),
)

closed = st.one_of(st.builds(AtLeast, st.floats(-1, 1)), st.builds(AtMost, st.floats(-1, 1)))
conjunctions = st.lists(st.tuples(simple_evidence, closed), min_size=2, max_size=3).map(
    lambda parts: AllOf(
        conditions=[
            Condition(name=f"number {i}", evidence=sample, region=region)
            for i, (sample, region) in enumerate(parts)
        ]
    )
)
evidence = st.one_of(simple_evidence, conjunctions)
