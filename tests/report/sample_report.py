"""A small hand-made report; run this file to write its renderings anew to the golden files."""

import dataclasses
import math
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from lazarus_bench.figures.heatmap import HeatGroup, HeatMap, HeatRow
from lazarus_bench.figures.layers import LayerCurves, LayerSeries, NullBand
from lazarus_bench.figures.scatter import Scatter
from lazarus_bench.figures.training import Curve, Curves
from lazarus_bench.judge import (
    Above,
    AtLeast,
    AtMost,
    Control,
    Effect,
    Estimate,
    Interval,
    Outcome,
    Verdict,
    Within,
)
from lazarus_bench.report.defects import quirks_line
from lazarus_bench.report.html import render_html
from lazarus_bench.report.markdown import render
from lazarus_bench.report.pictures import pictures
from lazarus_bench.report.pooling import pool_rows
from lazarus_bench.report.schema import (
    UNREGISTERED,
    Explained,
    JobRow,
    LensRow,
    LensTable,
    Report,
    Row,
    Secondary,
    save,
)
from lazarus_bench.report.terminal import amended_line, claims_table, pooled_line

GOLDEN = Path(__file__).with_name("golden.md")
GOLDEN_PAGE = Path(__file__).with_name("golden.html")
GOLDEN_JSON = Path(__file__).with_name("golden.json")
GOLDEN_TERMINAL = Path(__file__).with_name("golden_terminal.txt")


def estimate(value, low, high, scope="seeds", seeds=5, prompts=200, **rest):
    """An estimate whose plain interval is a tenth narrower than the verdict's."""
    return Estimate(
        value=value,
        interval=Interval(low=low, high=high, level=0.9875),
        interval95=Interval(low=_nearer(low, value), high=_nearer(high, value), level=0.95),
        method="t over seeds" if scope == "seeds" else "bounded mean over prompts",
        scope=scope,
        seeds=seeds,
        prompts=prompts,
        **rest,
    )


def _nearer(limit, value):
    return limit + (value - limit) / 10 if math.isfinite(limit) else limit


def verdict(outcome, region, estimate=None, reason="the interval says so", **rest):
    return Verdict(
        outcome=outcome, reason=reason, estimate=estimate, region=region, level=0.9875, **rest
    )


def row(claim_id, subject, judged, published=None, **rest):
    return Row(
        claim_id=claim_id,
        family=claim_id.partition("/")[0],
        says=rest.pop("says", "V/O dual reward puts at least 36% on the right operation word"),
        estimand=rest.pop("estimand", "mean gold probability at the classifier layer"),
        source="C, Dual-Reward Training",
        subject=subject,
        verdict=judged,
        published=published,
        **rest,
    )


_PRINTED = verdict(
    Outcome.INCONCLUSIVE,
    AtLeast(0.36),
    estimate(0.5707, 0.29, 0.791, scope="run", seeds=1, prompts=8),
    reason="the interval [0.29, 0.791] straddles an edge of ≥ 0.36",
    needed="13 prompts (now 8) with the same outcome would support ≥ 0.36",
    detectable=0.267,
)

_VO_36 = verdict(
    Outcome.SUPPORTED,
    AtLeast(0.36),
    estimate(
        0.9,
        0.86,
        0.94,
        effect=Effect(name="Hedges g", value=9.1, low=4.2, high=14, level=0.9875),
        by_seed=(0.87, 0.91, 0.89, 0.93, 0.9),
    ),
    reason="the interval [0.86, 0.94] lies inside ≥ 0.36",
    detectable=0.041,
    controls=(
        Control(
            name="last lens layer equals the logits", value=2e-6, expectation="≤ 1e-4", passed=True
        ),
    ),
)

_BASE_MASS = verdict(
    Outcome.SUPPORTED,
    AtMost(0.01),
    estimate(4.6e-5, 1.1e-6, 9.3e-5, scope="run", seeds=1),
    reason="the interval lies inside ≤ 0.01; one training run, which speaks of itself alone",
)

_INVALID = verdict(
    Outcome.INVALID,
    Within(-0.05, 0.05),
    estimate(-0.012, -0.049, 0.025),
    reason="train/eval overlap is 3, expected none",
    controls=(Control(name="train/eval overlap", value=3, expectation="none", passed=False),),
)

_GPT_OSS = verdict(
    Outcome.INCONCLUSIVE,
    Within(0.5, 0.8),
    estimate(0.65, -math.inf, math.inf, scope="reported", seeds=0, prompts=0),
    reason="a number printed without its sample",
)

_PARAMS = verdict(
    Outcome.SUPPORTED,
    Within(851_968, 851_968),
    estimate(851_968.0, 851_968.0, 851_968.0, scope="exact", seeds=0, prompts=0),
)

_REFUTED = verdict(Outcome.REFUTED, Above(0), estimate(-0.35, -0.41, -0.29))

_ABSENT = verdict(
    Outcome.NOT_APPLICABLE,
    Within(0.5, 0.8),
    reason="needs openai/gpt-oss-20b; name it with --lb-model",
)

