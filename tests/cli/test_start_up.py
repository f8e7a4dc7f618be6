"""What a command imports: help nothing that is slow, and no command more than it computes with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from claimfiles import clean_environment
from commandcases import COMMANDS

from lazarus_bench.cli import application
from lazarus_bench.models import lab

LIGHT = ("lens", "analyze", "ablate", "patch", "interchange", "steer")
LIGHT += ("moe-expert analyze", "moe-expert trace", "moe-expert weights", "moe-expert project")
"""Commands that compute no statistic of scipy's or scikit-learn's."""

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


@pytest.mark.parametrize("command", [*LIGHT, "classifier"])
def test_a_command_imports_what_it_computes_with(models, command):
    stand = {"LLAMA": "llama", "MIXTURE": "olmoe"}
    words = [*command.split(), *(stand.get(word, word) for word in COMMANDS[command])]
    loaded = said(models, TOLD, *words).splitlines()[-1]
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
    more = [["--help"], ["--version"], ["moe-expert", "trace", "--help"]]
    assert json.loads(said(tmp_path, HELPS, json.dumps([*more, *commands]))) == []


def test_the_help_of_a_recipe_imports_no_mlx(tmp_path):
    recipes = [["train", name, "--help"] for name in ("sft", "two-stage")]
    assert json.loads(said(tmp_path, HELPS, json.dumps(recipes))) == ["numpy"]
