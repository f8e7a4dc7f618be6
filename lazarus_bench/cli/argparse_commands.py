"""Commands that argparse still parses; each goes when `cli/commands/` has it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from lazarus_bench.cli import application
from lazarus_bench.cli.file_commands import add_file_commands
from lazarus_bench.cli.help_format import EXAMPLES, Help
from lazarus_bench.cli.intervention_commands import add_intervention_commands
from lazarus_bench.cli.model_commands import add_model_commands
from lazarus_bench.cli.moe_expert.commands import add_moe_expert
from lazarus_bench.cli.running_commands import RUNNING, add_running_commands

READING = ("lens", "classifier", "analyze", "moe-expert", "ablate", "patch", "steer")
"""Commands that read a model, each a module with a `run`."""

MAKING = ("fuse", "generate", "data")
"""Commands that make something, likewise."""

_Commands = Callable[..., argparse.ArgumentParser]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lazarus-bench",
        description="Claims about neural networks as pre-registered hypotheses: trained, read "
        "and judged.",
        **_examples(
            "lazarus-bench doctor",
            "lazarus-bench run --published",
            "lazarus-bench lab build llama",
            "lazarus-bench lens lab:llama '7 * 8 = ' --all-layers --plot lens.svg",
            "lazarus-bench report reports/lab --output page.html",
            "lazarus-bench train dual-reward lab:llama --output adapters",
            "lazarus-bench diff reports/lab lazarus-report",
            "lazarus-bench claims show dual/vo-36",
            "lazarus-bench COMMAND --help",
        ),
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_running_commands(commands.add_parser, _examples)
    add_model_commands(commands.add_parser, _examples)
    add_moe_expert(commands.add_parser, _examples)
    add_intervention_commands(commands.add_parser, _examples)
    add_file_commands(commands.add_parser, _examples)
    return parser


def _examples(*lines: str, after: str = "") -> dict[str, Any]:
    """The end of a command's help."""
    text = "\n".join([EXAMPLES, *(f"  {line}" for line in lines)])
    return {
        "epilog": f"{text}\n\n{after}" if after else text,
        "formatter_class": Help,
    }


def helps() -> Mapping[str, str]:
    """The commands that are still parsed here, each with its one line of help."""
    found = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    told = {str(c.dest): str(c.help) for action in found for c in action._choices_actions}
    return {name: line for name, line in told.items() if name not in application.commands()}


def run(given: Sequence[str]) -> int:
    """Run one of them."""
    options = _parsed(given)
    if options.command in (*READING, *MAKING, *RUNNING):
        name = options.command.replace("-", "_")
        return int(import_module(f"lazarus_bench.cli.{name}").run(options))
    raise AssertionError(options.command)


def _parsed(given: Sequence[str]) -> argparse.Namespace:
    """The options; a refusal of what a command does not know says whose help to read."""
    parser = _parser()
    options, unknown = parser.parse_known_args(given, argparse.Namespace(arguments=given))
    if unknown:
        parts = ("command", "action", "recipe")
        path = [value for name in parts if (value := getattr(options, name, None)) is not None]
        parser.error(
            f"unrecognized arguments: {shlex.join(unknown)}; `{shlex.join([parser.prog, *path])} "
            f"--help` tells what there is"
        )
    return options
