"""A worker of our own cluster ends without Python taking itself apart, and leaves nothing."""

import builtins
from pathlib import Path

from distributed import get_worker

from lazarus_bench.jobs.cluster import _started


class Witness:
    """Writes a file when the interpreter drops it, which it does at its end alone."""

    def __init__(self, file: Path) -> None:
        self.file, self.open = file, open

    def __del__(self) -> None:
        with self.open(self.file, "w"):
            pass


def watch(file: Path) -> str:
    builtins.witness = Witness(file)
    return get_worker().local_directory


def test_a_worker_leaves_at_once_and_cleanly(tmp_path, capfd):
    with _started(1) as client:
        place = client.submit(watch, tmp_path / "unwound").result()
        assert Path(place).exists()
    assert not (tmp_path / "unwound").exists()
    assert not Path(place).exists()
    assert capfd.readouterr().err == ""
