"""What a claim's test uses of its own project outside its function: imports, fixtures, files.

Imports are followed through the syntax trees, without running any of them, from name to name: of a
helper module only what the test uses counts, directly or through other parts. A project is the
folder or package of the claim file and what lies beside its `pyproject.toml`; the engine and
installed libraries are not part of it.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from lazarus_bench.claims.trees import names, tree
from lazarus_bench.digests import digest_of
from lazarus_bench.errors import UserError

ENGINE = "lazarus_bench"
WHOLE = "*"
"""In place of a name: all of a module, where it is used as a value."""

_ROOTS = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
_INSTALLED = ("site-packages", "dist-packages")


class Use(NamedTuple):
    """A name that is used in a file, with the attribute that is read of it, if any."""

    file: Path
    name: str
    attribute: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Import:
    """`import module`, or `from module import item`, with the dots before the module."""

    module: str
    level: int = 0
    item: str | None = None


@dataclass(frozen=True, kw_only=True)
class _File:
    """The top level of a file: statements and imports by the names they bind, and star imports."""

    body: list[ast.stmt]
    bound: dict[str, list[ast.AST]] = field(default_factory=dict)
    imports: dict[str, list[_Import]] = field(default_factory=dict)
    stars: list[_Import] = field(default_factory=list)


def helpers(file: Path, test: ast.FunctionDef, own: Iterable[str]) -> dict[str, str]:
    """Digests of what `test` uses outside its `file`, by the path seen from the file's folder.

    Fixtures that it names count, those of its own file too; `own` are names of its file that are
    digested with the test itself.
    """
    file, known = file.resolve(), set(own)
    ahead = [*_uses(file, test.body), *_fixtures(file, test)]
    seen: set[Use] = set()
    found: dict[Path, dict[str, str]] = {}
    while ahead:
        use = ahead.pop()
        if use in seen:
            continue
        seen.add(use)
        ahead += _onward(use)
        digest, further = _piece(use.file, _changed(use.file), use.name)
        ahead += further
        if digest and not (use.file == file and use.name in known):
            found.setdefault(use.file, {})[use.name] = digest
    return {_seen_from(file, at): digest_of(parts) for at, parts in sorted(found.items())}


def data_files(claim_id: str, file: Path, paths: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each data file, by its path from the claim file's folder.

    Raises:
        UserError: one of them is not there.
    """
    found = {}
    for path in paths:
        place = file.parent / path
        if not place.is_file():
            raise UserError(f"{claim_id}: its data file {place} is not there; mend data= or add it")
        found[path] = hashlib.sha256(place.read_bytes()).hexdigest()
    return found


def _seen_from(file: Path, other: Path) -> str:
    return Path(os.path.relpath(other, file.parent)).as_posix()


def _changed(file: Path) -> int:
    return file.stat().st_mtime_ns


