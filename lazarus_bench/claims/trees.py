"""Syntax trees as plain values: what of a file's text has a meaning."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

WITHOUT_MEANING = ("ctx", "kind", "type_comment")


def names(node: ast.AST, context: type[ast.expr_context]) -> Iterator[str]:
    """The names that a node reads or binds; a docstring is left out."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, context):
        yield node.id
    for part in ast.iter_child_nodes(node):
        if not idle(part):
            yield from names(part, context)


def idle(node: Any) -> bool:
    """Whether a statement decides nothing: a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def kept(nodes: list[Any]) -> list[Any]:
    """Without docstrings."""
    return [node for node in nodes if not idle(node)]


def tree(node: Any) -> Any:
    """A syntax tree as plain values, the same on every Python: fields that are empty are left out.

    Later versions add fields, empty where the syntax does not use them.
    """
    if isinstance(node, list):
        return [tree(item) for item in kept(node)]
    if isinstance(node, ast.AST):
        fields = {
            name: tree(value)
            for name, value in ast.iter_fields(node)
            if name not in WITHOUT_MEANING and value not in (None, [])
        }
        return [type(node).__name__, fields]
    return node if isinstance(node, str | int | bool | None) else repr(node)
