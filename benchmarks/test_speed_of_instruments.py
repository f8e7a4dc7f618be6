"""Prompts a second, prompt_tps, generation_tps and peak memory of every instrument."""

import pytest

from lazarus_bench.benchmark.instruments import measure_instruments
from lazarus_bench.cores import on_own_core
from lazarus_bench.models.load import load

pytestmark = pytest.mark.benchmark(group="instruments")


def test_instruments(measured, effort, findings, once, benchmark):
    loaded = load(measured.directory)
    with on_own_core():
        readings, skipped = once(
            lambda: measure_instruments(loaded, rounds=effort.rounds, count=effort.prompts)
        )
    findings.readings += readings
    findings.skipped |= skipped
    benchmark.extra_info |= {f"{r.name}, {r.unit}": r.found.value for r in readings}
    assert {"prompt_tps", "generation_tps"} <= {reading.unit for reading in readings}
