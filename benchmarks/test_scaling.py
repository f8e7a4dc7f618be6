"""Cost along each size: no exponent has certainly passed its bound."""

import pytest

from lazarus_bench.benchmark.document import Document
from lazarus_bench.benchmark.gate import regressions
from lazarus_bench.benchmark.scaling import ROUNDS, growths, measure
from lazarus_bench.cores import on_own_core

pytestmark = pytest.mark.benchmark(group="scaling")


@pytest.mark.parametrize("growth", list(growths()), ids=lambda g: f"{g.what} by {g.along}")
def test_growth(growth, effort, findings, once, benchmark):
    if growth.along == "workers":  # each takes a core of its own
        curve = once(lambda: measure(growth, effort.rounds))
    else:
        with on_own_core():
            curve = once(lambda: measure(growth, min(effort.rounds, ROUNDS)))
    findings.curves.append(curve)
    benchmark.extra_info |= {"exponent": vars(curve.exponent), "last": vars(curve.last)}
    found = Document(created="", command="", machine={}, model="", curves=(curve,))
    assert [regression.sentence for regression in regressions(found)] == []
