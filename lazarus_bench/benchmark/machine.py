"""The machine and the software that a measurement is of, in words."""

from __future__ import annotations

import os
from importlib import metadata

from lazarus_bench import backend
from lazarus_bench.cores import check_wish

BESIDE = ("scikit-learn", "torch", "pytest-benchmark", "mkl")
"""Packages beside the manifest's that measurements may depend on."""


def machine() -> dict[str, str]:
    """Device, BLAS, exp(), threads, cores, memory and versions, all as text."""
    return {
        **backend.manifest().as_strings(),
        **{name: found for name in BESIDE if (found := _version(name)) is not None},
        "threads": str(backend.set_threads()),
        "cores": f"{os.cpu_count()}, a process on {'one' if check_wish() == 'own' else 'all'}",
        "memory": f"{_memory() / 2**30:.0f} GiB",
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
