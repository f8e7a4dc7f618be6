"""Imports go down: each room of the package imports those below it, and no room the study."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "lazarus_bench"

ROOMS = {
    "errors": (),
    "reading": (),
    "versions": (),
    "codec": (),
    "digests": (),
    "judge": ("codec",),
    "figures": (),
    "claims": ("judge", "digests"),
    "report": ("judge", "claims", "figures"),
    "results": ("report", "versions"),
    "private": (),
    "backend": ("versions", "private"),
    "exp": ("backend",),
    "cores": ("backend",),
    "tasks": (),
    "models": ("backend", "exp", "tasks"),
    "training": ("models", "codec", "cores"),
    "analysis": ("models", "figures"),
    "jobs": ("training", "cores", "claims"),
    "session": ("report", "analysis", "jobs"),
    "benchmark": ("session",),
    "plugin": ("session",),
    "cli": ("plugin", "benchmark", "results"),
    "__main__": ("cli",),
    "": ("session",),
}
"""What each room imports directly, as in ARCHITECTURE.md; it may also import what those may.

`errors` and `reading` are open to all. The package's face, "", hands names on lazily, and anybody
may ask it where the package is.
"""

NAME = re.compile(r"lazarus_bench(\.\w+)+")


def below(room: str) -> set[str]:
    """Every room that `room` may import."""
    direct = set(ROOMS[room])
    return {"errors", "reading"}.union(direct, *(below(other) for other in direct))


def imports(text: str) -> Iterator[str]:
    """Names of the modules that a file imports anywhere in it, also by their names in a string."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "the engine imports absolutely"
            face = node.module == "lazarus_bench"
            yield from (f"{node.module}.{a.name}" if face else node.module for a in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from [node.value] if NAME.fullmatch(node.value) else []


def room_of(module: str) -> str:
    return (*module.split("."), "")[1]


@pytest.fixture(scope="module")
def files() -> dict[str, list[str]]:
    """What each of the package's files imports, by module."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        inside = file.relative_to(PACKAGE.parent).with_suffix("")
        if "hypotheses" not in inside.parts:  # which a wheel puts there
            found[".".join(inside.parts).removesuffix(".__init__")] = list(
                imports(file.read_text("utf-8"))
            )
    return found


@pytest.fixture(scope="module")
def edges(files) -> dict[tuple[str, str], list[str]]:
    """Who imports what of another room, by the two rooms."""
    found: dict[tuple[str, str], list[str]] = {}
    for module, names in files.items():
        for imported in names:
            pair = room_of(module), room_of(imported)
            if imported.partition(".")[0] == "lazarus_bench" and pair[0] != pair[1]:
                found.setdefault(pair, []).append(f"{module} imports {imported}")
    return found


def test_every_room_is_in_the_table_and_in_the_architecture(files):
    known = {room_of(module) for module in files}
    assert known == set(ROOMS)
    text = (PACKAGE.parent / "ARCHITECTURE.md").read_text("utf-8")
    folders = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    assert {room for room in folders - {"hypotheses"} if f"`{room}/`" not in text} == set()


def test_imports_go_down(edges):
    up = {pair: who for pair, who in edges.items() if pair[1] and pair[1] not in below(pair[0])}
    assert up == {}


def test_no_rooms_import_each_other(edges):
    graph: dict[str, set[str]] = {}
    for importing, imported in edges:
        if imported:
            graph.setdefault(importing, set()).add(imported)
    TopologicalSorter(graph).prepare()  # a CycleError names the rooms


def test_nothing_in_the_engine_imports_the_study(files):
    who = [m for m, names in files.items() if any("hypotheses" in name for name in names)]
    assert who == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f():\n    import lazarus_bench.cli.judging", ["lazarus_bench.cli.judging"]),
        ("from lazarus_bench import backend", ["lazarus_bench.backend"]),
        ("from lazarus_bench.judge import Means, Hits", ["lazarus_bench.judge"] * 2),
        ("import_module('lazarus_bench.training.sft')", ["lazarus_bench.training.sft"]),
    ],
)
def test_imports_are_found_wherever_they_are(text, found):
    assert list(imports(text)) == found
