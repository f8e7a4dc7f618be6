"""Outputs: links are followed, devices and FIFOs written into, and what is no file is refused."""

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lazarus_bench import reading
from lazarus_bench.cli import main
from lazarus_bench.errors import UserError
from lazarus_bench.report.files import check_place, write_text

ROOT = Path(__file__).parents[2]


def written(path) -> None:
    check_place(path, "report")
    write_text("whole\n", path)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path, depth, there):
    target = tmp_path / "away" / "target.md"
    target.parent.mkdir()
    if there:
        target.write_text("before")
    links = [tmp_path / f"link{number}.md" for number in range(depth)]
    for link, to in zip(links, [target, *links], strict=False):
        link.symlink_to(to)
    written(links[-1])
    assert all(link.is_symlink() for link in links)
    assert target.read_text() == "whole\n"
    assert [path.name for path in target.parent.iterdir()] == ["target.md"]


@pytest.mark.parametrize(("before", "after"), [(None, 0o640), (0o600, 0o600), (0o664, 0o664)])
def test_a_new_file_has_the_rights_of_the_umask_and_an_old_one_keeps_its_own(
    tmp_path, before, after
):
    file = tmp_path / "file.md"
    if before is not None:
        file.touch()
        file.chmod(before)
    umask = os.umask(0o027)
    try:
        written(file)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == after


@pytest.mark.parametrize("linked", [False, True])
def test_a_fifo_is_written_into(tmp_path, linked):
    fifo = named = tmp_path / "fifo"
    os.mkfifo(fifo)
    if linked:
        named = tmp_path / "link"
        named.symlink_to(fifo)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text()), daemon=True)
    reader.start()
    written(named)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    reader.join(10)
    assert read == ["whole\n"]


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "PATIENCE", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="nobody reads this pipe"):
        written(tmp_path / "pipe")


def test_a_device_is_written_into(tmp_path):
    device = tmp_path / "null"
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        device.read_bytes()
    except OSError:
        pytest.skip("devices cannot be made here")
    written(device)
    assert stat.S_ISCHR(device.stat().st_mode)


def test_standard_output_in_a_file_is_added_to(tmp_path):
    code = (
        "from pathlib import Path; from lazarus_bench.report.files import write_text;"
        "print('first', flush=True); write_text('second\\n', Path('/proc/self/fd/1'));"
        "print('third')"
    )
    with (tmp_path / "out").open("w") as stream:
        subprocess.run([sys.executable, "-c", code], stdout=stream, check=True, timeout=60)
    assert (tmp_path / "out").read_text() == "first\nsecond\nthird\n"


def a_directory(path):
    path.mkdir()


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def a_loop(path):
    path.symlink_to(path)


REFUSED = {a_directory: "is a directory", a_socket: "is a socket", a_loop: "too many levels"}


@pytest.mark.parametrize(("make", "why"), REFUSED.items())
@pytest.mark.parametrize("write", [written, lambda path: write_text("whole\n", path)])
def test_what_is_no_file_is_refused(tmp_path, monkeypatch, make, why, write):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    place = tmp_path.relative_to(tmp_path) / "x"
    make(place)
    before = place.lstat().st_mode
    with pytest.raises(UserError, match=f"cannot write the report to x .*{why}"):
        write(place)
    assert place.lstat().st_mode == before


def test_nothing_is_left_beside_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.md")
    read: list[str] = []
    reader = threading.Thread(
        target=lambda: read.append((tmp_path / "pipe.md").read_text()), daemon=True
    )
    reader.start()
    command = ["render", str(ROOT / "reports" / "lab"), "--output", str(tmp_path / "pipe.md")]
    assert main(command) == 0
    reader.join(60)
    assert "figures/" in read[0]
    assert [path.name for path in tmp_path.iterdir()] == ["pipe.md"]
