"""Print a script that completes commands in your shell.

It completes commands, options, files, claims, experiments and lab models.

Examples:
    eval "$(lazarus-bench completion bash)"    # now; in ~/.bashrc for good
    lazarus-bench completion zsh > ~/.zfunc/_lazarus-bench
    lazarus-bench completion fish > ~/.config/fish/completions/lazarus-bench.fish
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from lazarus_bench.cli.application import Everything, application
from lazarus_bench.cli.flags import Json


def run(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(metavar="SHELL", help="your shell")],
    /,
    *,
    as_json: Json = False,
) -> int:
    """Print the script for `shell`."""
    script = application(Everything()).generate_completion(shell=shell).rstrip()
    if as_json:
        document = {"schema": 1, "kind": "completion", "shell": shell, "script": script}
        script = json.dumps(document, indent=1)
    # Not by `terminal`, whose imports are slow: a shell may ask for this whenever it starts.
    sys.stdout.write(f"{script}\n")
    return 0
