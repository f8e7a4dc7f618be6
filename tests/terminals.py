"""A program in a controlling terminal of its own: Ctrl-C there is a signal, as at a desk."""

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

CTRL_C, CTRL_D, CTRL_U = "\x03", "\x04", "\x15"

# A shell's background job is deaf to Ctrl-C, and its children are too.
LAUNCH = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A program and what it has written so far."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        columns: int = 200,
    ) -> None:
        """Start it."""
        self._ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
        self.settings = termios.tcgetattr(self.theirs)
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", LAUNCH, *map(str, command)],
            cwd=folder,
            env=dict(environment),
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            start_new_session=True,
        )
        self.said = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self.theirs)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def read(self, seconds: float) -> str:
        """What is written next, waiting for it at most so long."""
        ready, _, _ = select.select([self._ours], [], [], seconds)
        new = ""
        if ready:
            with contextlib.suppress(OSError):
                new = os.read(self._ours, 1 << 16).decode(errors="replace")
        self.said += new
        return new

    def until(self, sign: str, seconds: float = 60, after: int = 0) -> str:
        """What was written from `after` on, once it holds `sign`."""
        end = time.monotonic() + seconds
        while sign not in self.said[after:]:
            assert time.monotonic() < end, f"no {sign!r} in {self.said[after:]!r}"
            assert self.process.poll() is None or self.read(0.2), self.said
            self.read(0.1)
        return self.said[after:]

    def end(self, seconds: float = 60) -> int:
        """The exit code, and all that was written in `said`."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"never ended: {self.said!r}"
            self.read(0.05)
        while self.read(0.1):
            pass
        return self.process.returncode

    def session(self) -> list[str]:
        """The other processes of the session, zombies left out."""
        told = subprocess.run(
            ["ps", "-A", "-o", "pid=,sess=,stat=,args="], capture_output=True, text=True
        ).stdout
        rows = (line.split(maxsplit=3) for line in told.splitlines())
        own = str(self.process.pid)
        return [
            row[3] for row in rows if row[1] == own and row[0] != own and not row[2].startswith("Z")
        ]

    def restored(self) -> bool:
        """Whether the terminal is set as it was before the program."""
        return termios.tcgetattr(self.theirs) == self.settings
