"""The source code that a function's result depends on, found without running any of it.

The import closure of a module: the files that it imports, at module level or inside a function,
from its own top-level package and from this one, and the files that those import. Libraries count
by their versions instead. Imports are read with `ast`; what only a type checker imports is left
out, and a name that is looked up at run time is not seen.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lazarus_bench.versions import numeric_versions

OURS = "lazarus_bench"
_PACKAGE = Path(__file__).resolve().parents[1]
_STARTED = time.time()


def name_of(function: Any) -> str | None:
    """`module.qualified_name` of a function that can be found under it; None of any other.

    A lambda or an inner function has no name that would be the same in the next session, and may
    hold values that no source shows.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    found = sys.modules.get(module or "")
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}.{name}" if found is function and module != "__main__" else None


@cache
def code_of(name: str) -> str | None:
    """SHA-256 of the source behind `module.qualified_name`, and of the libraries' versions.

    None where the module's file cannot be found, or where a file has changed since this process
    began, so that it may not be what was imported.
    """
    files = closure(name)
    if not files or any(_read(file).changed > _STARTED for file in files.values()):
        return None
    digest = hashlib.sha256()
    for library, version in sorted(numeric_versions().items()):
        digest.update(f"{library} {version}\n".encode())
    for module, file in sorted(files.items()):
        digest.update(f"{module} {_read(file).content}\n".encode())
    return digest.hexdigest()


def closure(name: str) -> dict[str, Path]:
    """The files that a dotted name imports, its own included, by module; empty if it has none."""
    own, packages = _module(name), (OURS, name.partition(".")[0])
    found: dict[str, Path] = {}
    waiting = [own] if own else []
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        file = _file(module)
        assert file is not None
        found[module] = file
        wanted = (*_parents(module), *_imported(module, file))
        near = (each for each in wanted if each.partition(".")[0] in packages)
        waiting += filter(None, map(_module, near))
    return found


class _Source:
    """What a file held when this process first read it."""

    def __init__(self, file: Path) -> None:
        text = file.read_bytes()
        self.changed = file.stat().st_mtime
        self.content = hashlib.sha256(text).hexdigest()
        self.tree = ast.parse(text)


_read = cache(_Source)


def _parents(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


@cache
def _imported(module: str, file: Path) -> tuple[str, ...]:
    """Dotted names that a file imports; of `from a import b` both `a.b` and, through it, `a`."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    found: list[str] = []
    for node in _executed(_read(file).tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            found += [f"{base}.{alias.name}" for alias in node.names]
    return tuple(dict.fromkeys(found))


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _executed(child)


@cache
def _module(name: str) -> str | None:
    """The module that a dotted name is, or is an attribute of."""
    return next((n for n in (name, *_parents(name)) if _file(n) is not None), None)


@cache
def _file(module: str) -> Path | None:
    """A module's file, without importing the module or a package above it."""
    top, *below = module.split(".")
    for root in _roots(top):
        place = root.joinpath(*below)
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if below and file.is_file():
                return file
        if not below:
            file = root / "__init__.py" if root.is_dir() else root
            return file if file.is_file() else None
    return None


@cache
def _roots(top: str) -> tuple[Path, ...]:
    """The folders of a top-level package, or the file of a top-level module."""
    if top == OURS:
        return (_PACKAGE,)
    loaded = sys.modules.get(top)
    spec = getattr(loaded, "__spec__", None) or _found(top)
    if spec is not None and spec.submodule_search_locations:
        return tuple(map(Path, spec.submodule_search_locations))
    file = getattr(loaded, "__file__", None) or (spec.origin if spec is not None else None)
    return (Path(file),) if file and Path(file).suffix == ".py" else ()


def _found(top: str) -> Any:
    finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
    return next((s for find in finders if find and (s := find(top, None)) is not None), None)
