"""What goes on in a long command, on standard error: lines that stay, and one that is replaced."""

from __future__ import annotations

import shutil
import sys
import time

from lazarus_bench.report.printed import cut

QUIET_SECONDS = 60.0
"""Without a terminal, how long nothing is said about what is going on."""


class StatusLine:
    """Lines of progress; off a terminal the replaced one becomes a line a minute."""

    def __init__(self) -> None:
        """Begin with nothing shown."""
        self._shown = 0
        self._said = time.monotonic()

    def say(self, line: str) -> None:
        """Write a line that stays."""
        self.clear()
        print(line, file=sys.stderr, flush=True)

    def live(self, line: str) -> None:
        """Show what is going on now, in place of what was."""
        if not sys.stderr.isatty():
            self._seldom(line)
            return
        shown = cut(line, shutil.get_terminal_size().columns - 1)
        sys.stderr.write(f"\r{shown.ljust(self._shown)}")
        sys.stderr.flush()
        self._shown = len(shown)

    def _seldom(self, line: str) -> None:
        if time.monotonic() - self._said >= QUIET_SECONDS:
            self._said = time.monotonic()
            self.say(line)

    def clear(self) -> None:
        """Take the replaced line off the terminal."""
        if self._shown:
            sys.stderr.write("\r" + " " * self._shown + "\r")
            sys.stderr.flush()
            self._shown = 0
