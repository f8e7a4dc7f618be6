"""Curves are of the costs they were given, and the report's are all different."""

from unittest.mock import Mock

import numpy as np
import pytest

from lazarus_bench.benchmark import scaling
from lazarus_bench.benchmark.scaling import Growth, fitted, growths, measure


def test_a_curve_has_the_exponent_of_its_costs():
    growth = Growth(what="work", along="size", arms=lambda _: {}, at_most=1.1)
    sizes = (1, 10, 100)
    curve = fitted(growth, sizes, np.tile(2.0 * np.array(sizes) ** 1.5, (4, 1)))
    assert curve.exponent.value == pytest.approx(1.5)
    assert [cost.value for cost in curve.cost] == pytest.approx([2e3, 2e3 * 10**1.5, 2e6])
    assert curve.outcome == "missed"


def test_sizes_take_turns_and_have_a_folder_of_their_own():
    calls, folders = [], []

    def arms(folder):
        folders.append(folder)
        assert folder.is_dir()
        return {size: lambda size=size: calls.append(size) or float(size) for size in (2, 4)}

    curve = measure(Growth(what="work", along="size", arms=arms, unit="s", factor=1.0), rounds=2)
    assert calls == [4, 2, 2, 4, 4, 2]
    assert curve.exponent.value == pytest.approx(1)
    assert not folders[0].exists()


def test_every_curve_of_the_report_has_a_name_of_its_own():
    named = [(growth.what, growth.along) for growth in growths()]
    assert len(set(named)) == len(named)
    along = {name for _, name in named}
    wanted = {"layers", "width", "vocabulary", "prompts", "batch", "sequence length", "seeds"}
    assert along == wanted | {"workers"}


def test_more_seeds_are_more_trainings(monkeypatch, tmp_path):
    done = []
    monkeypatch.setattr(scaling, "write_llama", lambda folder: folder)
    monkeypatch.setattr(scaling, "_training", lambda base: lambda: done.append(base) or 1.0)
    for seeds, arm in scaling._by_seeds(tmp_path).items():
        done.clear()
        arm()
        assert len(done) == seeds


def test_with_workers_the_cost_is_of_each_training(monkeypatch, tmp_path):
    clock = iter(range(0, 1000, 6))
    started = []
    monkeypatch.setattr(scaling, "write_llama", lambda folder: folder)
    monkeypatch.setattr(scaling, "begin", lambda *_: started.append(Mock()) or started[-1])
    monkeypatch.setattr(scaling, "end", lambda *_: None)
    monkeypatch.setattr(scaling.time, "perf_counter", lambda: next(clock))
    costs = {workers: arm() for workers, arm in scaling._by_workers(tmp_path).items()}
    assert costs == {1: 6.0, 2: 3.0}
    assert len(started) == 3
    assert all(process.kill.called for process in started)
