"""A sample of hostile command lines and damaged files; `attack.py` tries thousands."""

import subprocess
import sys
from pathlib import Path

from claimfiles import clean_environment

PROGRAM = Path(__file__).with_name("attack.py")


def test_nothing_hostile_ends_in_a_trace_a_hang_or_a_wrong_exit_code():
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--light", "--lines", "60", "--files", "60", "--seed", "1"],
        capture_output=True,
        text=True,
        timeout=300,
        env=clean_environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "120 tried, 0 wrong" in done.stdout
