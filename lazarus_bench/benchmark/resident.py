"""The peak of a whole process's memory while it does one thing, where the system can reset it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

RESET = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def resident_peak(work: Callable[[], object]) -> int | None:
    """Most bytes that this process held in memory during `work`.

    None where they cannot be told from what it held before: Linux alone forgets an earlier peak
    (proc(5), *clear_refs*, 5), and some containers forbid it.
    """
    _give_back()
    try:
        RESET.write_text("5", encoding="ascii")
    except OSError:
        work()
        return None
    work()
    lines = STATUS.read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _give_back() -> None:
    """Give what was freed back to the system, as the backend does not, or it would count again."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
