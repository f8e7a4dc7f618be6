"""The report is its golden file, and every number in it is from the document."""

import re
from dataclasses import replace

from sample_benchmark import DOCUMENT, GOLDEN, GOLDEN_PLOT, interval, written

from lazarus_bench.benchmark.markdown import write_report


def test_the_report_and_its_plot_are_the_golden_files(tmp_path):
    found = written(tmp_path)
    assert found == (GOLDEN.read_text(encoding="utf-8"), GOLDEN_PLOT.read_text(encoding="utf-8"))


def test_machines_stand_apart_with_plots_of_their_own(tmp_path):
    other = replace(DOCUMENT, machine=DOCUMENT.machine | {"device": "metal (made up)"})
    path = write_report([("cpu", DOCUMENT), ("metal", other)], tmp_path)
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.M) == ["cpu", "metal"]
    named = re.findall(r"\]\((benchmarks/[^)]*)\)", text)
    assert sorted(named) == sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.svg"))


def test_a_regression_is_said_on_top(tmp_path):
    fallen = replace(DOCUMENT.ratios[0], found=interval(0.5, 0.4, 0.6))
    path = write_report([("cpu", replace(DOCUMENT, ratios=(fallen,)))], tmp_path)
    text = path.read_text(encoding="utf-8")
    assert "**Regression:** SFT over mlx\\_lm.lora: arithmetic, batch 8 is 0.5 [0.4, 0.6]" in text
    assert "❌ missed" in text
