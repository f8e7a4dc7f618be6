"""The commands as one cyclopts application: found by file name, explained, and refused."""

from __future__ import annotations

import inspect
import re
import shlex
import sys
import textwrap
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from cyclopts import App, Group, Parameter
from cyclopts.exceptions import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)

from lazarus_bench import reading
from lazarus_bench.cli.flags import NO_OPTION, CommandLine
from lazarus_bench.errors import UserError

NAME = "lazarus-bench"

ABOUT = """Train and inspect neural networks, and judge pre-registered claims about them.

A page that a help names, such as docs/train.md, is in the installed folder lazarus_bench too.

Examples:
    lazarus-bench doctor
    lazarus-bench run --published
    lazarus-bench lab build llama
    lazarus-bench lens lab:llama '7 * 8 = ' --all-layers --plot lens.svg
    lazarus-bench report reports/lab --output page.html
    lazarus-bench train dual-reward lab:llama --output adapters
    lazarus-bench diff reports/lab lazarus-report
    lazarus-bench claims show dual/vo-36
    lazarus-bench COMMAND --help
"""

FOLDER = Path(__file__).parent / "commands"

_SECTION = re.compile(r"^(Examples|Exit codes|Args|Raises|Returns):\n((?:(?: +.*)?\n)*)", re.M)
"""A section of a Google docstring: its title, and the indented lines below it."""

_GROUPS: Mapping[str, Any] = {
    "group_arguments": Group("Arguments", sort_key=0),
    "group_parameters": Group("Options", sort_key=1),
}

_SHOWN = ("Examples", "Exit codes")

_USUAL_CODES = """Exit codes:
    0  done
    2  bad input: one sentence says what to fix
    130, 141  interrupted, or the pipe was closed
"""


def actions() -> App:
    """The `app` of a command that has actions; each is a function under `@app.command`."""
    return App(version_flags=(), **_GROUPS)


def commands() -> dict[str, Path]:
    """The commands' files by their names, sorted."""
    found = (path for path in FOLDER.iterdir() if not path.name.startswith(("_", ".")))
    files = (path / "__init__.py" if path.is_dir() else path for path in sorted(found))
    return {_name(path): path for path in files if path.exists()}


def _name(file: Path) -> str:
    stem = file.parent.name if file.stem == "__init__" else file.stem
    return stem.replace("_", "-")


class Everything(Container[str]):
    """All names there are."""

    def __contains__(self, _: object) -> bool:
        """Whatever it is."""
        return True


def application(loaded: Container[str]) -> App:
    """All commands; those in `loaded` are imported, the others know only their first line."""
    app = App(
        name=NAME,
        help=ABOUT,
        version=_version,
        help_format="plaintext",
        default_parameter=Parameter(negative=(), show_default=False, allow_repeating=True),
        **_GROUPS,
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )
    for name, file in commands().items():
        if name in loaded:
            app.command(_load(name, loaded), name=name)
        else:
            app.command(App(name=name, help=_first_line(file)))
    return app


def _load(name: str, loaded: Container[str]) -> App:
    module = import_module(f"{__package__}.commands.{name.replace('-', '_')}")
    if hasattr(module, "actions_of"):
        app: App = module.actions_of(loaded)
    else:
        app = getattr(module, "app", None) or App(default_command=module.run, version_flags=())
    app.help = module.__doc__
    return app


def _first_line(file: Path) -> str:
    with file.open(encoding="utf-8") as lines:
        return next(lines).strip().removeprefix("r").strip('"')


def _version() -> str:
    from lazarus_bench.versions import versions

    return versions()[NAME]


def _brackets(word: str) -> int:
    return word.count("[") + word.count("{")


def run(given: Sequence[str]) -> int:
    """Run the command that `given` names and return its exit code."""
    if not given:
        raise UserError(f"no COMMAND was given: `{NAME} --help` lists them")
    # A shell at a TAB says `__complete COMMAND ...`.
    app = application(given[:3])
    try:
        command, bound, ignored = app.parse_args(given)
    except (CycloptsError, RecursionError) as error:
        deep = max(given, key=_brackets)  # a list may be typed as JSON
        if isinstance(error, RecursionError) or _brackets(deep) > reading.DEEPEST:
            raise UserError(f"{deep:.60} is nested too deeply: write the values out") from error
        raise UserError(_refusal(error, app, given)) from error
    if command == app.help_print:
        if "--help" in given or "-h" in given:
            _print_help(app, bound.arguments["tokens"])
            return 0
        path, apps, _ = app.parse_commands(given)
        choice = ", ".join(name for name in apps[-1] if not name.startswith("-"))
        raise UserError(f"`{_line(path)}` needs an ACTION: {choice}; {_see(path)}")
    if command == app.version_print:
        print(_version())
        return 0
    line = CommandLine(command=given[0], words=tuple(given))
    handed = {name: line for name, hint in ignored.items() if hint is CommandLine}
    return int(command(*bound.args, **bound.kwargs, **handed) or 0)


