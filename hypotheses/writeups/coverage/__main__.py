"""Print the page, `reports/coverage.md`."""

import sys

from . import WRITEUPS, coverage, render

sys.stdout.write(render([coverage(name) for name in WRITEUPS]))
