"""Time to the first verdict: from starting pytest to a judged claim, everything loaded anew."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from lazarus_bench.benchmark.document import LeftOut, Reading
from lazarus_bench.errors import UserError

GROUP = "time to the first verdict"

CLAIM = "lens/base-no-mass"
"""A claim on models as they are, so that its verdict needs no training."""


def seconds_to_verdict(hypotheses: Path, options: Sequence[str], folder: Path) -> float:
    """Seconds until pytest has judged the claim from the store's artifacts; else a UserError."""
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "pytest", str(hypotheses), "-q", "-p", "no:cacheprovider"),
        *("--lb-fail-on", "none", "--lb-report", str(folder), "--lb-fresh-measurements"),
        *("-k", CLAIM, *options),
    ]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    # pytest ends well without an estimate, too.
    rows = json.loads(report.read_text(encoding="utf-8"))["rows"] if report.exists() else []
    verdicts = [row["verdict"] for row in rows if row["claim_id"] == CLAIM]
    judged = any(verdict and verdict.get("estimate") for verdict in verdicts)
    if done.returncode or not judged:
        lines = (done.stdout + done.stderr).strip().splitlines()
        why = [line for line in lines if line.startswith(f"{CLAIM} on ")] or lines[-1:]
        raise UserError(f"pytest {hypotheses} -k {CLAIM} judged nothing: {' '.join(why)}")
    return seconds


def measure_first_verdict(
    hypotheses: Path, model: str | None, folder: Path, rounds: int
) -> Iterator[Reading | LeftOut]:
    """Readings on the published numbers and on `model`, if given; or why one is left out."""
    ways = {"published numbers": ["-k", f"{CLAIM} and published"]}
    if model is not None:
        ways[model] = ["--lb-model", model, "-m", "slow", "--lb-seeds", "1", "--lb-offline"]
    for name, way in ways.items():
        try:
            seconds = [seconds_to_verdict(hypotheses, way, folder) for _ in range(rounds)]
        except UserError as error:
            yield LeftOut(name=f"{GROUP}, {name}", why=str(error))
        else:
            yield Reading.of(GROUP, name, "s", seconds, more=False)
