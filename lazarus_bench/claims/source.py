"""What a claim's test does, as a digest: its own words and those of its file that it uses.

Controls, thresholds and the estimator stand in the test's body, not in the decorator. The digest
is of the syntax tree, so comments, docstrings, layout and the test's name do not count, and neither
does what is only shown (`judge.beside`, `judge.explain`,
`judge.show`). The package's own code is not in it: the
manifest names its revision.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from lazarus_bench.jobs.spec import digest_of

Binding = dict[str, list[ast.AST]]
"""Statements of a file's top level, by the names that they bind."""

_SHOWN = ("beside", "explain", "show")
_WITHOUT_MEANING = ("ctx", "kind", "type_comment")


def digest_of_test(test: Callable[..., None]) -> str:
    """SHA-256 of what `test` does, 64 hexadecimal digits."""
    code = inspect.unwrap(test).__code__
    path = Path(code.co_filename)
    tree, bindings = _parsed(path, path.stat().st_mtime_ns)
    found = next(node for node in ast.walk(tree) if _starts(node) == code.co_firstlineno)
    assert isinstance(found, ast.FunctionDef)
    used = {name: [_tree(node) for node in nodes] for name, nodes in _used(found, bindings).items()}
    return digest_of({"arguments": _tree(found.args), "body": _tree(found.body), "used": used})


@lru_cache(maxsize=64)
def _parsed(path: Path, changed: int) -> tuple[ast.Module, Binding]:  # noqa: ARG001 - a key
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bindings: Binding = {}
    for statement in tree.body:
        for name, node in _bound(statement):
            bindings.setdefault(name, []).append(node)
    return tree, bindings


def _starts(node: ast.AST) -> int | None:
    """The line that Python calls a function's first: that of its first decorator, if any."""
    if not isinstance(node, ast.FunctionDef):
        return None
    return min((node.lineno, *(decorator.lineno for decorator in node.decorator_list)))


def _bound(statement: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name, statement
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0], _origin(statement, alias)
    else:
        for name in dict.fromkeys(_names(statement, ast.Store)):
            yield name, statement


def _origin(statement: ast.Import | ast.ImportFrom, alias: ast.alias) -> ast.AST:
    module = getattr(statement, "module", None) or ""
    return ast.Constant(value=f"{module}:{alias.name}")


def _names(node: ast.AST, context: type[ast.expr_context]) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, context):
        yield node.id
    for part in ast.iter_child_nodes(node):
        if not _idle(part):
            yield from _names(part, context)


def _used(test: ast.FunctionDef, bindings: Binding) -> Binding:
    """What of its file the test uses, directly or through other parts of the file."""
    found: Binding = {}
    ahead = [name for part in _kept(test.body) for name in _names(part, ast.Load)]
    while ahead:
        name = ahead.pop()
        if name in bindings and name not in found:
            found[name] = bindings[name]
            ahead += [used for node in bindings[name] for used in _names(node, ast.Load)]
    return found


def _idle(node: Any) -> bool:
    """Whether a statement decides nothing: a docstring, or what is shown beside the verdict."""
    if not isinstance(node, ast.Expr):
        return False
    if isinstance(node.value, ast.Constant):
        return True
    called = node.value.func if isinstance(node.value, ast.Call) else None
    return (
        isinstance(called, ast.Attribute)
        and called.attr in _SHOWN
        and isinstance(called.value, ast.Name)
        and called.value.id == "judge"
    )


def _kept(nodes: list[Any]) -> list[Any]:
    return [node for node in nodes if not _idle(node)]


def _tree(node: Any) -> Any:
    """A syntax tree as plain values, the same on every Python: fields that are empty are left out.

    Later versions add fields, empty where the syntax does not use them.
    """
    if isinstance(node, list):
        return [_tree(item) for item in _kept(node)]
    if isinstance(node, ast.AST):
        fields = {
            name: _tree(value)
            for name, value in ast.iter_fields(node)
            if name not in _WITHOUT_MEANING and value not in (None, [])
        }
        return [type(node).__name__, fields]
    return node if isinstance(node, str | int | bool | None) else repr(node)
