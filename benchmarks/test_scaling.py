"""Cost along each size: no exponent has certainly passed its bound."""

import pytest

from lazarus_bench.benchmark.document import Document
from lazarus_bench.benchmark.gate import regressions
from lazarus_bench.benchmark.scaling import growths, measure

pytestmark = pytest.mark.benchmark(group="scaling")


@pytest.mark.parametrize("growth", list(growths()), ids=lambda g: f"{g.what} by {g.along}")
def test_growth(growth, effort, findings, once, benchmark):
    curve = once(lambda: measure(growth, effort.rounds))
    findings.curves.append(curve)
    benchmark.extra_info |= {"exponent": vars(curve.exponent), "last": vars(curve.last)}
    found = Document(created="", command="", machine={}, model="", curves=(curve,))
    assert regressions(found) == []
