"""Rates are of work that was done, as often as was said."""

import time

import numpy as np
import pytest

from lazarus_bench.benchmark.roofline import LEAST_SECONDS, dispatch_seconds, product, rates


def test_a_rate_is_units_over_seconds():
    done = []

    def work(count):
        done.append(count)
        time.sleep(0.002 * count)

    found = rates({"sleep": (work, 3.0)}, rounds=2)["sleep"]
    assert done[-1] * 0.002 >= LEAST_SECONDS
    np.testing.assert_array_less(found, 3.0 / 0.002)
    np.testing.assert_array_less(0.3 / 0.002, found)


def test_a_products_work_is_two_operations_for_each_multiplication():
    work, gflop = product(4, 5, 6)
    work(3)
    assert gflop == pytest.approx(240e-9)


def test_an_operation_costs_something():
    assert 1e-8 < dispatch_seconds(2).value < 1e-2
