"""Folders that a command leaves: whole or not at all, and never in the place of something else."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lazarus_bench.errors import UserError
from lazarus_bench.jobs.artifact import MANIFEST, damages
from lazarus_bench.report.files import probe


def content(folder: Path) -> list[str]:
    """Names of what lies in `folder`, sorted; none where it is not there.

    Raises:
        UserError: it is a file, or cannot be read.
    """
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UserError(f"--output {folder} cannot be used ({why}): name a folder") from error


def check_free(folder: Path, ours: Sequence[str] = ()) -> None:
    """Make sure that nothing but `ours` lies in `folder`.

    Raises:
        UserError: something else does.
    """
    foreign = [name for name in content(folder) if name not in ours]
    if foreign:
        raise UserError(
            f"--output {folder} is not empty (it has {foreign[0]}) and is not of this command: "
            f"name another folder"
        )


def holds(folder: Path, digest: str) -> bool:
    """Whether `folder` is what this job made, every file whole.

    Raises:
        UserError: it is, but for a file that is damaged.
    """
    if MANIFEST not in content(folder):
        return False
    wrong = next(damages(folder, digest, checksums=True), None)
    if wrong is not None and "belongs to another job" not in wrong:
        raise UserError(f"--output {folder}: {wrong}; remove the folder, or name another")
    return wrong is None


def check_place(folder: Path) -> None:
    """Make sure that `folder` can be written, before the work that fills it.

    Raises:
        UserError: it cannot.
    """
    try:
        probe(folder.parent)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> UserError:
    why = (error.strerror or str(error)).lower()
    return UserError(f"cannot write {folder} ({why}): name a folder where you can write")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill that becomes `folder`, which is empty or not there, when the block ends.

    Raises:
        UserError: it cannot be written.
    """
    work = folder.parent / f".{folder.name}-{uuid.uuid4().hex[:8]}"
    try:
        work.mkdir(parents=True)
        yield work
        work.rename(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
