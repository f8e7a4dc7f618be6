"""The command line: thin, and quick to show its help."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from lazarus_bench.errors import UserError
from lazarus_bench.versions import versions

PIPE_CLOSED = 141
"""The exit code of a program that a closed pipe has ended: 128 + SIGPIPE."""

_Commands = Callable[..., argparse.ArgumentParser]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lazarus-bench",
        description="Claims about neural networks as pre-registered hypotheses. The claims "
        "themselves run under pytest: `pytest hypotheses/ -m slow`.",
    )
    parser.add_argument("--version", action="version", version=versions()["lazarus-bench"])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("doctor", help="show the device, BLAS and speed found, and the remedies")
    render = commands.add_parser("render", help="render a report.json as Markdown or HTML")
    render.add_argument("report", help="path of a report.json")
    render.add_argument(
        "--output",
        help="file to write instead of standard output; .html makes a page",
    )
    store = commands.add_parser("store", help="list, show, verify or clean up trained artifacts")
    _store_parser(store.add_subparsers(dest="action", required=True, metavar="ACTION").add_parser)
    return parser


def _store_parser(add: _Commands) -> None:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--store", metavar="DIR", help="default: LAZARUS_BENCH_STORE, else the user's cache"
    )
    common.add_argument("--json", action="store_true", help="print JSON for other programs")
    add("ls", parents=[common], help="list what was trained, and what is under way")
    show = add("show", parents=[common], help="tell all about one artifact")
    show.add_argument("digest", metavar="DIGEST-PREFIX", help="the first digits of its digest")
    add("verify", parents=[common], help="compare every file with its checksum")
    gc = add("gc", parents=[common], help="remove what is damaged, abandoned or outdated")
    gc.add_argument(
        "--older-than", type=float, metavar="DAYS", help="also whole artifacts made before that"
    )
    gc.add_argument("--dry-run", action="store_true", help="only tell what would be removed")


def _run(options: argparse.Namespace) -> int:
    # Each command imports its own needs: mlx takes a second, and the help must not wait for it.
    if options.command == "doctor":
        from lazarus_bench.cli.doctor import doctor

        return doctor()
    if options.command == "render":
        from lazarus_bench.cli.render import render_file

        return render_file(options.report, options.output)
    from lazarus_bench.cli.store import run

    return run(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a user's mistake prints one sentence and gives exit code 2."""
    options = _parser().parse_args(arguments)
    try:
        code = _run(options)
        sys.stdout.flush()
    except UserError as error:
        print(f"lazarus-bench: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read has seen enough; what is still buffered must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return code
