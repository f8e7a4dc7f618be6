"""Files that others wrote: read whole, within bounds of size and time, or an error that says why.

An `OSError` of these has a reason to show in `strerror`, whatever the file was: a folder, a device,
a pipe into which nobody writes, too large. JSON is strict: what no other program could read, or no
number holds, is a `ValueError`.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import select
import stat
import time
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from lazarus_bench.errors import UserError

LIMIT = 1 << 30
"""Bytes of the largest file that is read whole; JSON needs some twenty times as much in memory."""

JSON_LIMIT = 1 << 28
DEEPEST = 100
"""Lists and objects of JSON inside each other; no file of ours or a model's has a tenth of it."""

PATIENCE = 10.0
"""Seconds to wait for the next byte of a pipe."""

_CHUNK = 1 << 20
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_bytes(file: Path, limit: int = LIMIT) -> bytes:
    """The content of a regular file or a pipe, of at most `limit` bytes; otherwise an OSError."""
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(file))
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise OSError(errno.EINVAL, "it is a device, no file", str(file))
    # Without O_NONBLOCK, opening a pipe waits for a writer.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        waiting = stat.S_ISFIFO(mode)
        _check_size(os.fstat(descriptor).st_size, limit, file)
        found = bytearray()
        while chunk := _chunk(descriptor, file) if waiting else stream.read(_CHUNK):
            found += chunk
            _check_size(len(found), limit, file)
    return bytes(found)


def _check_size(size: int, limit: int, file: Path) -> None:
    if size > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit / 1e6:.0f} MB", str(file))


def _chunk(pipe: int, file: Path) -> bytes:
    """The next bytes of a pipe, none at its end."""
    end = time.monotonic() + PATIENCE
    ready = select.poll()
    ready.register(pipe, select.POLLIN)
    while (left := end - time.monotonic()) > 0:
        if ready.poll(1000 * left):
            try:
                return os.read(pipe, _CHUNK)
            except BlockingIOError:  # another reader was faster
                continue
    raise TimeoutError(
        errno.ETIMEDOUT, f"nothing came out of this pipe for {PATIENCE:.0f} s", str(file)
    )


def read_text(file: Path, limit: int = LIMIT) -> str:
    """UTF-8 without a byte order mark, line ends as they are; OSError or UnicodeDecodeError."""
    return read_bytes(file, limit).decode("utf-8-sig")


def read_json(file: Path) -> Any:
    """The value in a JSON file; OSError or ValueError."""
    return parse_json(read_text(file, JSON_LIMIT))


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Infinity and NaN are read where they are spelt so, as some models' configurations have them.

    Raises:
        ValueError: it is not JSON, is nested too deeply, has a key twice in one object, half a
            surrogate pair, or a number that no float holds.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise _too_deep() from None
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(value)
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it has half a surrogate pair, which is no character") from None
    return value


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text:.40} is larger than any number a float holds")
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has {twice!r:.40} twice")
    return found


# Made once: `json.loads` makes one a call.
_DECODER = json.JSONDecoder(parse_float=_finite, object_pairs_hook=_once_each)


def _too_deep() -> ValueError:
    return ValueError(f"it is nested more than {DEEPEST} levels deep")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        inside = [item for item in level if isinstance(item, dict | list)]
        if not inside:
            return
        level = [
            part for item in inside for part in (item.values() if isinstance(item, dict) else item)
        ]
    raise _too_deep()


def load_entry(entry: EntryPoint) -> Any:
    """What an installed package offers under an entry point.

    Raises:
        UserError: its module cannot be imported, or lacks the name.
    """
    try:
        return entry.load()
    except Exception as error:
        raise UserError(
            f"an installed package offers {entry.value}, which cannot be read "
            f"({type(error).__name__}: {error}): mend the package, or uninstall it"
        ) from error
