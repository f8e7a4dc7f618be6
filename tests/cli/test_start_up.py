"""What a command imports: help nothing that is slow, and no command more than it computes with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from claimfiles import clean_environment

from lazarus_bench.cli import application

CLASSES = [
    *("--classes", "multiply:7 * 8 = |12 * 5 = |3 * 9 = |6 * 4 = |8 * 8 = |2 * 11 = "),
    *("--classes", "add:23 + 45 = |3 + 9 = |14 + 3 = |8 + 8 = |2 + 31 = |5 + 6 = "),
]
ANSWERS = ["--clean-answers", "5", "--corrupted-answers", "1"]
LIGHT = {
    "lens": ["lens", "llama", "7 * 8 = "],
    "analyze": ["analyze", "llama", "7 * 8 = "],
    "ablate": ["ablate", "llama", "7 * 8 = "],
    "patch": ["patch", "llama", "7 * 8 = ", "7 + 8 = ", *ANSWERS],
    "steer": ["steer", "llama", "7 * 8 = ", "--toward", "3 + 4 = ", "--away", "3 * 4 = "],
    "moe-expert analyze": ["moe-expert", "analyze", "olmoe", *CLASSES],
    "moe-expert trace": ["moe-expert", "trace", "olmoe", "7 * 8 = "],
    "moe-expert weights": ["moe-expert", "weights", "olmoe"],
    "moe-expert project": ["moe-expert", "project", "olmoe"],
}
"""Commands that compute no statistic of scipy's or scikit-learn's."""

HEAVY = {"classifier": ["classifier", "llama", *CLASSES]}

# scikit-learn imports pandas where it finds it; nothing here needs it.
TOLD = """
import sys

class NoPandas:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoPandas())
from lazarus_bench import cli
code = cli.main(sys.argv[1:])
found = {"mlx", "scipy", "sklearn"} & {name.split(".")[0] for name in sys.modules}
print("LOADED", *sorted(found), file=sys.stderr)
raise SystemExit(code)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """The lab's own llama and olmoe, untrained: as large and as fast as trained ones."""
    from lazarus_bench.models import lab

    folder = tmp_path_factory.mktemp("models")
    for family in ("llama", "olmoe"):
        config = lab.config_of(family)
        (folder / family).mkdir()
        lab.save(lab.initialise(config, 0), config, folder / family)
    return folder


def said(folder, code, *words):
    """What a Python process of its own wrote to standard error."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env=clean_environment(),
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("command", [*LIGHT, *HEAVY])
def test_a_command_imports_what_it_computes_with(models, command):
    loaded = said(models, TOLD, *(LIGHT | HEAVY)[command]).splitlines()[-1]
    light = {"LOADED", "mlx"}
    assert set(loaded.split()) == (light if command in LIGHT else light | {"scipy", "sklearn"})


HELPS = """
import contextlib, io, json, sys
from lazarus_bench import cli

for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            assert cli.main(words) == 0
        except SystemExit:
            pass
slow = {"mlx", "numpy", "scipy", "sklearn", "transformers"}
print(json.dumps(sorted(slow & {name.split(".")[0] for name in sys.modules})), file=sys.stderr)
"""


def test_help_imports_nothing_slow(tmp_path):
    commands = [[name, "--help"] for name in application.commands()]
    asked = json.dumps([["--help"], ["--version"], ["lens", "--help"], *commands])
    assert json.loads(said(tmp_path, HELPS, asked)) == []


def test_the_help_of_a_recipe_imports_no_mlx(tmp_path):
    assert json.loads(said(tmp_path, HELPS, json.dumps([["train", "sft", "--help"]]))) == ["numpy"]