@lru_cache(maxsize=512)
def _read(file: Path, changed: int) -> _File:  # noqa: ARG001 - a key
    parsed = _File(body=ast.parse(file.read_text(encoding="utf-8")).body)
    for node in _top(parsed.body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                parsed.imports.setdefault(name, []).append(_Import(module=alias.name))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found = _Import(module=node.module or "", level=node.level, item=alias.name)
                if alias.name == WHOLE:
                    parsed.stars.append(found)
                else:
                    parsed.imports.setdefault(alias.asname or alias.name, []).append(found)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            parsed.bound.setdefault(node.name, []).append(node)
        else:
            for name in dict.fromkeys(names(node, ast.Store)):
                parsed.bound.setdefault(name, []).append(node)
    return parsed


def _top(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module's top level, and the imports that stand under a condition there."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            inner = (
                part for part in ast.walk(node) if isinstance(part, ast.Import | ast.ImportFrom)
            )
            yield from inner


@lru_cache(maxsize=4096)
def _piece(file: Path, changed: int, name: str) -> tuple[str, tuple[Use, ...]]:
    """The digest of what a file binds to a name, empty if nothing, and what that uses."""
    source = _read(file, changed)
    nodes = source.body if name == WHOLE else source.bound.get(name, [])
    if not nodes:
        return "", ()
    uses = [*_uses(file, nodes)]
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and "fixture" in ast.dump(
            ast.Tuple(node.decorator_list)
        ):
            uses += _fixtures(file, node)
    return digest_of({"is": tree(list(nodes))}), tuple(uses)


def _uses(file: Path, nodes: Iterable[ast.AST]) -> Iterator[Use]:
    """The names that nodes read, and the modules that they import themselves."""
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield Use(file, node.value.id, node.attr)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield Use(file, node.id)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from _of_module(file, _Import(module=alias.name), None)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = _Import(module=node.module or "", level=node.level, item=alias.name)
                yield from _imported(file, inner, None)
        yield from _uses(file, ast.iter_child_nodes(node))


def _fixtures(file: Path, function: ast.FunctionDef) -> Iterator[Use]:
    """The fixtures that a function's parameters may name: in its file, or in a `conftest.py`."""
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        # A training is bound to such a name as well; its recipes count by their fields.
        for place in (file, *_conftests(file)):
            bound = _read(place, _changed(place)).bound.get(argument.arg, [])
            if any(isinstance(node, ast.FunctionDef) for node in bound):
                yield Use(place, argument.arg)
                break


def _is_fixture(function: ast.FunctionDef) -> bool:
    return any("fixture" in ast.unparse(decorator) for decorator in function.decorator_list)


def _conftests(file: Path) -> Iterator[Path]:
    top = _project(file) or _base(file)
    for folder in file.parents:
        place = folder / "conftest.py"
        if place.is_file() and place != file:
            yield place
        if folder == top:
            return


def _onward(use: Use) -> Iterator[Use]:
    """Where an imported name leads."""
    source = _read(use.file, _changed(use.file))
    for found in source.imports.get(use.name, []):
        yield from _imported(use.file, found, use.attribute)
    if use.name not in source.imports and use.name not in source.bound:
        for star in source.stars:
            target = _resolve(use.file, star.module, star.level)
            if target is not None:
                yield Use(target, use.name, use.attribute)


def _imported(file: Path, found: _Import, attribute: str | None) -> Iterator[Use]:
    if found.item is None:
        yield from _of_module(file, found, attribute)
        return
    inside = ".".join(filter(None, (found.module, found.item)))
    if _resolve(file, inside, found.level) is not None:
        yield from _of_module(file, _Import(module=inside, level=found.level), attribute)
        return
    target = _resolve(file, found.module, found.level)
    if target is not None:
        yield Use(target, found.item, attribute)


def _of_module(file: Path, found: _Import, attribute: str | None) -> Iterator[Use]:
    target = _resolve(file, found.module, found.level)
    if target is None:
        return
    source = _read(target, _changed(target))
    known = attribute in source.bound or attribute in source.imports or bool(source.stars)
    if attribute is not None and known:
        yield Use(target, attribute)
    elif attribute is None or _resolve(file, f"{found.module}.{attribute}", found.level) is None:
        yield Use(target, WHOLE)
    else:
        yield from _of_module(
            file, _Import(module=f"{found.module}.{attribute}", level=found.level), None
        )


@lru_cache(maxsize=4096)
def _resolve(file: Path, module: str, level: int) -> Path | None:
    """The file of a module of the same project; None for any other."""
    parts = module.split(".") if module else []
    if level:
        return _module_file(file.parents[level - 1].joinpath(*parts))
    if parts[0] == ENGINE:
        return None
    base, project = _base(file), _project(file)
    if any(part in _INSTALLED for part in base.parts):
        # An installed package's own modules, and no other's.
        own = file.relative_to(base).parts[0] == parts[0]
        return _module_file(base.joinpath(*parts)) if own else None
    roots = [base] if project is None else [base, project, project / "src"]
    places = (_module_file(root.joinpath(*parts)) for root in roots)
    return next((place for place in places if place is not None), None)


def _module_file(place: Path) -> Path | None:
    files = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((file.resolve() for file in files if file.is_file()), None)


def _base(file: Path) -> Path:
    """The innermost folder above a file that is no package."""
    return next(folder for folder in file.parents if not (folder / "__init__.py").exists())


def _project(file: Path) -> Path | None:
    found = (folder for folder in file.parents if any((folder / n).exists() for n in _ROOTS))
    return next(found, None)