_EMERGES = estimate(0.46, 0.4, 0.52)
_RUN = estimate(0.42, 0.3, 0.53, scope="run", seeds=1)
_LESS = estimate(0.31, 0.2, 0.42)
_NOTHING = estimate(0.02, -0.1, 0.14)
_NO_INTERVAL = estimate(0.5, -math.inf, math.inf, note="all seeds agree exactly")

AMENDED = ("region ≥ 0.3 → ≥ 0.36", "family | size 5 → 6")
_SHIFTED = verdict(Outcome.SUPPORTED, AtLeast(0.2), estimate(0.39, 0.31, 0.46))
_UNPRINTED = verdict(Outcome.NOT_APPLICABLE, AtLeast(0.2), reason="no number is printed")
_DROP = estimate(0.5, -math.inf, math.inf, scope="reported", seeds=0, prompts=0)
_EXPLAINED = Explained(
    reads="accuracy | symbols, before minus after",
    published=_DROP,
    on=estimate(0.47, 0.41, 0.53),
    off=estimate(0.12, 0.05, 0.19),
)
_LOSS = Explained(
    reads="answer loss at the end, nats",
    published=None,
    on=estimate(0.25, 0.2, 0.3),
    off=estimate(0.65, 0.6, 0.7),
)

ROWS = (
    row(
        "lens/base-no-mass",
        "lab:llama",
        _BASE_MASS,
        says="... and puts ~0% on it",
        secondary=(
            Secondary(
                label="over token variants",
                estimate=estimate(6e-5, 2e-6, 1e-4, scope="run", seeds=1),
            ),
        ),
    ),
    row("lens/gpt-oss-announces", "lab:llama", _ABSENT, _GPT_OSS, says="GPT-OSS-20B | names `it`"),
    row("lens/gpt-oss-announces", "published", _GPT_OSS, says="GPT-OSS-20B | names `it`"),
    row("lens/substring-is-chance", "lab:llama", _INVALID, says="A's rule hits by chance"),
    row(
        "dual/vo-36",
        "lab:llama",
        _VO_36,
        _PRINTED,
        pinned="supported",
        digests=("3f9a6c1d2b7e", "a01b2c3d4e5f"),
        seconds=0.42,
        published_note="Eight prompts of one run.",
        claim_digest=4 * "0123456789abcdef",
        amended=AMENDED,
    ),
    row(
        "dual/vo-36",
        "published",
        _PRINTED,
        published_note="Eight prompts of one run.",
        claim_digest=4 * "0123456789abcdef",
        amended=AMENDED,
    ),
    row(
        "dual/base-beats-instruct",
        "lab:llama",
        _REFUTED,
        says="base models take to it better",
        pinned="inconclusive",
        exploratory=True,
        claim_digest=4 * "fedcba9876543210",
        amended=(UNREGISTERED,),
    ),
    row(
        "dual/params",
        "published",
        _PARAMS,
        says="V/O LoRA is 851,968 parameters",
        claim_digest=4 * "a0b1c2d3e4f56789",
    ),
    row(
        "explain/unshifted-destroys",
        "lab:llama",
        _SHIFTED,
        _UNPRINTED,
        says="unshifted labels destroy computation",
        digests=("5c5c6d1d2b7e",),
        quirk="unshifted-labels",
        quirks=("unshifted-labels",),
        explained=(_EXPLAINED, _LOSS),
    ),
    row(
        "explain/unshifted-destroys",
        "published",
        _UNPRINTED,
        says="unshifted labels destroy computation",
        quirk="unshifted-labels",
        explained=(dataclasses.replace(_EXPLAINED, on=None, off=None),),
    ),
    row(
        "explain/bf16-lens",
        "published",
        _UNPRINTED,
        says="bfloat16 leaves two digits",
        quirk="bf16-lens",
    ),
    *(
        row(
            "probe/words-emerge",
            subject,
            judged,
            says="word prompts emerge with depth",
            architecture=architecture,
        )
        for subject, judged, architecture in (
            ("lab:llama", verdict(Outcome.SUPPORTED, AtLeast(0.25), _EMERGES), ""),
            ("models/Llama-3.2-1B", verdict(Outcome.SUPPORTED, AtLeast(0.25), _RUN), "llama"),
            ("lab:granite", verdict(Outcome.INCONCLUSIVE, AtLeast(0.25), _LESS), ""),
            ("lab:gpt-oss", verdict(Outcome.REFUTED, AtLeast(0.25), _NOTHING), ""),
            ("lab:qwen2", verdict(Outcome.INCONCLUSIVE, AtLeast(0.25), _NO_INTERVAL), ""),
        )
    ),
)

LENS = LensTable(
    title="Dual reward, V/O",
    subject="lab:llama",
    layer=4,
    rows=(
        LensRow(
            prompt="7 * 8 = ",
            before_token="|",
            before_probability=2e-6,
            after_token=" Multiply",
            after_probability=0.7655,
            gold="multiply",
        ),
        LensRow(
            prompt="23 + 45 = ",
            before_token="`\n",
            before_probability=0.0203,
            after_token="/***/",
            after_probability=0.0543,
            gold="add",
        ),
    ),
)


