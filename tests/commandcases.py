"""Run `lazarus-bench` several times in one process of its own, in a folder of claim files."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from claimfiles import clean_environment

# One process takes all cases, because importing scipy costs more than a command does.
DRIVER = """
import contextlib, io, json, sys
from lazarus_bench import cli

def main():
    for name, arguments in json.loads(sys.stdin.read()).items():
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.main(arguments)
            except SystemExit as stopped:
                code = stopped.code
        mlx = any(module.split(".")[0] == "mlx" for module in sys.modules)
        print("CASE" + json.dumps([name, code, out.getvalue(), err.getvalue(), mlx]), flush=True)

if __name__ == "__main__":
    main()
"""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one command left."""

    code: int
    out: str
    err: str
    mlx: bool

    @property
    def json(self):
        return json.loads(self.out)

    def refusal(self) -> str:
        """The one sentence of a refused command."""
        assert (self.code, self.out) == (2, ""), self
        assert self.err.startswith("lazarus-bench: ")
        assert len(self.err.splitlines()) == 1, self.err
        return self.err.removeprefix("lazarus-bench: ").strip()


def commands(
    folder: Path, cases: Mapping[str, Sequence[str]], **environment: str
) -> dict[str, Said]:
    """Run each case in `folder`, with a store of its own there."""
    own = {"LAZARUS_BENCH_STORE": str(folder / "store"), **environment}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=folder,
        input=json.dumps({name: [str(word) for word in words] for name, words in cases.items()}),
        capture_output=True,
        text=True,
        timeout=300,
        env=clean_environment(**own),
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("CASE")]
    assert len(lines) == len(cases), done.stdout + done.stderr
    found = [json.loads(line.removeprefix("CASE")) for line in lines]
    return {name: Said(code=code, out=out, err=err, mlx=mlx) for name, code, out, err, mlx in found}
