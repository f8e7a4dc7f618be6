"""The power printed with twelve designs of the lab is the power that simulation finds."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from lazarus_bench.judge import AtLeast, Hits
from lazarus_bench.judge.crossed import Crossed, Items
from lazarus_bench.judge.power import detectable_distance
from lazarus_bench.report.evidence import FILE, load_evidence
from lazarus_bench.report.schema import load

pytestmark = pytest.mark.calibration

LAB = Path(__file__).parents[2] / "reports" / "lab"
REPLICATES = 1500


def designs() -> list[tuple[str, Crossed, float]]:
    """The lab's designs on one sample of prompts, in the order of the report."""
    levels = {(r.claim_id, r.subject): r.verdict.level for r in load(LAB / "report.json").rows}
    found = []
    for record in load_evidence(LAB / FILE):
        model = record.evidence.sampling() if record.evidence.scope == "seeds" else None
        if not isinstance(model, Crossed) or len(model.items) > 1 or model.between == 0:
            continue
        level = levels[record.claim_id, record.subject]
        if detectable_distance(model, AtLeast(model.point), level) is not None:
            found.append((f"{record.claim_id} on {record.subject}", model, level))
    return found


def alike() -> tuple[str, Crossed, float]:
    """Seeds that differ by no more than the prompts' noise, where one error misleads the most."""
    items = Items(between=0.0, noise=1.0, count=30)
    return "seeds alike", Crossed(mean=0.0, between=1 / 30, n=5, items=(items,)), 0.9


@cache
def chosen() -> list[tuple[str, Crossed, float]]:
    """Twelve of them, spread over the report, and one on the edge of its parameters."""
    found = designs()
    return [*found[:: max(1, len(found) // 12)][:12], alike()]


def drawn(rng: np.random.Generator, model: Crossed, mean: float) -> Crossed:
    """A sample of the design with the components that the report's sample shows."""
    [items] = model.items
    seeds = max(0.0, model.between - items.noise / items.count)
    cells = (
        mean
        + rng.normal(0, np.sqrt(seeds), (model.n, 1))
        + rng.normal(0, np.sqrt(items.between), (1, items.count))
        + rng.normal(0, np.sqrt(items.noise), (model.n, items.count))
    )
    return Crossed.of(cells)


def power(design: tuple[str, Crossed, float], seed: int, replicates: int) -> float:
    """How often a truth at the printed distance is supported, where 80% is printed."""
    _, model, level = design
    edge = model.point
    distance = detectable_distance(model, AtLeast(edge), level)
    assert distance is not None
    working = edge + model.offset
    centre = special.logit(working) if model.logits else edge
    truth = special.logit(working + distance) if model.logits else edge + distance
    rng = np.random.default_rng(seed)
    found = [drawn(rng, model, truth).low(level) >= centre for _ in range(replicates)]
    return float(np.mean(found))


@pytest.mark.parametrize("place", range(13))
def test_a_truth_at_the_printed_distance_is_supported_in_80_percent(place):
    design = chosen()[place]
    assert power(design, place, REPLICATES) == pytest.approx(0.8, abs=0.05), design[0]


def test_hits_of_one_run_at_the_detectable_distance_are_supported_in_80_percent():
    distance = Hits(values=[[1] * 60]).detectable(AtLeast(0.5), 0.9)
    samples = np.random.default_rng(7).random((2000, 1, 60)) < 0.5 + distance
    found = [Hits(values=sample).limits(0.9)[0] >= 0.5 for sample in samples]
    assert 0.77 <= np.mean(found) <= 0.9
