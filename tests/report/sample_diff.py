"""Two hand-made reports and their comparison; run this file to write the goldens anew."""

import json
from dataclasses import replace
from pathlib import Path

from sample_report import SAMPLE, estimate, row, verdict

from lazarus_bench.judge import Above, AtLeast, Control, Outcome
from lazarus_bench.report.diff import annotation, compare, render_diff, to_dict

_FEWER = verdict(
    Outcome.INCONCLUSIVE,
    AtLeast(0.36),
    estimate(0.81, 0.29, 1.0, seeds=2, prompts=80),
    reason="the interval [0.29, 1] straddles an edge of ≥ 0.36",
)
_FAILED = Control(name="train/eval overlap", value=3, expectation="none", passed=False)
_NOW_INVALID = verdict(
    Outcome.INVALID,
    AtLeast(0.25),
    estimate(0.46, 0.4, 0.52),
    reason="train/eval overlap is 3, expected none",
    controls=(_FAILED,),
)
_NUDGED = estimate(0.31, 0.2, 0.42 + 2e-9)
_STRICTER = replace(verdict(Outcome.SUPPORTED, Above(-0.5), estimate(-0.35, -0.41, -0.29)))


def _changed(old):
    """The row in the newer run, or None."""
    if (old.claim_id, old.subject) == ("dual/vo-36", "lab:llama"):
        return replace(old, verdict=_FEWER, digests=(old.digests[0],), claim_digest="c0ffee" * 10)
    if old.claim_id == "dual/base-beats-instruct":
        return replace(old, verdict=_STRICTER)
    if (old.claim_id, old.subject) == ("probe/words-emerge", "lab:llama"):
        return replace(old, verdict=_NOW_INVALID)
    if (old.claim_id, old.subject) == ("probe/words-emerge", "lab:granite"):
        return replace(old, verdict=replace(old.verdict, estimate=_NUDGED))
    if old.subject == "models/Llama-3.2-1B" or old.claim_id == "dual/params":
        return None
    return old


OLD = SAMPLE
NEW = replace(
    SAMPLE,
    created="2026-02-01T09:30:00+00:00",
    profile="default",
    manifest={**SAMPLE.manifest, "mlx": "0.32.4", "revision": "abc|def"},
    rows=(
        *filter(None, map(_changed, SAMPLE.rows)),
        row("dual/new", "lab:llama", _FEWER, says="something else"),
        row("dual/new", "published", _FEWER, says="something else"),
    ),
)
FOUND = compare(OLD, NEW)


def annotations():
    places = [("hypotheses/test_dual.py", 7), ("a,b: 5%/report.json", None)]
    lines = [annotation(pair, *places[at % 2]) for at, pair in enumerate(FOUND.changed)]
    return "\n".join(lines) + "\n"


def as_json():
    return json.dumps(to_dict(FOUND), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


RENDERINGS = {
    "golden_diff.md": lambda: render_diff(FOUND),
    "golden_diff_all.md": lambda: render_diff(FOUND, everything=True),
    "golden_diff.json": as_json,
    "golden_diff_github.txt": annotations,
}

if __name__ == "__main__":
    for name, rendered in RENDERINGS.items():
        Path(__file__).with_name(name).write_text(rendered(), encoding="utf-8")
