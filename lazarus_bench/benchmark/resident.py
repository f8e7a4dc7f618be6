"""The peak of a whole process's memory while it does one thing, where the system can reset it."""

from __future__ import annotations

import ctypes
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

RESET = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


def resident_peak(work: Callable[[], object]) -> int | None:
    """Most bytes that this process held in memory during `work`.

    None where they cannot be told from what it held before: Linux alone forgets an earlier peak
    (proc(5), *clear_refs*, 5), and some containers forbid it. What was freed and kept for use again
    (`backend`) is given back first, or it would count as held.
    """
    _give_back()
    try:
        RESET.write_text("5", encoding="ascii")
    except OSError:
        work()
        return None
    work()
    return _high_water()


def _give_back() -> None:
    """Have the C library give freed memory back to the kernel, where it can (malloc_trim(3))."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def peak_since_start() -> int:
    """Most bytes that this process has held in memory so far.

    Linux keeps in `ru_maxrss` what the process that started this one held (`exec` carries it over),
    so that there the kernel's own mark for this program is read.
    """
    try:
        return _high_water()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _high_water() -> int:
    lines = STATUS.read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
