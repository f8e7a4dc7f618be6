"""Flags and help of `lazarus-bench store`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from lazarus_bench.cli.flags import Commands


def add_store(add: Commands, examples: Callable[..., dict[str, Any]]) -> None:
    """Add the parsers; `examples` makes the end of a command's help."""
    store = add("store", help="list, show, verify or clean up trained artifacts")
    add = store.add_subparsers(dest="action", required=True, metavar="ACTION").add_parser
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--store", metavar="DIR", help="default: LAZARUS_BENCH_STORE, else the user's cache"
    )
    common.add_argument("--json", action="store_true", help="print JSON for other programs")
    add(
        "ls",
        parents=[common],
        help="list what was trained, and what is under way",
        **examples("lazarus-bench store ls", "lazarus-bench store ls --store DIR --json"),
    )
    show = add(
        "show",
        parents=[common],
        help="tell all about one artifact",
        **examples("lazarus-bench store show 3f2a   # `store ls` lists the digests"),
    )
    show.add_argument("digest", metavar="DIGEST-PREFIX", help="the first digits of its digest")
    add(
        "verify",
        parents=[common],
        help="compare every file with its checksum",
        **examples(
            "lazarus-bench store verify",
            after="exit code:\n  0  all whole\n  1  something is damaged\n  2  bad input",
        ),
    )
    gc = add(
        "gc",
        parents=[common],
        help="remove what is damaged, abandoned or outdated",
        **examples(
            "lazarus-bench store gc --dry-run", "lazarus-bench store gc --older-than 30 --dry-run"
        ),
    )
    gc.add_argument(
        "--older-than", type=float, metavar="DAYS", help="also whole artifacts made before that"
    )
    gc.add_argument("--dry-run", action="store_true", help="only tell what would be removed")
