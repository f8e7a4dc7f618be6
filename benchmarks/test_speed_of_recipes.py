"""Training tok/s and peak memory of every recipe, each in a process of its own."""

import pytest

from lazarus_bench.benchmark.recipes import RECIPES, applies, readings_of, weighed
from lazarus_bench.errors import NotApplicable

pytestmark = pytest.mark.benchmark(group="recipes")


@pytest.mark.parametrize("name", RECIPES)
def test_recipe(name, measured, effort, findings, once, benchmark):
    if not applies(name, lab=measured.lab):
        pytest.skip("it reads the lab's corpus, which is for the lab's tokenizer")
    try:
        found = once(lambda: weighed(name, measured.directory, effort.steps))
    except NotApplicable as error:
        pytest.skip(str(error))
    readings = list(readings_of(name, found))
    findings.readings += readings
    benchmark.extra_info |= {reading.unit: reading.found.value for reading in readings}
    assert next(r for r in readings if r.unit == "training tok/s").found.low > 0
