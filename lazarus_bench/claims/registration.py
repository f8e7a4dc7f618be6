"""All that decides a claim, as plain values with a digest.

A digest covers the size of the claim's family, so it is taken once the claim's file is read whole.
It covers the test too, with what it uses of its file, of helper modules of its own project
(`helpers.py`) and of the data files it declares, since controls, thresholds and the estimator are
there. It is taken of the syntax tree, so comments, docstrings, layout and the
test's name do not count, and neither does what only a `@beside` function uses. The package's own
code is not in it: the manifest names its revision.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from lazarus_bench.claims.claim import Claim, recipes_of
from lazarus_bench.claims.helpers import data_files, helpers
from lazarus_bench.claims.profiles import PROFILES
from lazarus_bench.claims.trees import kept, names, tree
from lazarus_bench.digests import canonical_recipe, digest_of
from lazarus_bench.judge import ALPHA, RULE, family_level, to_json


def decides(claim: Claim, family_size: int) -> dict[str, Any]:
    """Everything that decides `claim`, in a family of `family_size` verdicts, as plain JSON."""
    region, published = to_json(claim.region), claim.published
    found = {
        "id": claim.id,
        "says": claim.says,
        "estimand": claim.estimand,
        # An edge of 0 is the edge 0.0.
        "region": {name: v if isinstance(v, str) else float(v) for name, v in region.items()},
        "subjects": claim.subjects,
        "needs": [
            {
                "on": "instruct sibling" if need.on_instruct else "subject",
                "recipes": [canonical_recipe(recipe) for recipe in recipes_of(need)],
            }
            for need in claim.needs
        ],
        "words": claim.words,
        "binary": claim.binary,
        "difference": claim.difference,
        "exploratory": claim.exploratory,
        "quirk": claim.quirk,
        "family_size": family_size,
        "alpha": ALPHA,
        "level": family_level(family_size),
        "rule": RULE,
        "published": published
        and {"evidence": type(published).__name__, "digest": digest_of(to_json(published))},
        "test": None if claim.test is None else digest_of_test(claim.test),
        "profiles": {
            name: {key: size for key, size in asdict(profile).items() if key != "name"}
            for name, profile in PROFILES.items()
        },
        **_outside(claim),
    }
    # As it is read back: a tuple would differ from the list it becomes.
    plain: dict[str, Any] = json.loads(json.dumps(found, allow_nan=False))
    return plain


Binding = dict[str, list[ast.AST]]
"""Statements of a file's top level, by the names that they bind."""


def digest_of_test(test: Callable[..., None]) -> str:
    """SHA-256 of the syntax tree of `test` and of what it uses of its file."""
    _, found, bindings = _source(test)
    used = {name: [tree(node) for node in nodes] for name, nodes in _used(found, bindings).items()}
    return digest_of({"arguments": tree(found.args), "body": tree(found.body), "used": used})


def _source(test: Callable[..., None]) -> tuple[Path, ast.FunctionDef, Binding]:
    """The file of a test, its syntax tree and what the file binds."""
    code = inspect.unwrap(test).__code__
    path = Path(code.co_filename)
    parsed, bindings = _parsed(path, path.stat().st_mtime_ns)
    found = next(node for node in ast.walk(parsed) if _starts(node) == code.co_firstlineno)
    assert isinstance(found, ast.FunctionDef)
    return path, found, bindings


def _outside(claim: Claim) -> dict[str, dict[str, str]]:
    """Digests of what the test uses outside its function, and of its data; nothing where none."""
    if claim.test is None:
        return {}
    path, found, bindings = _source(claim.test)
    parts = {
        "helpers": helpers(path, found, _used(found, bindings)),
        "data": data_files(claim.id, path, claim.data),
    }
    return {name: digests for name, digests in parts.items() if digests}


@lru_cache(maxsize=64)
def _parsed(path: Path, changed: int) -> tuple[ast.Module, Binding]:  # noqa: ARG001 - a key
    parsed = ast.parse(path.read_text(encoding="utf-8"))
    bindings: Binding = {}
    for statement in parsed.body:
        for name, node in _bound(statement):
            bindings.setdefault(name, []).append(node)
    return parsed, bindings


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
            origin = f"{getattr(statement, 'module', None) or ''}:{alias.name}"
            yield alias.asname or alias.name.partition(".")[0], ast.Constant(value=origin)
    else:
        for name in dict.fromkeys(names(statement, ast.Store)):
            yield name, statement


def _used(test: ast.FunctionDef, bindings: Binding) -> Binding:
    """The parts of its file that the test uses, directly or through other parts."""
    found: Binding = {}
    ahead = [name for part in kept(test.body) for name in names(part, ast.Load)]
    while ahead:
        name = ahead.pop()
        if name in bindings and name not in found:
            found[name] = bindings[name]
            ahead += [used for node in bindings[name] for used in names(node, ast.Load)]
    return found
