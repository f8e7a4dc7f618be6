"""Command lines in forks of one process that has imported the commands, and what became of them.

mlx does not survive a fork, so the parent never imports it; each child that needs it does.
"""

import atexit
import gc
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

LONGEST = 20.0
"""Seconds that a command may take."""

MOST = 12 << 30
"""Bytes of address space, so that a mistake of ours does not take the machine along."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A command line, what makes the folder that it runs in, and what is hostile in it."""

    words: tuple[str, ...]
    furnish: Callable[[Path], None]
    about: str
    hostile: tuple[str, ...] = ()
    breaks: bool = False
    """Whether what it reads can no longer be read."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a command ended: exit code (below zero a signal), output, seconds and megabytes."""

    code: int
    out: str
    err: str
    seconds: float
    peak: float
    left: bool
    """Whether a process of it was still there."""


def warm(*, light: bool) -> None:
    """Import what commands import, but mlx; of light ones only what they import."""
    from lazarus_bench.cli import application

    application.application(application.Everything())
    heavy = ("transformers", "sklearn.linear_model", "lazarus_bench.plugin.hooks")
    for name in ("scipy.stats", "lazarus_bench.session.session", *(() if light else heavy)):
        import_module(name)
    assert "mlx" not in sys.modules
    gc.freeze()  # what a child collects it copies


def apart(function: Callable[[], None]) -> None:
    """Call `function` in a child, which may import mlx."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _run(words: tuple[str, ...], folder: Path, said: Path) -> None:
    """Be the command; never returns."""
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        os.environ |= {"LAZARUS_BENCH_STORE": str(folder / "store"), "TMPDIR": str(said)}
        tempfile.tempdir = None
        resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for descriptor, name in ((0, os.devnull), (1, said / "out"), (2, said / "err")):
            flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
            os.dup2(os.open(name, flags), descriptor)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(  # noqa: SIM115
            2, "w", encoding="utf-8", errors="backslashreplace", closefd=False
        )
        from lazarus_bench.cli import main

        try:
            code = main(list(words))
        except SystemExit as stopped:
            code = stopped.code if isinstance(stopped.code, int) else 1
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stderr.flush()
        os._exit(code)


def outcomes(
    attempts: Iterable[Attempt], at_once: int, longest: float = LONGEST
) -> Iterator[tuple[Attempt, Outcome]]:
    """Run `attempts`, so many at once, each in a new folder; they come as they end."""
    waiting, running = iter(attempts), {}
    while True:
        while len(running) < at_once and (attempt := next(waiting, None)) is not None:
            place = Path(tempfile.mkdtemp(prefix="attack-"))
            folder, said = place / "here", place / "said"
            folder.mkdir()
            said.mkdir()
            attempt.furnish(folder)
            child = os.fork()
            if child == 0:
                _run(attempt.words, folder, said)
            running[child] = (attempt, place, time.monotonic())
        if not running:
            return
        ended, status, used = os.wait4(-1, os.WNOHANG)
        if not ended:
            _end(child for child, (_, _, begun) in running.items() if _late(begun, longest))
            time.sleep(0.002)
            continue
        attempt, place, begun = running.pop(ended)
        left = _end([ended])
        yield (
            attempt,
            Outcome(
                code=os.waitstatus_to_exitcode(status),
                out=_said(place / "said" / "out"),
                err=_said(place / "said" / "err"),
                seconds=time.monotonic() - begun,
                peak=used.ru_maxrss / 1024,
                left=left,
            ),
        )
        _remove(place)


def _late(begun: float, longest: float) -> bool:
    return time.monotonic() - begun > longest


def _end(children: Iterable[int]) -> bool:
    """Kill what is left of the children's groups, and say whether there was any."""
    found = False
    for child in list(children):
        try:
            os.killpg(child, signal.SIGKILL)
            found = True
        except ProcessLookupError:
            continue
    return found


def _said(file: Path) -> str:
    return file.read_bytes()[:1_000_000].decode(errors="replace") if file.exists() else ""


def _remove(place: Path) -> None:
    for inside in (place / "here").iterdir():
        if inside.is_dir() and not inside.is_symlink():
            inside.chmod(0o700)
    shutil.rmtree(place)
