"""Other people's projects are left alone: markers, attributes, folders, and what is imported."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from claimfiles import clean_environment

THEIRS = """
import sys

import pytest

class Anything:
    def __getattr__(self, name):
        if name == "hypothesis":
            raise AttributeError(name)
        return 1

    def __call__(self):
        pass

test_anything = Anything()

@pytest.fixture(params=["theirs"])
def subject(request):
    return request.param

@pytest.fixture
def claim():
    return 1

@pytest.mark.claim("an insurance claim", kind=2)
@pytest.mark.slow
def test_one(subject, claim, record_property):
    record_property("verdict", "guilty")

@pytest.mark.claim
class TestMany:
    def test_two(self):
        assert False

def test_foreign():
    pass

test_foreign.__lazarus_claim__ = "theirs"
"""
CONFTEST = """
import json
import sys
from pathlib import Path

def pytest_configure(config):
    for name in ("claim", "slow"):
        config.addinivalue_line("markers", f"{name}: theirs")

def pytest_unconfigure(config):
    found = {name.partition(".")[0] for name in sys.modules} | set(sys.modules)
    Path("seen.json").write_text(json.dumps([sorted(found), config.getini("markers")]))
"""
HEAVY = ("numpy", "scipy", "mlx", "transformers", "dask", "cattrs", "filelock", "jinja2")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "test_theirs.py").write_text(THEIRS)
    (folder / "conftest.py").write_text(CONFTEST)
    ours = ["-p", "lazarus_bench.plugin.hooks", "-p", "no:cacheprovider", "--strict-markers"]
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", *ours],
        cwd=folder,
        capture_output=True,
        text=True,
        env=clean_environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
    )
    return folder, done


def test_their_markers_fixtures_and_attributes_are_theirs(ran):
    _, done = ran
    assert done.returncode == 1
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "INTERNALERROR" not in done.stdout
    assert "lazarus" not in done.stdout.casefold()


def test_nothing_is_imported_registered_or_left_for_them(ran):
    folder, _ = ran
    modules, markers = json.loads((folder / "seen.json").read_text())
    assert not set(HEAVY) & set(modules)
    assert [line for line in markers if line.startswith(("claim", "slow"))] == [
        "claim: theirs",
        "slow: theirs",
    ]
    left = {path.name for path in folder.iterdir()}
    assert left == {"conftest.py", "seen.json", "test_theirs.py"}


def test_no_other_plugin_of_pytest_comes_with_the_package():
    file = Path(__file__).parents[2] / "pyproject.toml"
    needs = tomllib.loads(file.read_text())["project"]["dependencies"]
    assert [need for need in needs if need.startswith(("pytest-", "hypothesis"))] == []
