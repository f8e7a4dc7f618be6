"""Beside what a user would run instead: no ratio has certainly fallen below its bound."""

import pytest

from lazarus_bench.benchmark.document import Document
from lazarus_bench.benchmark.gate import regressions
from lazarus_bench.benchmark.sections import comparisons
from lazarus_bench.cores import on_own_core
from lazarus_bench.errors import NotApplicable

pytestmark = pytest.mark.benchmark(group="side by side")

NAMES = (
    "SFT",
    "SFT, 33 tokens a text",
    "dual reward",
    "lens, 32,000 words",
    "lens, 1M parameters",
    "sampling",
    "probe",
)


def test_every_comparison_is_here(measured, effort, tmp_path):
    assert set(comparisons(measured, tmp_path, effort)) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_comparison(name, measured, effort, findings, once, benchmark, tmp_path):
    if name.startswith("lens"):
        pytest.importorskip("torch")
    compared = comparisons(measured, tmp_path, effort)[name]
    try:
        with on_own_core():
            ratios = once(compared)
    except NotApplicable as error:
        pytest.skip(str(error))
    findings.ratios += ratios
    benchmark.extra_info |= {ratio.name: vars(ratio.found) for ratio in ratios}
    found = Document(created="", command="", machine={}, model="", ratios=tuple(ratios))
    assert regressions(found) == []
