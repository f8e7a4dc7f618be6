"""How soon a command has answered, as a whole process, beside what `import mlx_lm` alone takes.

In CPU seconds, which a busy machine stretches little, and the least of some tries.
"""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from claimfiles import clean_environment

HELP_SECONDS = 0.3
MORE_SECONDS = 1.5
MANY_SECONDS = 2.0
"""What a command may take beyond the import; the last is for 200 prompts and every layer."""

TRIES = 3

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


def timed(folder, *words):
    """CPU seconds of a Python process, and what it wrote to standard error."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env=clean_environment(),
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, done.stderr


@pytest.fixture(scope="module")
def imported(models) -> float:
    """CPU seconds that `import mlx_lm` takes: the least of three, after one that fills caches."""
    return min(timed(models, "-c", "import mlx_lm")[0] for _ in range(1 + TRIES))


def check(models, imported, words, more):
    """Try until the command has been quick enough, and give what it loaded."""
    tries = []
    while len(tries) < TRIES:
        spent, said = timed(models, "-c", TOLD, *words)
        tries.append(spent - imported)
        if tries[-1] <= more:
            return set(said.splitlines()[-1].removeprefix("LOADED").split())
    pytest.fail(f"{tries} CPU seconds beyond the import, where {more} are allowed")


@pytest.mark.parametrize("command", [*LIGHT, *HEAVY])
def test_a_command_is_quick(models, imported, command):
    loaded = check(models, imported, (LIGHT | HEAVY)[command], MORE_SECONDS)
    assert loaded == ({"mlx"} if command in LIGHT else {"mlx", "scipy", "sklearn"})


def test_many_prompts_and_every_layer_are_quick(models, imported):
    prompts = [f"{a} * {b} = " for a in range(2, 22) for b in range(2, 12)]
    assert len(prompts) == 200
    (models / "prompts.txt").write_text("\n".join(prompts) + "\n")
    words = ["lens", "llama", "@prompts.txt", "--all-layers"]
    assert check(models, imported, words, MANY_SECONDS) == {"mlx"}


@pytest.mark.parametrize("words", [["--help"], ["lens", "--help"], ["--version"]])
def test_help_is_quick_and_loads_nothing(tmp_path, words):
    tries = []
    while len(tries) < TRIES and min(tries, default=1.0) > HELP_SECONDS:
        tries.append(timed(tmp_path, "-m", "lazarus_bench", *words)[0])
    assert min(tries) <= HELP_SECONDS
    code = (
        "import sys; from lazarus_bench import cli\n"
        f"try: cli.main({words!r})\n"
        "except SystemExit: print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    loaded = set(timed(tmp_path, "-c", code)[1].split())
    assert not {"mlx", "numpy", "scipy", "sklearn", "transformers"} & loaded
