"""A small hand-made report, `golden.json`; run this file to write its other renderings anew."""

import math
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from lazarus_bench.judge import Estimate, Interval, Verdict
from lazarus_bench.report.defects import quirks_line
from lazarus_bench.report.html import render_html
from lazarus_bench.report.markdown import render
from lazarus_bench.report.pictures import pictures
from lazarus_bench.report.schema import Row, load, save
from lazarus_bench.report.terminal import amended_line, claims_table, pooled_line

HERE = Path(__file__).parent
SAMPLE = load(HERE / "golden.json")
ROWS = SAMPLE.rows
(LENS,), (CURVES,), (LAYERS,) = SAMPLE.lens_tables, SAMPLE.curves, SAMPLE.layer_curves
(HEAT,), (SCATTER,) = SAMPLE.heatmaps, SAMPLE.scatters


def estimate(value, low, high, scope="seeds", seeds=5, prompts=200, **rest):
    """An estimate whose plain interval is a tenth narrower than the verdict's."""
    nearer = [end + (value - end) / 10 if math.isfinite(end) else end for end in (low, high)]
    return Estimate(
        value=value,
        interval=Interval(low=low, high=high, level=0.9875),
        interval95=Interval(low=nearer[0], high=nearer[1], level=0.95),
        method="t over seeds" if scope == "seeds" else "bounded mean over prompts",
        scope=scope,
        seeds=seeds,
        prompts=prompts,
        **rest,
    )


def verdict(outcome, region, estimate=None, reason="the interval says so", **rest):
    return Verdict(
        outcome=outcome, reason=reason, estimate=estimate, region=region, level=0.9875, **rest
    )


def row(claim_id, subject, judged, published=None, **rest):
    usual = {
        "family": claim_id.partition("/")[0],
        "says": "V/O dual reward puts at least 36% on the right operation word",
        "estimand": "mean gold probability at the classifier layer",
        "source": "C, Dual-Reward Training",
    }
    about = {"claim_id": claim_id, "subject": subject, "verdict": judged, "published": published}
    return Row(**(usual | about | rest))


def as_json():
    """The report as a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        save(SAMPLE, path)
        return path.read_text(encoding="utf-8")


def terminal():
    """The end of a session, on terminals of several widths."""
    screens = [
        [claims_table(ROWS, width), pooled_line(SAMPLE.pooled, width), amended_line(ROWS, width)]
        for width in (60, 100, 200)
    ]
    return "\n\n".join(["\n".join(screen) for screen in screens] + [quirks_line(ROWS)]) + "\n"


RENDERINGS = {
    "golden.md": lambda: render(SAMPLE),
    "golden.html": lambda: render_html(SAMPLE),
    "golden.json": as_json,
    "golden_terminal.txt": terminal,
    **{
        path.replace("figures/", "golden-"): partial(pictures(SAMPLE).get, path)
        for path in pictures(SAMPLE)
    },
}

if __name__ == "__main__":
    for name, rendered in RENDERINGS.items():
        (HERE / name).write_text(rendered(), encoding="utf-8")
