"""Two reports compared: the verdicts that moved, from which estimate to which, and why."""

from lazarus_bench.report.diff.compare import Comparison, Pair, Reason, compare
from lazarus_bench.report.diff.renderings import annotation, render_diff, to_dict

__all__ = ["Comparison", "Pair", "Reason", "annotation", "compare", "render_diff", "to_dict"]
