"""The command line: thin, and quick to show its help."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from lazarus_bench.cli import surroundings
from lazarus_bench.cli.benchmark_command import add_benchmark
from lazarus_bench.cli.file_commands import add_file_commands
from lazarus_bench.cli.help_format import EXAMPLES, Help
from lazarus_bench.cli.intervention_commands import add_intervention_commands
from lazarus_bench.cli.model_commands import add_model_commands
from lazarus_bench.cli.moe_expert.commands import add_moe_expert
from lazarus_bench.cli.running_commands import RUNNING, add_running_commands
from lazarus_bench.cli.store_commands import add_store
from lazarus_bench.cli.train_commands import add_train
from lazarus_bench.errors import UserError, say_interrupted

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C has ended: 128 + SIGINT."""

PIPE_CLOSED = 141
"""The exit code of a program that a closed pipe has ended: 128 + SIGPIPE."""

READING = ("lens", "classifier", "analyze", "moe-expert", "ablate", "patch", "steer")
"""Commands that read a model, each a module with a `run`."""

MAKING = ("train", "fuse", "generate", "data")
"""Commands that make something, likewise."""

_Commands = Callable[..., argparse.ArgumentParser]


class _Version(argparse.Action):
    """Looks the version up when asked: every start would wait for it otherwise."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from lazarus_bench.versions import versions

        print(versions()["lazarus-bench"])
        parser.exit()


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
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="show program's version number and exit"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _doctor_parser(commands.add_parser)
    add_running_commands(commands.add_parser, _examples)
    add_model_commands(commands.add_parser, _examples)
    add_moe_expert(commands.add_parser, _examples)
    add_intervention_commands(commands.add_parser, _examples)
    add_benchmark(commands.add_parser, _examples)
    add_train(commands.add_parser, _examples)
    add_file_commands(commands.add_parser, _examples)
    _render_parser(commands.add_parser)
    _diff_parser(commands.add_parser)
    claims = commands.add_parser("claims", help="list, show or export the registered claims")
    _claims_parser(claims.add_subparsers(dest="action", required=True, metavar="ACTION").add_parser)
    add_store(commands.add_parser, _examples)
    return parser


def _examples(*lines: str, after: str = "") -> dict[str, Any]:
    """The end of a command's help."""
    text = "\n".join([EXAMPLES, *(f"  {line}" for line in lines)])
    return {
        "epilog": f"{text}\n\n{after}" if after else text,
        "formatter_class": Help,
    }


def _doctor_parser(add: _Commands) -> None:
    doctor = add(
        "doctor",
        help="show the device, BLAS and speed found, and the remedies",
        **_examples(
            "lazarus-bench doctor",
            "lazarus-bench doctor --json",
            after="exit code:\n  0  all well\n  1  slow, with the remedy\n  2  what an environment "
            "variable asks for is not there",
        ),
    )
    doctor.add_argument("--json", action="store_true", help="print JSON for other programs")


def _render_parser(add: _Commands) -> None:
    render = add(
        "render",
        help="render a report.json as Markdown or HTML",
        **_examples(
            "lazarus-bench render reports/lab",
            "lazarus-bench render reports/lab --output page.html",
        ),
    )
    render.add_argument("report", help="a report.json or the folder of one")
    render.add_argument(
        "--output",
        help="file to write instead of standard output: .html makes a page, .md Markdown",
    )
    render.add_argument(
        "--json",
        action="store_true",
        help="print JSON for other programs: the form and the text, or where --output has left it",
    )


