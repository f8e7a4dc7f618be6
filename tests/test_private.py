"""What is loaded from the temporary directory comes from a folder that only its user can enter."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.private import private_folder, python_module

NAME = f"lazarus-bench-{os.getuid()}"

COMPILE = """
import os, tempfile
{first}
from lazarus_bench import backend
mx = backend.mx
mx.set_default_device(mx.Device(mx.cpu))
mx.eval(mx.compile(lambda x: mx.exp(x) * x + 1)(mx.ones(7)))
print(tempfile.gettempdir() == os.environ["TMPDIR"])
"""


def compiled(above: Path, first: str) -> str:
    """The output of a process that compiles a kernel, with `above` as its temporary directory."""
    return subprocess.run(
        [sys.executable, "-c", COMPILE.format(first=first)],
        env=os.environ | {"TMPDIR": str(above)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("first", ["", "import lazarus_bench.backend, mlx_lm", "import mlx.core"])
def test_kernels_are_kept_where_nobody_else_can_put_any(tmp_path, first):
    assert compiled(tmp_path, first) == "True\n"
    assert [*(tmp_path / NAME).rglob("*.so")]
    assert {folder.name for folder in tmp_path.iterdir()} == {NAME}
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o700


def a_link(folder: Path) -> None:
    (folder.parent / "theirs").mkdir(mode=0o700)
    folder.symlink_to("theirs")


def a_file(folder: Path) -> None:
    folder.touch(mode=0o700)


def open_to_others(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o770)


@pytest.mark.parametrize("plant", [a_link, a_file, open_to_others])
def test_a_folder_that_others_may_have_made_is_refused(tmp_path, monkeypatch, plant):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    plant(tmp_path / NAME)
    with pytest.raises(UserError, match=rf"{NAME}.*set TMPDIR to a folder of yours"):
        private_folder()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_somebody_elses_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / NAME).mkdir(mode=0o700)
    os.chown(tmp_path / NAME, 12345, -1)
    with pytest.raises(UserError, match="remove it"):
        private_folder()


def test_a_planted_link_stops_mlx_before_it_computes(tmp_path):
    a_link(tmp_path / NAME)
    with pytest.raises(subprocess.CalledProcessError) as error:
        compiled(tmp_path, "")
    assert "is not a folder that only you can enter" in error.value.stderr
    assert not [*(tmp_path / "theirs").iterdir()]


def test_a_module_of_ours_is_never_looked_for_in_a_strangers_folder(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    subprocess.run([*python_module("json.tool"), "--help"], check=True, capture_output=True)
    assert not (tmp_path / "ran").exists()
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert "-P" not in python_module("pytest")
