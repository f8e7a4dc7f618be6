"""The folder of claim files: the one named, `hypotheses` here, or the installed one."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import lazarus_bench
from lazarus_bench import reading
from lazarus_bench.errors import UserError

NAME = "hypotheses"
REGISTRY = "registry.json"
PATTERNS = ("test_*.py", "*_test.py")
"""Names of claim files, as pytest collects them."""


def has_claim_files(directory: Path) -> bool:
    """Whether `directory`, or a folder in it, has a file that could hold claims."""
    return any(next(directory.rglob(pattern), None) is not None for pattern in PATTERNS)


def has_registry(directory: Path) -> bool:
    """Whether `directory` has what `claims export` writes."""
    try:
        found = reading.read_json(directory / REGISTRY)
        claims = found["claims"]
        return type(found["registry"]) is int and all(
            isinstance(claim["id"], str) and len(claim["digest"]) == 64 for claim in claims
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def claims_folder(named: str | Path | None) -> Path:
    """The folder of claim files: `named`, else `hypotheses` here, the project's, the installed one.

    A project names its own under `[tool.lazarus-bench]` in the `pyproject.toml` of this folder.

    Reading claims runs their files, so `hypotheses` here must have a registry of claims beside
    them: a working directory is often a place that others fill. UserError if it has none, or there
    is no folder.
    """
    if named is not None:
        folder = Path(named).expanduser()
        found = folder if folder.is_dir() else _package(str(named))
        if found is None:
            raise UserError(
                f"there is no folder {named}, nor is a package of that name installed: name a "
                f"folder of claim files with --hypotheses, or a package of claims with --pack"
            )
        return found
    for here in (Path(NAME), *_of_project(Path("pyproject.toml"))):
        if here.is_dir() and has_claim_files(here):
            if not has_registry(here):
                raise UserError(
                    f"{here.absolute()} has no {REGISTRY} of claims, and to read claims is to run "
                    f"their files: name it with --hypotheses {here} if they are yours"
                )
            return here
    found = installed()
    if found is None:
        raise UserError(
            f"there is no folder of claim files: {here.absolute()} has none and none came with "
            f"this lazarus-bench; name one with --hypotheses DIR, or install the released wheel, "
            f"which brings them"
        )
    return found


def _package(name: str) -> Path | None:
    """The folder of an installed package that holds claim files; the package is not imported.

    pip writes `our-claims` where Python imports `our_claims`.
    """
    name = name.replace("-", "_")
    if not name.isidentifier():
        return None
    spec = importlib.util.find_spec(name)
    places = map(Path, (spec.submodule_search_locations if spec else None) or ())
    return next((place for place in places if has_claim_files(place)), None)


def _of_project(file: Path) -> list[Path]:
    """The folder that a project names, if it does."""
    if not file.is_file():
        return []
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{file.absolute()} cannot be read ({error}): mend it") from error
    table = settings.get("tool", {}).get("lazarus-bench", {})
    named = table.get(NAME) if isinstance(table, dict) else None
    return [Path(named)] if isinstance(named, str) else []


def installed() -> Path | None:
    """The claim files in the wheel's package or beside the checkout's; None without any."""
    package = Path(lazarus_bench.__file__).resolve().parent
    beside = package.parent / NAME
    places = [package / NAME] + ([beside] if (package.parent / "pyproject.toml").exists() else [])
    return next((p for p in places if p.is_dir() and has_claim_files(p)), None)
