"""The extreme-value null: equal to simulation, and to the numbers on record for GPT-OSS-20B."""

import math

import numpy as np
import pytest

from lazarus_bench.analysis.nulls import ExtremeNull
from lazarus_bench.analysis.vocabulary import strongest


@pytest.mark.parametrize(("width", "vocabulary"), [(256, 4000), (96, 1200)])
def test_simulated_directions_agree_to_one_per_cent(width, vocabulary):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(vocabulary, width))
    largest = strongest(rng.normal(size=(4000, width)), rows, 1).cosines[:, 0]
    null = ExtremeNull(width=width, vocabulary=vocabulary)
    assert largest.mean() == pytest.approx(null.mean(), rel=0.01)
    assert np.quantile(largest, 0.95) == pytest.approx(null.quantile(0.95), rel=0.01)
    groups = largest.reshape(-1, 20).max(axis=1)
    assert groups.mean() == pytest.approx(null.mean(20), rel=0.01)


def gumbel(width, draws):
    """Location and scale of the limit of the largest of normal cosines with variance 1 / d."""
    root = math.sqrt(2 * math.log(draws))
    lower = (math.log(math.log(draws)) + math.log(4 * math.pi)) / (2 * root)
    return (root - lower) / math.sqrt(width), 1 / (root * math.sqrt(width))


def test_the_numbers_on_record_for_gpt_oss_are_the_gumbel_limits_and_ours_are_exact():
    """The list of claims has 0.083, 0.094 and 0.106: two locations, not means, and a percentile."""
    width, vocabulary = 2880, 201_088
    location, scale = gumbel(width, vocabulary)
    assert round(location, 3) == 0.083
    assert round(location - scale * math.log(-math.log(0.95)), 3) == 0.094
    assert round(gumbel(width, 768 * vocabulary)[0], 3) == 0.106
    null = ExtremeNull(width=width, vocabulary=vocabulary)
    found = null.mean(), null.quantile(0.95), null.mean(768)
    assert found == pytest.approx((0.0844, 0.0934, 0.1074), abs=5e-5)
    assert null.mean() < location + np.euler_gamma * scale, "the limit comes from above"


def test_in_two_dimensions_one_cosine_is_that_of_a_uniform_angle():
    null = ExtremeNull(width=2, vocabulary=1)
    assert null.mean() == pytest.approx(0, abs=1e-6)
    assert null.quantile(0.75) == pytest.approx(np.cos(np.pi / 4))


def test_more_rows_and_fewer_dimensions_reach_higher():
    base = ExtremeNull(width=64, vocabulary=1000)
    assert base.mean() < ExtremeNull(width=64, vocabulary=2000).mean() == base.mean(2)
    assert base.mean() < ExtremeNull(width=32, vocabulary=1000).mean()
    assert base.quantile(0.05) < base.mean() < base.quantile(0.95)


@pytest.mark.parametrize("wrong", [{"width": 1, "vocabulary": 5}, {"width": 5, "vocabulary": 0}])
def test_what_has_no_cosines_is_refused(wrong):
    with pytest.raises(ValueError, match="2 dimensions and a row"):
        ExtremeNull(**wrong)
