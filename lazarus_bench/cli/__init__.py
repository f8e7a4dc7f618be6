'''The command line: one file a command, imported when it is called.

A command is a module of `cli/commands/`; its name is the file's (`moe_expert.py` is `moe-expert`).
Its docstring is its help: the first line stands in the list of commands and is read from the file
without importing it. `Examples:` and `Exit codes:` end the help and are shown as they stand. The
signature of `run` gives the flags (cyclopts), and what it returns is the exit code:

    """Continue prompts, by the most probable tokens or by chance.

    Prompts are read as they stand, without a chat template.

Examples:
        lazarus-bench generate lab:llama '7 * 8 = |23 + 45 = '

    Exit codes:
        0  done
        2  bad input: one sentence says what to mend
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
        from lazarus_bench.models.load import load   # what is slow to import is imported here

A command with actions has `app = actions()` in place of `run`, and each action is a function under
`@app.command`, whose own docstring is its help.

A user's mistake is a `UserError`: one sentence with its remedy on standard error, exit code 2.
'''

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from lazarus_bench.cli import surroundings
from lazarus_bench.errors import UserError, say_interrupted

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended: 128 + SIGINT."""

PIPE_CLOSED = 141
"""The exit code of a program that a closed pipe ended: 128 + SIGPIPE."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake is one sentence and gives 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    surroundings.prepare()
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
        surroundings.let_go()
        return PIPE_CLOSED
    except RuntimeError as error:
        if not surroundings.is_homeless(error):
            raise
        return _refuse(surroundings.homeless(given))
    except OSError as error:
        if not surroundings.is_full(error):
            raise
        surroundings.let_go()
        return _refuse(surroundings.FULL)
    return code


def _refuse(sentence: str) -> int:
    print(f"lazarus-bench: {sentence}", file=sys.stderr)
    return 2


def _run(given: Sequence[str]) -> int:
    surroundings.check(given)
    from lazarus_bench.cli import application, argparse_commands

    others: Mapping[str, str] = {}
    if not given or given[0] not in application.commands():
        others = argparse_commands.helps()
        if given and given[0] in others:
            return argparse_commands.run(given)
    return application.run(given, others=others)
