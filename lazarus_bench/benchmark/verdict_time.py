"""Time to the first verdict: from starting pytest to a judged claim, everything loaded anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lazarus_bench.benchmark.document import Reading
from lazarus_bench.errors import UserError
from lazarus_bench.judge.rounds import median

GROUP = "time to the first verdict"

CLAIM = "lens/base-no-mass"
"""A claim on models as they are, so that no training stands before its verdict."""


def seconds_to_verdict(hypotheses: Path, options: Sequence[str], folder: Path) -> float:
    """Seconds until pytest has judged the claim, from nothing but the store's artifacts.

    Raises:
        UserError: pytest judged nothing.
    """
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "pytest", str(hypotheses), "-q", "-p", "no:cacheprovider"),
        *("--lb-fail-on", "none", "--lb-report", str(folder), "--lb-fresh-measurements"),
        *("-k", CLAIM, *options),
    ]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    seconds = time.perf_counter() - start
    if done.returncode or not _judged(report):
        lines = (done.stdout + done.stderr).strip().splitlines()
        why = [line for line in lines if line.startswith(f"{CLAIM} on ")] or lines[-1:]
        raise UserError(f"pytest {hypotheses} -k {CLAIM} judged nothing: {' '.join(why)}")
    return seconds


def _judged(report: Path) -> bool:
    """Whether the claim has an estimate; pytest ends well without one, too."""
    try:
        rows = json.loads(report.read_text(encoding="utf-8"))["rows"]
    except FileNotFoundError:
        return False
    verdicts = [row["verdict"] for row in rows if row["claim_id"] == CLAIM]
    return any(verdict and verdict.get("estimate") for verdict in verdicts)


def measure_first_verdict(
    hypotheses: Path, model: str | None, folder: Path, rounds: int = 3
) -> tuple[list[Reading], dict[str, str]]:
    """Of the published numbers, and of `model` where one is named; and why one is left out."""
    ways = {"published numbers": ["-k", f"{CLAIM} and published"]}
    if model is not None:
        ways[model] = ["--lb-model", model, "-m", "slow", "--lb-seeds", "1", "--lb-offline"]
    found: list[Reading] = []
    skipped: dict[str, str] = {}
    for name, way in ways.items():
        try:
            seconds = [seconds_to_verdict(hypotheses, way, folder) for _ in range(rounds)]
        except UserError as error:
            skipped[f"{GROUP}, {name}"] = str(error)
        else:
            found.append(_reading(name, seconds))
    return found, skipped


def _reading(name: str, seconds: Sequence[float]) -> Reading:
    return Reading(
        group=GROUP,
        name=name,
        unit="s",
        found=median(seconds),
        rounds=len(seconds),
        bigger_is_better=False,
    )
