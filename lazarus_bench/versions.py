"""Versions and revisions of installed packages, read without importing them."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

DISTRIBUTIONS = ("lazarus-bench", "mlx", "mlx-lm", "numpy", "scipy", "scikit-learn", "tokenizers")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


@cache
def git_revision() -> str:
    """The source tree's commit, with `+changes` when it has uncommitted ones; else "release".

    Looked up once a process: a commit made while it runs does not change the code it imported.
    """
    tree = Path(__file__).resolve().parents[1]
    try:
        if Path(_git(tree, "rev-parse", "--show-toplevel")).resolve() != tree:
            return "release"  # installed into somebody else's repository
        return _git(tree, "describe", "--always", "--dirty=+changes", "--abbrev=12")
    except (OSError, subprocess.SubprocessError):
        return "release"


def _git(tree: Path, *arguments: str) -> str:
    run = subprocess.run(
        ["git", "-C", str(tree), *arguments], capture_output=True, text=True, timeout=10, check=True
    )
    return run.stdout.strip()


def versions() -> dict[str, str]:
    """Names and versions for a manifest."""
    return {
        **{name: _version(name) for name in DISTRIBUTIONS},
        "python": platform.python_version(),
        "revision": git_revision(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def numeric_versions() -> dict[str, str]:
    """Versions of what a reading comes from besides this package's own source."""
    libraries = (*DISTRIBUTIONS[1:], "mkl", "transformers")
    return {
        **{name: _version(name) for name in libraries},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