def _diff_parser(add: _Commands) -> None:
    diff = add(
        "diff",
        help="tell which verdicts moved between two reports, and why",
        description="Tell which verdicts moved between two reports: another outcome, or a claim or "
        "subject that only one of them has. Another estimate with the same outcome is counted, and "
        "has moved nothing.",
        **_examples(
            "lazarus-bench diff reports/lab lazarus-report",
            "lazarus-bench diff old/report.json new/report.json --all",
            "lazarus-bench diff old new --json --output moved.json",
            'lazarus-bench diff old new >> "$GITHUB_STEP_SUMMARY"',
            after="exit code:\n  0  nothing moved\n  1  a verdict moved\n  2  bad input",
        ),
    )
    diff.add_argument("old", metavar="OLD", help="a report.json or the folder of one")
    diff.add_argument("new", metavar="NEW", help="the one to compare with it")
    diff.add_argument("--all", action="store_true", help="list estimates that changed as well")
    diff.add_argument("--json", action="store_true", help="JSON in place of Markdown")
    diff.add_argument("--output", metavar="FILE", help="file in place of standard output")
    diff.add_argument(
        "--github",
        action="store_true",
        help="also print an annotation for each verdict that changed, to standard error; without "
        "asking where GITHUB_ACTIONS is true",
    )
    _hypotheses(diff, "where annotations find a claim's file and line")


def _hypotheses(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--hypotheses",
        metavar="DIR",
        help=f"{what} (default: ./hypotheses, else those that came installed)",
    )


def _claims_parser(add: _Commands) -> None:
    common = argparse.ArgumentParser(add_help=False)
    _hypotheses(common, "the folder of claim files")
    common.add_argument("--json", action="store_true", help="print JSON for other programs")
    family = argparse.ArgumentParser(add_help=False)
    family.add_argument("--family", metavar="NAME", help="the claims of this family alone")
    listing = add(
        "list",
        parents=[common, family],
        help="list the claims with their digests",
        **_examples(
            "lazarus-bench claims list --family dual",
            "lazarus-bench claims list --against hypotheses/registry.json",
            after="exit code:\n  0  listed\n  1  with --against, a claim is amended, new or gone\n"
            "  2  bad input",
        ),
    )
    listing.add_argument(
        "--against", metavar="REGISTRY.json", help="tell which are amended, new or gone since"
    )
    show = add(
        "show",
        parents=[common],
        help="tell all that decides one claim",
        **_examples("lazarus-bench claims show dual/vo-36"),
    )
    show.add_argument("claim", metavar="ID", help="the claim's id, such as dual/vo-36")
    export = add(
        "export",
        parents=[common, family],
        help="write the claims down as Markdown or JSON",
        **_examples(
            "lazarus-bench claims export --output hypotheses/   # puts the claims on record",
            "lazarus-bench claims export --json",
        ),
    )
    export.add_argument(
        "--output",
        metavar="PATH",
        help="in place of standard output: a folder gets registry.json and registry.md; a file "
        "whose name ends in .json gets JSON, any other Markdown",
    )


def _run(options: argparse.Namespace) -> int:
    # Each command imports its own needs: mlx takes a second, and the help must not wait for it.
    if options.command == "doctor":
        from lazarus_bench.cli import doctor

        return doctor.run(options)
    if options.command in (*READING, *MAKING, *RUNNING):
        name = options.command.replace("-", "_")
        return int(import_module(f"lazarus_bench.cli.{name}").run(options))
    if options.command == "benchmark":
        from lazarus_bench.cli import benchmark

        return benchmark.run(options)
    if options.command == "render":
        from lazarus_bench.cli.render import render_file

        return render_file(options.report, options.output, as_json=options.json)
    if options.command == "diff":
        from lazarus_bench.cli import diff

        return diff.run(options)
    if options.command == "claims":
        from lazarus_bench.cli import claims

        return claims.run(options)
    from lazarus_bench.cli import store

    return store.run(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake prints one sentence and gives exit code 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    surroundings.prepare()
    try:
        options = _parsed(given)
        surroundings.check(given)
        code = _run(options)
        sys.stdout.flush()
    except UserError as error:
        print(f"lazarus-bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say_interrupted()
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough.
        surroundings.let_go()
        return PIPE_CLOSED
    except RuntimeError as error:
        if not surroundings.is_homeless(error):
            raise
        print(f"lazarus-bench: {surroundings.homeless(given)}", file=sys.stderr)
        return 2
    except OSError as error:
        if not surroundings.is_full(error):
            raise
        surroundings.let_go()
        print(f"lazarus-bench: {surroundings.FULL}", file=sys.stderr)
        return 2
    return code


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
