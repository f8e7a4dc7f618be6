"""`lazarus-bench completion`: a script that completes commands in a shell."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator

import shtab

from lazarus_bench.claims.folder import installed
from lazarus_bench.cli import completion_tcsh
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.subjects import BLANK, LAB
from lazarus_bench.published.experiments import EXPERIMENTS

FILES = ("FILE", "PATH", "REPORT", "REGISTRY", "OLD", "NEW")
FOLDERS = ("DIR",)
"""How metavars of files and of folders begin."""

REGISTRY = "registry.json"
"""Read as it is, since the record's own reader loads much for a list of names."""


def run(options: argparse.Namespace) -> int:
    """Print the script for `options.shell`, or with --words what tcsh asks for.

    Raises:
        UserError: --words of another shell, or with --json.
    """
    if options.words:
        return _tell_words(options)
    script = completion_tcsh.SCRIPT
    if options.shell != "tcsh":
        script = shtab.complete(_parser(), shell=options.shell)
    if options.json:
        document = {"schema": 1, "kind": "completion", "shell": options.shell, "script": script}
        script = json.dumps(document, indent=1)
    # Not by `terminal`, which loads much: a shell may ask for this whenever it starts.
    sys.stdout.write(f"{script.rstrip()}\n")
    return 0


def _tell_words(options: argparse.Namespace) -> int:
    if options.shell != "tcsh" or options.json:
        raise UserError("--words is what tcsh asks at a TAB: name that shell, without --json")
    line = os.environ.get(completion_tcsh.LINE, "")
    sys.stdout.write("".join(f"{word}\n" for word in completion_tcsh.offered(_parser(), line)))
    return 0


def _parser() -> argparse.ArgumentParser:
    """The command line's parser, told what its files, folders and names are."""
    from lazarus_bench.cli.argparse_commands import _parser as command_line

    whole = command_line()
    for action in _actions(whole):
        _complete(action)
    return whole


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of a parser and of the commands below it, which get their short help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            # zsh shows what stands beside a command in one line.
            for told in action._choices_actions:
                action.choices[told.dest].description = told.help
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action


def _complete(action: argparse.Action) -> None:
    """Name what an argument can be: one of some words, a file or a folder."""
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    words = _words(action.dest, metavar)
    if words and action.choices is None:
        action.choices = words
    elif metavar.startswith(FOLDERS):
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    elif metavar.startswith(FILES):
        action.complete = shtab.FILE  # type: ignore[attr-defined]


def _words(dest: str, metavar: str) -> list[str]:
    if dest in ("claims", "family") or (dest, metavar) == ("claim", "ID"):
        return _claims(dest)
    if (dest, metavar) == ("name", "NAME"):
        return [experiment.name for experiment in EXPERIMENTS]
    if metavar == "MODEL":
        return [*LAB, BLANK]
    return [name.removeprefix("lab:") for name in LAB] if dest == "names" else []


def _claims(dest: str) -> list[str]:
    """Ids, families or both of the claims that came installed, whichever `dest` takes."""
    folder = installed()
    if folder is None or not (folder / REGISTRY).exists():
        return []
    content = json.loads((folder / REGISTRY).read_text(encoding="utf-8"))
    # Brackets are patterns to a shell; `run` takes what stands before them.
    ids = list(dict.fromkeys(claim["id"].partition("[")[0] for claim in content["claims"]))
    families = list(dict.fromkeys(name.partition("/")[0] for name in ids))
    return {"claim": ids, "family": families}.get(dest, [*families, *ids])
