"""Two reports compared: the verdicts that moved, from which estimate to which, and why."""

from lazarus_bench.report.diff.compare import Comparison, Pair, compare
from lazarus_bench.report.diff.github import annotation
from lazarus_bench.report.diff.markdown import render_diff
from lazarus_bench.report.diff.plain import to_dict
from lazarus_bench.report.diff.reasons import Reason

__all__ = ["Comparison", "Pair", "Reason", "annotation", "compare", "render_diff", "to_dict"]
