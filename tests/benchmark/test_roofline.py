"""Rates are of work that was done, as often as was said."""

import io
import re
import time
from collections import Counter

import numpy as np
import pytest

from lazarus_bench.backend import mx
from lazarus_bench.benchmark import roofline
from lazarus_bench.benchmark.roofline import (
    LEAST_SECONDS,
    dispatch_seconds,
    product,
    rates,
    view_seconds,
)


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


@pytest.mark.parametrize("seconds", [dispatch_seconds, view_seconds])
def test_an_operation_costs_something(seconds):
    assert 1e-8 < seconds(2).value < 1e-2


@pytest.mark.parametrize(
    ("seconds", "names"), [(dispatch_seconds, {"Negative"}), (view_seconds, {"Transpose"})]
)
def test_what_is_timed_as_one_operation_is_one(monkeypatch, seconds, names):
    found = Counter()

    def once(works, rounds):
        with monkeypatch.context() as patched:
            patched.setattr(mx, "eval", lambda arrays: found.update(_primitives(arrays)))
            works["one"][0](5)
        return {"one": np.ones(rounds)}

    monkeypatch.setattr(roofline, "rates", once)
    seconds(2)
    assert found == dict.fromkeys(names, 5)


def _primitives(arrays):
    text = io.StringIO()
    mx.export_to_dot(text, *arrays)
    return re.findall(r'label ="(\w+)", shape=rectangle', text.getvalue())
