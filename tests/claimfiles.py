"""Run pytest on small claim files in a process of its own, several times when asked."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from lazarus_bench.report.schema import Report, load

HEADER = """
from lazarus_bench import (
    Above, AtLeast, AtMost, Control, Hits, Means, NotApplicable, Within, beside,
    claim, mean, trained
)
from lazarus_bench.claims.finding import Finding
from lazarus_bench.training import Sft

TINY = dict(steps=3, examples=32, batch=4, checkpoints=(0, 3), rank=2, validation=8)
SFT = Sft(**TINY)
sft = trained(SFT)
NARROW = ((0.50, 0.51, 0.52, 0.53) * 5,)
WIDE = ((0.0, 1.0, 0.1, 0.9),)


def pre(name, region, printed=None, **more):
    evidence = None if printed is None else Means(values=printed)
    found = Finding(claim=name, source="A, *Results*", evidence=evidence, note="not printed")

    def register(test):
        test.__doc__ = "A statement.\\n\\na number."
        return claim(name, region, finding=found, **more)(test)

    return register
"""

CONFTEST = """
import pytest
from lazarus_bench.tasks.arithmetic import held_out as draw

@pytest.fixture
def held_out(lb_prompts):
    return tuple(draw(lb_prompts, 0))
"""

# One process takes all cases, because importing scipy costs more than judging a claim. A claim file
# is imported once and stays registered, as in a session of its own.
DRIVER = """
import contextlib, io, json, sys
from pathlib import Path
import pytest

def main():
    folder = Path.cwd()
    for name, case in json.loads(sys.stdin.read()).items():
        if case["pins"] is not None:
            (folder / "pins.json").write_text(case["pins"])
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = pytest.main(case["args"])
        mlx = any(module.split(".")[0] == "mlx" for module in sys.modules)
        print(json.dumps([name, int(code), said.getvalue(), mlx]), flush=True)

if __name__ == "__main__":
    main()
"""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one run of pytest left."""

    code: int
    said: str
    mlx: bool
    folder: Path

    @property
    def report(self) -> Report:
        return load(self.folder / "report.json")

    def outcomes(self) -> dict[str, str]:
        """Each claim's outcome on the only subject asked."""
        return {row.claim_id: row.verdict.outcome.value for row in self.report.rows}

    @property
    def summary(self) -> str:
        """Pytest's last line."""
        return self.said.strip().splitlines()[-1]

    def error(self) -> str:
        """The one sentence of a refused run, which shows no trace and trained nothing."""
        errors = [line for line in self.said.splitlines() if line.startswith("ERROR: ")]
        assert len(errors) == 1, self.said
        assert self.code == 4
        assert "Traceback" not in self.said
        assert "INTERNALERROR" not in self.said
        assert "trainings to run" not in self.said
        return errors[0].removeprefix("ERROR: ")


def write(folder: Path, **files: str) -> Path:
    """Put claim files, each below the header, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "conftest.py").write_text(CONFTEST)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(HEADER + dedent(text))
    return folder


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without what an outer pytest or a user left in it."""
    ours = ("PYTEST", "LAZARUS_BENCH", "COV_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", **more}


def arguments(folder: Path, name: str, args: Sequence[str]) -> list[str]:
    """Pytest's arguments with a report and a store of the test's own."""
    own = ["-p", "no:cacheprovider"]
    own += [] if "--lb-scheduler" in args else ["--lb-workers", "1"]
    own += ["--lb-store", str(folder / "store"), "--lb-report", str(folder / "reports" / name)]
    return [*own, *map(str, args)]


def run(
    folder: Path,
    cases: Mapping[str, Sequence[str]],
    *,
    pins: Mapping[str, str] | None = None,
    **environment: str,
) -> dict[str, Ran]:
    """Run pytest in `folder` once for each case, with `pins` put there before a case."""
    orders = {
        name: {"args": arguments(folder, name, args), "pins": (pins or {}).get(name)}
        for name, args in cases.items()
    }
    (folder / "driver.py").write_text(DRIVER)
    done = subprocess.run(
        [sys.executable, "driver.py"],
        cwd=folder,
        input=json.dumps(orders),
        capture_output=True,
        text=True,
        timeout=300,
        env=clean_environment(**environment),
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == len(cases), done.stdout + done.stderr
    return {
        name: Ran(code=code, said=said, mlx=mlx, folder=folder / "reports" / name)
        for name, code, said, mlx in lines
    }
