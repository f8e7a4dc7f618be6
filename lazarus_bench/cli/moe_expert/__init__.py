"""`lazarus-bench moe-expert`: what a mixture's experts do, a module an action."""

from __future__ import annotations

import argparse
from importlib import import_module

from lazarus_bench.errors import NotApplicable, UserError


def run(options: argparse.Namespace) -> int:
    """Do what `options.action` says.

    Raises:
        UserError: a flag cannot be honoured, or the model cannot be read or has no experts.
    """
    whole = argparse.Namespace(**vars(options) | {"command": f"moe-expert {options.action}"})
    try:
        return int(import_module(f"lazarus_bench.cli.moe_expert.{options.action}").run(whole))
    except NotApplicable as error:
        raise UserError(str(error)) from error
