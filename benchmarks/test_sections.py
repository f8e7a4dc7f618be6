"""Everything that `lazarus-bench benchmark` measures; no ratio or exponent is certainly worse."""

import pytest

from lazarus_bench.benchmark.document import LeftOut
from lazarus_bench.benchmark.gate import regressions
from lazarus_bench.benchmark.sections import SECTIONS, document
from lazarus_bench.benchmark.sections import measured as measure
from lazarus_bench.codec import to_plain
from lazarus_bench.errors import NotApplicable

EVERYTHING = [
    pytest.param(section, name, marks=pytest.mark.benchmark(group=section))
    for section, works in SECTIONS.items()
    for name in works
]


@pytest.mark.parametrize(("section", "name"), EVERYTHING)
def test_section(section, name, measured, effort, findings, benchmark):
    work = {"rounds": 1, "iterations": 1, "warmup_rounds": 0}
    try:
        found = benchmark.pedantic(measure, (section, name, measured, effort), **work)
    except NotApplicable as error:
        pytest.skip(str(error))
    findings += found
    benchmark.extra_info["found"] = to_plain(found)
    assert not all(isinstance(each, LeftOut) for each in found), found
    assert regressions(document(found, measured.name, "")) == []
