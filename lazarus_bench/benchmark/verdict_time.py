"""Time to the first verdict: from starting pytest to a judged claim, everything loaded anew."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

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
    command = [
        *(sys.executable, "-m", "pytest", str(hypotheses), "-q", "-p", "no:cacheprovider"),
        *("--lb-fail-on", "none", "--lb-report", str(folder), "--lb-fresh-readings"),
        *("-k", CLAIM, *options),
    ]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    seconds = time.perf_counter() - start
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise UserError(f"pytest {hypotheses} -k {CLAIM} judged nothing: {' '.join(last)}")
    return seconds


def measure_first_verdict(
    hypotheses: Path, model: str | None, folder: Path, rounds: int = 3
) -> list[Reading]:
    """Of the published numbers, and of `model` where one is named."""
    ways = {"published numbers": ["-k", f"{CLAIM} and published"]}
    if model is not None:
        ways[model] = ["--lb-model", model, "-m", "slow", "--lb-seeds", "1", "--lb-offline"]
    found = {
        name: np.array([seconds_to_verdict(hypotheses, way, folder) for _ in range(rounds)])
        for name, way in ways.items()
    }
    return [
        Reading(
            group=GROUP,
            name=name,
            unit="s",
            found=median(seconds),
            rounds=rounds,
            bigger_is_better=False,
        )
        for name, seconds in found.items()
    ]
