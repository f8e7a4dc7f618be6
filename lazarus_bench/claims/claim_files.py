"""Claim files read by their path, without pytest's session: for listing and exporting claims."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from lazarus_bench.claims.claim import REGISTRY, Claim
from lazarus_bench.claims.folder import PATTERNS
from lazarus_bench.errors import UserError

_PACKAGE = "lazarus_bench_claim_files"
_NEAREST = 3


def read_claims(directory: Path) -> tuple[Claim, ...]:
    """The claims in the files of `directory`, in the order of the files.

    Raises:
        UserError: There is no such folder, no claim in it, or a file that cannot be read.
    """
    if not directory.is_dir():
        raise UserError(
            f"there is no folder {directory}: name the folder of claim files with --hypotheses"
        )
    files = dict.fromkeys(p for pattern in PATTERNS for p in directory.rglob(pattern))
    with REGISTRY.set_apart():
        for file in sorted(files):
            _read(file, directory)
        claims = tuple(REGISTRY.claims.values())
    if not claims:
        raise UserError(
            f"no file of {directory} holds a claim: name the folder of claim files with "
            f"--hypotheses"
        )
    return claims


def _read(file: Path, directory: Path) -> None:
    name = ".".join((_PACKAGE, *file.relative_to(directory).with_suffix("").parts))
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with _importable(file.parent):
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"cannot read the claims of {file} ({type(error).__name__}: {error}): mend the file"
            ) from error
        finally:
            del sys.modules[name]


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let a claim file import what lies beside it, as pytest does."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def nearest(wanted: str, names: Sequence[str]) -> str:
    """Say which `names` are like `wanted`, whole or after the slash; empty where none is."""
    found = get_close_matches(wanted, names, _NEAREST, cutoff=0.5)
    ends = {name.partition("/")[2]: name for name in names}
    found += [ends[end] for end in get_close_matches(wanted.rpartition("/")[2], ends, _NEAREST)]
    likely = list(dict.fromkeys(found))[:_NEAREST]
    return f"; the nearest are {', '.join(likely)}" if likely else ""