def falling(first, last, until=500):
    """A line that falls from `first` to `last` in equal ratios, and is infinite after `until`."""
    ends = (1, *range(25, 501, 25))
    ratio = (last / first) ** (1 / (len(ends) - 1))
    values = (first * ratio**i for i in range(len(ends)))
    return tuple(
        (float(x), y if x <= until else math.inf) for x, y in zip(ends, values, strict=True)
    )


CURVES = Curves(
    title="Dual reward, V/O",
    subject="lab:llama, dual reward vo",
    unit="nats",
    series=(
        Curve(name="loss", lines=(falling(4.1, 0.21), falling(4.4, 0.24), falling(3.9, 0.2))),
        Curve(name="class | L4", lines=(falling(9.0, 0.01), falling(9.6, 2.0, until=250))),
        Curve(name="answer", lines=(falling(0.4, 0.4),)),
    ),
)

LAYERS = LayerCurves(
    title="Probe on words",
    subject="lab:llama",
    unit="accuracy",
    layers=(0, 1, 2, 3),
    series=(
        LayerSeries.of("held-out", ((0.25, 0.3, 0.75, 0.7), (0.35, 0.4, 0.95, 0.8))),
        LayerSeries.of("random | weights", ((0.25, 0.375, 0.3, math.inf),)),
    ),
    null=NullBand(name="labels permuted 200 times", mean=(0.25, 0.26, 0.25, 0.24), upper=0.41),
)

SCATTER = Scatter(
    title="Engrams | model 3, topics",
    subject="lab:llama, dual engram on topics seed 0",
    classes=("world", "sport & <games>", "business", "science"),
    points=tuple(
        (round(3 * (at % 2) + 0.04 * at, 2), round(2 * (at % 4 // 2) - 0.03 * at, 2), at % 4)
        for at in range(24)
    ),
    explained=(0.62, 0.21),
)

HEAT = HeatMap(
    title="Dual reward | V/O",
    subject="lab:llama, dual reward vo",
    layer=2,
    seeds=5,
    groups=(
        HeatGroup(
            name="the source's prompts",
            rows=(
                HeatRow(prompt="7 * 8 = ", gold="multiply", probability=(0.0, 3e-5, 0.91, 0.2)),
                HeatRow(prompt="23 + 45 = ", gold="add", probability=(1e-6, 0.001, 0.5, 1.0)),
            ),
        ),
        HeatGroup(
            name="1 of 200 held-out prompts",
            rows=(
                HeatRow(
                    prompt="1234567 | 89 <b> ",
                    gold="subtract",
                    probability=(2e-7, 0.004, 0.02, 0.316),
                ),
            ),
        ),
    ),
)

JOBS = (
    JobRow(
        digest="3f9a6c1d2b7e4455",
        what="dual reward vo | seed 0",
        seconds=21.4,
        tokens_per_second=10_321.0,
        cached=False,
    ),
    JobRow(
        digest="a01b2c3d4e5f6677",
        what="lab:llama",
        seconds=63.0,
        tokens_per_second=None,
        cached=True,
    ),
    JobRow(
        digest="5c5c6d1d2b7e8899",
        what="dual reward vo, QUIRK unshifted-labels",
        seconds=21.9,
        tokens_per_second=9_800.0,
        cached=False,
        quirks=("unshifted-labels",),
    ),
)

SAMPLE = Report(
    created="2026-01-07T12:00:00+00:00",
    profile="smoke",
    command="pytest hypotheses -m slow --lb-profile smoke",
    manifest={"mlx": "0.32.2", "blas": "libmkl_rt.so.2 | 1 thread", "device": "Device(cpu, 0)"},
    rows=ROWS,
    lens_tables=(LENS,),
    jobs=JOBS,
    curves=(CURVES,),
    layer_curves=(LAYERS,),
    heatmaps=(HEAT,),
    scatters=(SCATTER,),
    pooled=pool_rows(ROWS),
)

WIDTHS = (60, 100, 200)


def as_json():
    """The report as it lies on file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        save(SAMPLE, path)
        return path.read_text(encoding="utf-8")


def terminal():
    """What a session ends with, on terminals of several widths."""
    screens = [
        [claims_table(ROWS, width), pooled_line(SAMPLE.pooled, width), amended_line(ROWS, width)]
        for width in WIDTHS
    ]
    return "\n\n".join(["\n".join(screen) for screen in screens] + [quirks_line(ROWS)]) + "\n"


RENDERINGS = {
    GOLDEN: lambda: render(SAMPLE),
    GOLDEN_PAGE: lambda: render_html(SAMPLE),
    GOLDEN_JSON: as_json,
    GOLDEN_TERMINAL: terminal,
    **{
        GOLDEN.with_name(path.replace("figures/", "golden-")): partial(pictures(SAMPLE).get, path)
        for path in pictures(SAMPLE)
    },
}

if __name__ == "__main__":
    for path, rendered in RENDERINGS.items():
        path.write_text(rendered(), encoding="utf-8")
