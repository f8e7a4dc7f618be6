"""How exactly a fused model says what its base and adapter say, at any precision.

A claim on this is read in float32 only (`logits.py`); here the rounding of the weights' own
precision is part of what is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lazarus_bench.analysis.lens import Floats
from lazarus_bench.analysis.logit_change import change_size
from lazarus_bench.backend import mx
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import sample_prompts


@dataclass(frozen=True, kw_only=True)
class FusedChange:
    """Root mean squares over tokens of differences of logits, means over `prompts` prompts.

    `adapter` is how far the adapter moves the base's logits, `fusing` how far the fused model's are
    from those of base and adapter.
    """

    prompts: int
    adapter: float
    fusing: float


def fused_change(base: Path, adapter: Path, fused: Path) -> FusedChange:
    """Read the eight sample prompts with each of the three, one in memory at a time."""
    before, adapted, after = (
        _logits(base, None),
        _logits(base, adapter),
        _logits(fused, None),
    )
    return FusedChange(
        prompts=len(before),
        adapter=float(change_size(adapted, before).mean()),
        fusing=float(change_size(after, adapted).mean()),
    )


def _logits(directory: Path, adapter: Path | None) -> Floats:
    """Logits after the last token of each prompt, `[prompt, token]`."""
    loaded = load(directory, adapter)
    read = [
        np.array(loaded.model(mx.array([loaded.encode(p.symbols)]))[0, -1].astype(mx.float32))
        for p in sample_prompts()
    ]
    return np.stack(read).astype(np.float64)
