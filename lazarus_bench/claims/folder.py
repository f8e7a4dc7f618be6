"""Where the claim files are: the folder that was named, one here, or those that came installed."""

from __future__ import annotations

from pathlib import Path

import lazarus_bench
from lazarus_bench.errors import UserError

NAME = "hypotheses"
PATTERNS = ("test_*.py", "*_test.py")
"""What claim files are called, as pytest collects them."""


def has_claim_files(directory: Path) -> bool:
    """Whether `directory`, or a folder in it, has a file that could hold claims."""
    return any(next(directory.rglob(pattern), None) is not None for pattern in PATTERNS)


def claims_folder(named: str | Path | None) -> Path:
    """The folder of claim files: `named`, else `hypotheses` here, else what was installed with us.

    Installed are those of the wheel, which lie in the package, or of the checkout that the package
    is run from.

    Raises:
        UserError: there is no such folder, with the remedy.
    """
    if named is not None:
        return Path(named).expanduser()
    here = Path(NAME)
    if here.is_dir() and has_claim_files(here):
        return here
    found = installed()
    if found is None:
        raise UserError(
            f"there is no folder of claim files: {here.absolute()} has none and none came with "
            f"this lazarus-bench; name one with --hypotheses DIR, or install the released wheel, "
            f"which brings them"
        )
    return found


def installed() -> Path | None:
    """The claim files that came with this package; None where it has none."""
    package = Path(lazarus_bench.__file__).resolve().parent
    beside = package.parent / NAME
    places = [package / NAME] + ([beside] if (package.parent / "pyproject.toml").exists() else [])
    return next((p for p in places if p.is_dir() and has_claim_files(p)), None)
