"""Where a step's time goes, and what the machine does at most."""

import pytest

from lazarus_bench.benchmark.profile import profiled
from lazarus_bench.benchmark.recipes import RECIPES, applies, task_of
from lazarus_bench.benchmark.roofline import best_product, measure_roofline
from lazarus_bench.cores import on_own_core
from lazarus_bench.errors import NotApplicable

pytestmark = pytest.mark.benchmark(group="profile")


def test_roofline(effort, findings, once, benchmark):
    with on_own_core():
        roofs = once(lambda: measure_roofline(effort.rounds))
    findings.roofs += roofs
    benchmark.extra_info |= {f"{r.operation}, {r.size}, {r.unit}": r.rate.value for r in roofs}
    assert all(roof.rate.low > 0 for roof in roofs)


@pytest.fixture(scope="module")
def best():
    with on_own_core():
        return best_product()


@pytest.mark.parametrize("name", RECIPES)
def test_profile(name, measured, effort, findings, best, once, benchmark):
    if not applies(name, lab=measured.lab):
        pytest.skip("it reads the lab's corpus, which is for the lab's tokenizer")
    spec, base = task_of(name, measured.directory, 200)
    try:
        with on_own_core():
            found = once(lambda: profiled(spec, base, rounds=effort.rounds, machine=best))
    except NotApplicable as error:
        pytest.skip(str(error))
    findings.profiles.append(found)
    benchmark.extra_info |= {part.kind: part.milliseconds for part in found.parts}
    benchmark.extra_info |= {"GFLOP/s": found.achieved, "share": found.share}
    assert found.gflop > 0
