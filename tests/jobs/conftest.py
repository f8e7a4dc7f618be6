"""Stores on file systems that are full or cannot be written."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from storage import BASE, mount, write

from lazarus_bench.jobs.store import Store


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of one megabyte and a hundred names."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount(directory, "size=1m,nr_inodes=100")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


@pytest.fixture
def read_only(request, tmp_path) -> Iterator[Store]:
    """A store with the artifact of `BASE`, in which nothing can be written any more."""
    if os.geteuid() != 0:
        store = Store(tmp_path / "store")
        write(store, BASE)
        store.root.chmod(0o555)
        (store.root / ".locks").chmod(0o555)
        yield store
        store.root.chmod(0o755)
        (store.root / ".locks").chmod(0o755)
        return
    disk = request.getfixturevalue("small_disk")
    store = Store(disk / "store")
    write(store, BASE)
    mount(disk, "remount,ro")
    yield store
