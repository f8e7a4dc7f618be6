"""The committed calibration table is what today's judge gives in the worlds that made it."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from lazarus_bench.judge import family_level

pytestmark = pytest.mark.calibration

ROOT = Path(__file__).parents[2]
SEEDS, REPLICATES = 5, 300


def benchmark():
    """The module of the command that makes the table."""
    place = ROOT / "benchmarks" / "calibration.py"
    spec = importlib.util.spec_from_file_location("calibration_table", place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def rates_on_the_page():
    """Error at five seeds by kind, world and family."""
    page = (ROOT / "docs" / "calibration.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines()]
    return {tuple(row[:3]): float(row[5].split()[0]) for row in rows if row[2:3] in (["1"], ["8"])}


def test_every_world_errs_as_often_as_its_row_says():
    made, page = benchmark(), rates_on_the_page()
    levels = [family_level(family) for family in made.FAMILIES]
    for world in [*made.means(), *made.shares(), *made.hits(), *made.differences(), *made.others()]:
        found = made.errors(world, SEEDS, levels, REPLICATES).max(axis=1)
        for family, error in zip(made.FAMILIES, found, strict=True):
            key = (world.kind, world.name, str(family))
            rate = page.pop(key)
            spread = np.sqrt(max(rate, 1 / REPLICATES) / REPLICATES)
            assert abs(error - rate) <= 4.5 * spread, key
    assert not page
