"""How much memory this machine lets a process have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")


def limit() -> int:
    """Bytes of main memory, or of the smallest limit of a control group that we are in.

    It does not change while others come and go, so that what is decided by it stays decided.
    """
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([whole, *_group_limits()])


def _group_limits() -> Iterator[int]:
    """The limits of our control groups and of those above them, of version 1 and 2."""
    with suppress(OSError):
        for line in OWN_GROUP.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers not in ("", "memory"):
                continue
            root = GROUPS / controllers
            name = "memory.limit_in_bytes" if controllers else "memory.max"
            own = root / path.lstrip("/")
            for folder in (own, *own.parents):
                with suppress(OSError, ValueError):  # no limit is the word "max"
                    yield int((folder / name).read_text())
                if folder == root:
                    break


def gigabytes(amount: float) -> str:
    """Bytes in 10⁹, with a decimal: "2.0 GB"."""
    return f"{amount / 1e9:.1f} GB"
