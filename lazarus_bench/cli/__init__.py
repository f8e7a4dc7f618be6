'''The command line: one file a command, imported when it is called.

A command is a module of `cli/commands/`; its name is the file's (`moe_expert.py` is `moe-expert`).
Its docstring is its help: the first line stands in the list of commands and is read from the file
without importing it. `Examples:` and `Exit codes:` end the help and are shown as they stand; a
command that states no codes has the usual ones. The signature of `run` gives the flags (cyclopts),
and what it returns is the exit code:

    """Continue prompts, by the most probable tokens or by chance.

    Prompts are read as they stand, without a chat template.

    Examples:
        lazarus-bench generate lab:llama '7 * 8 = |23 + 45 = '
    """

    def run(
        model: Model,                                # flags.py: what several commands share
        prompts: Prompts,
        /,                                           # positional: everything before the slash
        *,
        temperature: Annotated[float, Parameter(metavar="T", help="...")] = 0.0,
        output: Output = Output(),                   # a dataclass of flags: --json and --output
        line: Line,                                  # the line as typed, for a manifest
    ) -> int:
        from lazarus_bench.models.load import load   # slow imports go here: help needs none

A command with actions has `app = actions()` in place of `run`, and each action is a function under
`@app.command`, whose own docstring is its help. Where that would import too much, it has
`actions_of(loaded)`, which makes the app of the actions named in `loaded`.

A user's mistake is a `UserError`, which any function of this room may raise: one sentence with its
remedy on standard error, exit code 2.
'''  # noqa: D214 - the sections are the sample's

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lazarus_bench.errors import UserError, say, say_interrupted

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended: 128 + SIGINT."""

PIPE_CLOSED = 141
"""The exit code of a program that a closed pipe ended: 128 + SIGPIPE."""

_REFUSALS = {
    *(errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EROFS),
    *(errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENXIO, errno.EDQUOT, errno.ENOSPC),
}
"""What a file system says of a name or a place; other errors may be mistakes of ours."""

_SHOWN = 200
"""Characters of a file's name that a refusal shows."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one sentence and gives 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        # Helps and tables have signs that not every encoding knows.
        reconfigure(errors="backslashreplace")
    try:
        code = _run(given)
        sys.stdout.flush()
    except UserError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        say_interrupted()
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough.
        _drop_buffered_output()
        return PIPE_CLOSED
    except RuntimeError as error:
        if str(error).startswith("Symlink loop from "):  # before Python 3.13
            return _refuse(f"{str(error)[18:]} is a link that leads to itself: name another place")
        if str(error) != "Could not determine home directory.":
            raise
        return _refuse(f"{_homeless(given)}: there is no such user's folder: name it without ~")
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        return _refuse(_place_refused(error))
    except BaseException as error:
        # tokenizers' expressions have a limit of steps, and their library panics at it.
        if not str(error).startswith("Onig: "):
            raise
        return _refuse(f"the tokenizer cannot split this text ({error}): shorten it")
    return code


def _refuse(sentence: str) -> int:
    say(sentence)
    return 2


def _place_refused(error: OSError) -> str:
    # An error about another file than standard output names it.
    if error.filename is not None:
        why = os.strerror(error.errno or 0).lower()
        return f"{error.filename!s:.{_SHOWN}} cannot be used ({why}): name another place"
    if error.errno != errno.ENOSPC:
        raise error
    _drop_buffered_output()
    return "no space is left to write to: make some, or write elsewhere"


def _drop_buffered_output() -> None:
    """Keep Python from writing it at exit, where it would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _homeless(given: Sequence[str]) -> str:
    """The word that begins with ~ and a user whom this machine does not know."""
    for word in given:
        path = word.rpartition("=")[2]
        try:
            Path(path).expanduser()
        except RuntimeError:
            return path
    return "~"


def _run(given: Sequence[str]) -> int:
    if sys.stdout is None:
        raise UserError("standard output is closed: leave it open, or send it to a file")
    for word in given:
        # Python reads bytes that are no text as surrogates.
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise UserError(f"the argument {word!r} is not UTF-8: write it with that encoding")
    from lazarus_bench.cli import application

    return application.run(given)
