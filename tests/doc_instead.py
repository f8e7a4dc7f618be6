"""What is checked of a documentation's example that cannot be run here."""

import importlib
import importlib.metadata
import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import claimfiles
import pytest

ROOT = Path(__file__).resolve().parents[1]


def _ci() -> str:
    return (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def ci_makes_an_environment(_: str) -> None:
    assert "python3 -m venv" in _ci()


def ci_activates_it(_: str) -> None:
    assert re.search(r"source .*/bin/activate", _ci())


def extras_are_there(command: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = re.search(r"\[(.*)\]", command)
    assert asked is None or set(asked[1].split(",")) <= set(project["optional-dependencies"])
    assert "pip install --quiet -e" in _ci()


def dask_ssh_needs_paramiko(_: str) -> None:
    # find_spec of the module itself would import its package, and with it all of distributed.
    found = importlib.util.find_spec("distributed")
    assert found is not None
    assert found.origin is not None
    module = Path(found.origin).parent / "deploy" / "old_ssh.py"
    assert "import paramiko" in module.read_text(encoding="utf-8")


def this_suite_knows_the_options(_: str) -> None:
    assert importlib.metadata.version("pytest-xdist")
    assert "pytest tests/ -n auto" in _ci()


def dask_accepts(command: str) -> None:
    words = [word for word in shlex.split(command) if not re.match(r"[A-Z_]+=", word)]
    assert words[0] == "dask"
    module = importlib.import_module(f"distributed.cli.dask_{words[1]}")
    with module.main.make_context(f"dask {words[1]}", words[2:]) as context:
        assert context.params


def program_knows_the_flags(command: str) -> None:
    words = shlex.split(command)
    own = words[: words.index("--")] if "--" in words else words
    known = _help(own[0])
    for flag in (word for word in own if word.startswith("--")):
        assert re.search(rf"{flag}\b", known), f"{own[0]} has no {flag}"


@cache
def _help(program: str) -> str:
    entry = next(iter(importlib.metadata.entry_points(group="console_scripts", name=program)), None)
    if entry is None:
        pytest.fail(f"{program} is not installed")
    code = f"import sys; from {entry.module} import {entry.attr} as main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def command_line_takes(command: str) -> None:
    from lazarus_bench.cli.application import application

    words = shlex.split(command)[1:]
    application(words[:1]).parse_args(words)


def suites_are_there(command: str) -> None:
    # With --benchmark-json pytest-benchmark fails where nothing is measured.
    _, place, *words = shlex.split(re.sub(r" --benchmark-json \S+", "", command))
    assert importlib.metadata.version("pytest-benchmark")
    found = subprocess.run(
        [sys.executable, "-m", "pytest", str(ROOT / place), *words, "--collect-only", "-q"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=claimfiles.clean_environment(),
    )
    assert re.search(r"\d+ tests? collected", found.stdout), found.stdout + found.stderr
