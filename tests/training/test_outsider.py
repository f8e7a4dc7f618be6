"""A recipe of somebody else's package, really installed: one file, with every right of ours."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from lazarus_bench.jobs.spec import Job
from lazarus_bench.training import known_recipes

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "halves"
version = "1"
dependencies = ["lazarus-bench"]

[project.entry-points.lazarus_bench]
recipes = "halves:Halve"

[tool.hatch.build.targets.wheel]
only-include = ["halves.py"]
"""

RECIPE = '''
from dataclasses import dataclass
from pathlib import Path

from lazarus_bench.backend import mx
from lazarus_bench.training import Recipe, option
from lazarus_bench.training.fuse import carry
from lazarus_bench.training.recipe import Positive


@dataclass(frozen=True, kw_only=True)
class Halve(Recipe):
    """Multiply every weight by a factor."""

    kind = "halve"
    version = 1
    leaves = "model"

    factor: Positive = option(0.5, "what weights are multiplied by", aliases=("scale_factor",))

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
        carry(base, out, dequantise=False)
        weights = mx.load(str(base / "model.safetensors"))
        halved = {name: self.factor * weight for name, weight in weights.items()}
        mx.save_safetensors(str(out / "model.safetensors"), halved)
'''


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Where the package is installed, out of everybody else's way."""
    pytest.importorskip("hatchling")
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "halves.py").write_text(RECIPE)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--no-index", "--target", site, source], check=True)
    return site


def test_it_is_found_and_a_claim_takes_the_object_as_it_takes_ours(site, monkeypatch):
    assert "halve" not in known_recipes()
    monkeypatch.syspath_prepend(site)
    (entry,) = entry_points(group="lazarus_bench", name="recipes")
    halve = entry.load()
    assert known_recipes()["halve"] is halve
    usual, other = (Job(recipe=halve(factor=by), base=None, seed=0) for by in (0.5, 2))
    assert usual.digest != other.digest
    assert usual.canonical()["recipe"] == {"factor": 0.5}


def test_it_is_trained_from_the_command_line(site, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("LAZARUS_BENCH_STORE", str(tmp_path / "store"))
    (tmp_path / "config.yaml").write_text("scale_factor: 0.25\n")
    train = [sys.executable, "-m", "lazarus_bench", "train", "halve"]
    said = subprocess.run([*train, "--help"], capture_output=True, text=True, check=True).stdout
    assert "Multiply every weight by a factor" in said
    assert "--factor" in said
    out = tmp_path / "quarter"
    asked = [tiny, "--config", tmp_path / "config.yaml", "--output", out]
    subprocess.run([*train, *asked], check=True, capture_output=True)
    before, after = (load_file(place / "model.safetensors") for place in (tiny, out))
    assert all(np.array_equal(0.25 * weight, after[name]) for name, weight in before.items())
