"""The wheel as it is installed, with neither the repository nor a home that may be written."""

import os
import re
import subprocess
import sys
import sysconfig
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

from lazarus_bench.claims.folder import NAME
from lazarus_bench.cli.train_settings import trainings


@pytest.fixture(scope="module")
def installed(tmp_path_factory, request):
    """Runs a module of the wheel's, with the libraries of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    [wheel] = WheelBuilder(str(request.config.rootpath)).build(directory=str(folder))
    ZipFile(wheel).extractall(folder / "site")
    # A folder on this path gets no .pth file read, so the editable install is not found.
    paths = os.pathsep.join([str(folder / "site"), sysconfig.get_path("purelib")])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAZARUS_")}
    python = os.path.realpath(sys.executable)

    def run(*words):
        return subprocess.run(
            [python, "-m", *words],
            cwd=folder,
            env=kept | {"PYTHONPATH": paths, "HOME": "/proc/none", "XDG_CACHE_HOME": ""},
            capture_output=True,
            text=True,
        )

    run.package = folder / "site" / "lazarus_bench"
    return run


def test_the_pages_that_a_help_names_are_in_the_wheel(installed):
    named = set()
    for recipe in trainings():
        told = installed("lazarus_bench", "train", recipe, "--help").stdout
        named |= set(re.findall(r"docs/[\w-]+\.md", told))
    assert len(named) > 2
    assert [page for page in named if not (installed.package / page).is_file()] == []


def test_pytest_judges_the_claims_of_the_wheel(installed):
    done = installed(
        "pytest",
        "--pyargs",
        f"lazarus_bench.{NAME}",
        "-k",
        "test_a_negative_divergence_is_none",
        "-q",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 supported" in done.stdout


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("run audit/kl-sign --published --report report", "1 supported"),
        ("run dual/vo-36 --plan", "trainings to run"),
        ("lab list", "lab:llama"),
    ],
)
def test_what_needs_no_store_works_without_a_home(installed, line, told):
    done = installed("lazarus_bench", *line.split())
    assert done.returncode == 0, done.stderr
    assert told in done.stdout
