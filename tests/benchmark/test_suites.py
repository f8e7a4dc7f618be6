"""The suites refuse what they could not judge or write, before they measure anything."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--lb-rounds", "1"], "--lb-rounds 1 is too few"),
        (["--lb-findings", "/dev/null/x.json"], "cannot write the document to /dev/null/x.json"),
    ],
)
def test_a_mistake_is_told_at_once(options, sentence):
    command = [sys.executable, "-m", "pytest", "benchmarks", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert sentence in done.stderr