def _print_help(app: App, tokens: Sequence[str]) -> None:
    """A command's help; examples and exit codes stay as they were written, however wide."""
    _, apps, _ = app.parse_commands(tokens)
    told = apps[-1]
    whole = f"{inspect.cleandoc(told.help)}\n"
    if "Exit codes:" not in whole and told.default_command is not None:
        whole = f"{whole}\n{_USUAL_CODES}"
    kept = told.help
    # A terminal folds paragraphs at its own width.
    told.help = re.sub(r"(?<=\S)\n(?=\S)", " ", _SECTION.sub("", whole))
    try:
        app.help_print(tokens)
    finally:
        told.help = kept
    for title, lines in _SECTION.findall(whole):
        if title in _SHOWN:
            text = textwrap.indent(textwrap.dedent(lines).strip("\n"), "  ")
            sys.stdout.write(f"\n{title}:\n{text}\n")


def _line(path: Sequence[str]) -> str:
    return shlex.join([NAME, *path])


def _see(path: Sequence[str]) -> str:
    return f"`{_line(path)} --help` shows the usage"


def _refusal(error: CycloptsError, app: App, given: Sequence[str]) -> str:
    """What cyclopts refuses, as one sentence that ends in its remedy."""
    path, apps, _ = app.parse_commands(given)
    told = _WORDINGS.get(type(error), _as_it_is)(error)
    if isinstance(error, UnknownCommandError):
        names = [name for name in apps[-1] if not name.startswith("-")]
        return f"{told}{_nearest(str((error.unused_tokens or [''])[0]), names)}; {_see(path)}"
    if isinstance(error, ValidationError) and told.startswith(NO_OPTION):  # among prompts
        word = told.removeprefix(NO_OPTION).strip()
        told += _likeness(word, apps[-1].assemble_argument_collection())
    return f"{told}; {_see(path)}"


def _nearest(word: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(word, names, n=1, cutoff=0.7)
    return f" (did you mean {found[0]}?)" if found else ""


def _unknown_option(error: Any) -> str:
    word = error.token.keyword or error.token.value
    if " " in word:
        return f"{word!r} begins like an option: put -- before texts that begin with -"
    return f"{NO_OPTION} {word}{_likeness(word, error.argument_collection)}"


def _likeness(word: str, arguments: Iterable[Any]) -> str:
    """What an unknown option is called here, or what it may have been meant for."""
    arguments = [*arguments]
    shown = [
        name
        for argument in arguments
        for name in (() if argument.parameter.show is False else _names(argument))
    ]
    names = [name for argument in arguments for name in argument.names]
    option = word.partition("=")[0]
    return _by_habit(option, shown) or _nearest(option, names)


def _names(argument: Any) -> tuple[str, ...]:
    """What the help calls an argument."""
    stands = argument.field_info.is_positional_only
    return (str(argument.parameter.metavar),) if stands else argument.names


_HABITS: Mapping[str, Sequence[str]] = {
    "--iters": ("steps", "epochs"),
    "--max-steps": ("steps", "epochs"),
    "--steps": ("steps", "epochs"),
    "--lr": ("learning-rate",),
    "--batch-size": ("batch", "prompts"),
    "--adapter-path": ("adapter", "output"),
    "--save-path": ("output",),
    "--seed": ("seeds",),
    "--temp": ("temperature",),
    "--model": ("MODEL", "NAME"),
    "--prompt": ("PROMPT", "CLEAN", "classes"),
}
"""Flags of other programs, with the ends of ours for the same, the likest first."""


def _by_habit(option: str, names: Sequence[str]) -> str:
    """What another program's flag is called here; "" where there is nothing of the kind."""
    for ours in _HABITS.get(option, ()):
        if found := [name for name in names if name == ours or name.endswith(f"-{ours}")]:
            stands = "" if found[0].startswith("-") else " stands without a flag"
            return f": it is {' or '.join(found)} here" if not stands else f": {found[0]}{stands}"
    return ""


def _missing(error: Any) -> str:
    name = error.keyword or _named(error)
    return f"{name} needs a value" if error.argument.tokens or error.keyword else f"give {name}"


def _coercion(error: Any) -> str:
    value = error.token.value if error.token is not None else ""
    choices = error.argument.get_choices() if error.argument is not None else None
    if choices:
        return f"{_named(error)} {value!r} is unknown: choose {', '.join(choices)}"
    if error.msg is not None:
        return f"{_named(error)} {value!r} {error.msg}"
    return f"{_named(error)} {value!r} is not {_KINDS.get(error.target_type, 'understood')}"


def _named(error: Any) -> str:
    """An argument as the help shows it."""
    if error.argument is None:
        return "an argument"
    if error.argument.field_info.is_positional_only:
        return str(error.argument.parameter.metavar or error.argument.name)
    return str(error.argument.name)


def _unused(error: Any) -> str:
    return f"nothing here takes {shlex.join(error.unused_tokens)}"


def _as_it_is(error: CycloptsError) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text[:1].lower() + text[1:]


_KINDS = {int: "a whole number", float: "a number"}

_WORDINGS: Mapping[type[CycloptsError], Callable[[Any], str]] = {
    UnknownOptionError: _unknown_option,
    UnknownCommandError: lambda error: f"there is no command {error.unused_tokens[0]}",
    MissingArgumentError: _missing,
    CoercionError: _coercion,
    UnusedCliTokensError: _unused,
    ValidationError: lambda error: error.exception_message,
}
