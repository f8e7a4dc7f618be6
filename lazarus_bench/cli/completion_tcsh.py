"""Completion in tcsh, whose own rules know no subcommands: it asks for the words at each TAB.

tcsh runs what stands in backticks with the line in `COMMAND_LINE`, and takes its words that begin
as the last one does (tcsh(1), `complete`).
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable
from pathlib import Path

import shtab

LINE = "COMMAND_LINE"

SCRIPT = """# Completion of lazarus-bench in tcsh: source this file in ~/.tcshrc.
complete lazarus-bench 'p@*@`lazarus-bench completion tcsh --words`@'
"""


def offered(parser: argparse.ArgumentParser, line: str) -> list[str]:
    """The words that can stand at the end of `line`, of which the last may be begun."""
    try:
        words = shlex.split(line)
    except ValueError:
        # A prompt whose quotes are open.
        return []
    begun = "" if not words or line[-1].isspace() else words.pop()
    place = _Place(parser)
    for word in words[1:]:
        place.pass_by(word)
    return [word for word in place.words(begun) if word.startswith(begun)]


class _Place:
    """Where in the command line the next word stands."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._begin(parser)

    def _begin(self, parser: argparse.ArgumentParser) -> None:
        self._parser = parser
        self._flag: argparse.Action | None = None
        self._left = [action for action in parser._actions if not action.option_strings]

    def pass_by(self, word: str) -> None:
        if word.startswith("-"):
            flag = self._parser._option_string_actions.get(word)
            self._flag = None if flag is None or flag.nargs == 0 else flag
        elif self._flag is not None:
            self._flag = self._flag if self._flag.nargs in ("+", "*") else None
        elif self._left and isinstance(self._left[0], argparse._SubParsersAction):
            self._begin(self._left[0].choices.get(word, argparse.ArgumentParser(add_help=False)))
        elif self._left and self._left[0].nargs not in ("+", "*"):
            self._left = self._left[1:]

    def words(self, begun: str) -> Iterable[str]:
        if begun.startswith("-"):
            return sorted(self._parser._option_string_actions)
        action = self._flag or next(iter(self._left), None)
        if action is None:
            return []
        complete = getattr(action, "complete", None)
        return map(str, action.choices or ()) if complete is None else _paths(begun, complete)


def _paths(begun: str, kind: object) -> list[str]:
    """Folders, and files unless `kind` is of folders, that `begun` can go on to.

    Names with blanks are left out: tcsh would take them for several words.
    """
    folder = begun[: begun.rfind("/") + 1]
    try:
        found = sorted(Path(folder or ".").expanduser().iterdir())
    except OSError:
        return []
    names = [
        f"{folder}{path.name}{'/' if path.is_dir() else ''}"
        for path in found
        if path.is_dir() or kind is not shtab.DIRECTORY
    ]
    return [name for name in names if len(name.split()) == 1]
