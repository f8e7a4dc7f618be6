"""How soon the help stands there, and a command's answer, as whole processes.

In CPU seconds, which a busy machine stretches little, and the least of some tries.
"""

import resource
import subprocess
import sys

import pytest

HELP_SECONDS = 0.3
MORE_SECONDS = 1.5
MANY_SECONDS = 2.0
"""What a command may take beyond `import mlx_lm`; the last is for 200 prompts and every layer."""

TRIES = 3


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The lab's own llama and olmoe, untrained: as large and as fast as trained ones."""
    from lazarus_bench.models import lab

    folder = tmp_path_factory.mktemp("models")
    for family in ("llama", "olmoe"):
        config = lab.config_of(family)
        (folder / family).mkdir()
        lab.save(lab.initialise(config, 0), config, folder / family)
    return folder


def least(folder, *words):
    """CPU seconds of a Python process: the least of some, after one that fills caches."""
    tries = []
    for _ in range(1 + TRIES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        tries.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(tries[1:])


def commands():
    from lazarus_bench.cli import application

    return [[], *([name] for name in application.commands())]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_help_is_quick(tmp_path, command):
    assert least(tmp_path, "-m", "lazarus_bench", *command, "--help") <= HELP_SECONDS


@pytest.mark.parametrize(
    "words",
    [
        ["lens", "llama", "7 * 8 = "],
        ["analyze", "llama", "7 * 8 = "],
        ["ablate", "llama", "7 * 8 = "],
        ["steer", "llama", "7 * 8 = ", "--toward", "3 + 4 = ", "--away", "3 * 4 = "],
        ["moe-expert", "trace", "olmoe", "7 * 8 = "],
        ["moe-expert", "weights", "olmoe"],
        ["moe-expert", "project", "olmoe"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_command_is_quick(models, words):
    imported = least(models, "-c", "import mlx_lm")
    assert least(models, "-m", "lazarus_bench", *words) - imported <= MORE_SECONDS


def test_many_prompts_and_every_layer_are_quick(models):
    prompts = [f"{a} * {b} = " for a in range(2, 22) for b in range(2, 12)]
    (models / "prompts.txt").write_text("\n".join(prompts) + "\n")
    words = ["lens", "llama", "@prompts.txt", "--all-layers"]
    imported = least(models, "-c", "import mlx_lm")
    assert least(models, "-m", "lazarus_bench", *words) - imported <= MANY_SECONDS
