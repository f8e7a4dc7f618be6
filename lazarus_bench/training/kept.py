"""What an unfinished training keeps for the next attempt, and the checksums that vouch for it.

The newest state's name holds its own SHA-256, and its header those of the other files that a resume
goes on with: checkpoints, and the log and the validation losses up to its step. No mlx here, so
that a store is verified without it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lazarus_bench import reading
from lazarus_bench.training.record import (
    METRICS,
    RESUME,
    VALIDATION,
    first_lines,
    logged_steps,
    validation_text,
)

CHECKSUMS = "checksums"
"""The key of the other files' checksums in a state's header."""

_NAME = re.compile(r"(\d{9,})-([0-9a-f]{64})")


def flush(path: Path) -> None:
    """Wait until the file or directory at `path` is on the disk, so that it survives a power cut.

    Raises:
        OSError: it does not fit, which some file systems report only here.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def states(directory: Path) -> list[Path]:
    """The states in `directory`/resume, the newest last."""
    return sorted((directory / RESUME).glob("*-*.safetensors"))


def checksum(file: Path, step: int) -> str:
    """The SHA-256 of what `file` holds up to `step`: all of it, but for the log and the losses.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what a training writes.
    """
    if not stat.S_ISREG(file.lstat().st_mode):
        raise ValueError("no regular file")
    if file.name == METRICS:
        return hashlib.sha256(b"".join(first_lines(file.parent, step))).hexdigest()
    if file.name == VALIDATION:
        return hashlib.sha256(_losses(file, step)).hexdigest()
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _losses(file: Path, step: int) -> bytes:
    text = reading.read_text(file)
    try:
        losses = {int(key): value for key, value in json.loads(text).items()}
        expected = validation_text(losses)
    except (AttributeError, TypeError, RecursionError) as error:
        raise ValueError("no validation losses") from error
    if text != expected:
        raise ValueError("no validation losses as a training writes them")
    return validation_text({at: loss for at, loss in losses.items() if at <= step}).encode()


def damage(directory: Path) -> str | None:
    """What is wrong with the newest state in `directory` or with the files it goes on with.

    None when they are whole, or without a state.
    """
    folder = directory / RESUME
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return f"{folder} is no folder"
    found = states(directory)
    return _damage(found[-1], directory) if found else None


def _damage(file: Path, directory: Path) -> str | None:
    named = _NAME.fullmatch(file.stem)
    step = int(named[1]) if named else 0
    wrong = _wrong(file, step, named[2] if named else "")
    if wrong is not None:
        return wrong
    if logged_steps(directory) < step:
        return f"{file} is of step {step}, and the log ends before it"
    listed = _checksums(file)
    if METRICS not in listed:
        return f"{file} has no checksums of the files beside it (an older version saved it)"
    differing = (_wrong(directory / name, step, digest) for name, digest in listed.items())
    return next((sentence for sentence in differing if sentence is not None), None)


def _wrong(file: Path, step: int, digest: str) -> str | None:
    try:
        if checksum(file, step) == digest:
            return None
    except FileNotFoundError:
        return f"{file} is missing"
    except (OSError, ValueError) as error:
        return f"{file} is damaged ({getattr(error, 'strerror', None) or error})"
    return f"{file} is damaged (its checksum is not that of the file that was saved)"


def _checksums(state: Path) -> Mapping[str, str]:
    """The checksums of other files in the header of `state`, which is whole."""
    from safetensors import safe_open

    with safe_open(str(state), framework="numpy") as opened:
        found: Mapping[str, str] = json.loads((opened.metadata() or {}).get(CHECKSUMS, "{}"))
    return found


def read_checksums(directory: Path) -> dict[str, str]:
    """The checksums that go with the newest state in `directory`, which is whole."""
    return dict(_checksums(states(directory)[-1]))


def clear(directory: Path, own: str) -> None:
    """Remove what no state vouches for, so that nothing but it and the file `own` stays.

    What the next attempt makes it makes again; a device, a pipe or a folder is in no file's place.
    """
    vouched = {own}
    with suppress(Exception):  # a damaged state vouches for nothing, and a resume says so
        vouched.update(read_checksums(directory) if states(directory) else ())
    for path in sorted(directory.rglob("*"), reverse=True):  # a folder after what is in it
        name = path.relative_to(directory)
        kind = path.lstat().st_mode
        if stat.S_ISDIR(kind):
            if name.parts != (RESUME,) and not any(path.iterdir()):
                path.rmdir()
        elif not stat.S_ISREG(kind) or not (name.parts[0] == RESUME or str(name) in vouched):
            path.unlink()
