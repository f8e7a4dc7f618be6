"""Time to the first verdict, everything loaded anew."""

from pathlib import Path

import pytest

from lazarus_bench.benchmark.verdict_time import measure_first_verdict

pytestmark = pytest.mark.benchmark(group="time to the first verdict")

HYPOTHESES = Path(__file__).resolve().parents[1] / "hypotheses"


def test_first_verdict(request, findings, once, benchmark, tmp_path):
    names = request.config.getoption("--lb-model")
    model = names[0] if names else None
    readings, skipped = once(lambda: measure_first_verdict(HYPOTHESES, model, tmp_path))
    findings.readings += readings
    findings.skipped |= skipped
    benchmark.extra_info |= {reading.name: reading.found.value for reading in readings}
    assert readings[0].name == "published numbers"
    assert all(reading.found.low > 0 for reading in readings)
