"""Logits of two models on the same prompts: how far apart they are, and what is left of a change.

A claim reads them in float32 only; of a fused model, at any precision, the rounding of its weights
is part of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lazarus_bench.analysis.measured import Floats
from lazarus_bench.analysis.prompts import batches_of_logits, symbol_tokens
from lazarus_bench.backend import mx
from lazarus_bench.errors import NotApplicable
from lazarus_bench.figures.text import number
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.tasks.arithmetic import Problem, sample_prompts


def last_logits(loaded: LoadedModel, problems: Sequence[Problem]) -> Floats:
    """Logits after the last token of the prompts in symbols, `[prompt, token]`, in float32.

    Of other weights a difference could come from rounding.

    Raises:
        NotApplicable: the model is quantised or of another precision.
    """
    from mlx.utils import tree_flatten

    weights: dict[str, mx.array] = dict(tree_flatten(loaded.model.parameters()))
    kinds = {weight.dtype for weight in weights.values()} - {mx.float32}
    if kinds:
        other = ", ".join(sorted(str(kind).removeprefix("mlx.core.") for kind in kinds))
        raise NotApplicable(f"{loaded.name} holds {other} weights; this is read in float32 only")
    prompts = symbol_tokens(loaded, problems)
    found: list[Floats] = [np.empty(0)] * len(prompts)
    for rows, tokens in batches_of_logits(loaded, prompts):
        last = np.array(loaded.model(tokens)[:, -1, :], dtype=np.float64)
        for row, logits in zip(rows, last, strict=True):
            found[row] = logits
    return np.stack(found)


def relative_difference(first: Floats, second: Floats) -> Floats:
    """Largest |first − second| of a prompt over its largest |second|, `[prompt]`."""
    return np.asarray(np.abs(first - second).max(axis=1) / np.abs(second).max(axis=1))


def change_kept(kept: Floats, whole: Floats, base: Floats) -> Floats:
    """How much of the way from `base` to `whole` the logits of `kept` go, `[prompt]`.

    ⟨kept − base, whole − base⟩ / ‖whole − base‖²: 1 where nothing is lost, 0 where what is left has
    nothing to do with it. All are `[prompt, token]`; what all tokens share does not count, as it
    changes no probability.

    Raises:
        ValueError: `whole` is `base` on a prompt.
    """
    change, left = _centred(whole - base), _centred(kept - base)
    size: Floats = (change**2).sum(axis=1)
    if not size.all():
        raise ValueError("there is no change of which a share could be kept")
    return np.asarray((left * change).sum(axis=1) / size)


def change_size(changed: Floats, base: Floats) -> Floats:
    """Root mean square over tokens of changed − base, without what all tokens share `[prompt]`."""
    return np.asarray(np.sqrt((_centred(changed - base) ** 2).mean(axis=1)))


def _centred(logits: Floats) -> Floats:
    return np.asarray(logits - logits.mean(axis=1, keepdims=True))


@dataclass(frozen=True, kw_only=True)
class FusedChange:
    """Root mean squares over tokens of differences of logits, means over `prompts` prompts.

    `adapter` is how far the adapter moves the base's logits, `fusing` how far the fused model's are
    from those of base and adapter.
    """

    prompts: int
    adapter: float
    fusing: float

    def __str__(self) -> str:
        kept, lost = number(self.adapter), number(self.fusing)
        said = (
            f"logits after {self.prompts} prompts: the adapter moves them by {kept}, fusing by "
            f"another {lost} (root mean square)"
        )
        if self.fusing <= 0.1 * self.adapter:
            return said
        return (
            f"{said}: much of the adapter is lost, as happens where a quantised model is quantised "
            f"again; --dequantise keeps it"
        )


def fused_change(base: Path, adapter: Path, fused: Path) -> FusedChange:
    """Read eight sample prompts with each of the three, one in memory at a time."""

    def logits(directory: Path, adapter: Path | None) -> Floats:
        loaded = load(directory, adapter)
        read = [
            np.array(loaded.model(mx.array([loaded.encode(p.symbols)]))[0, -1].astype(mx.float32))
            for p in sample_prompts()
        ]
        return np.stack(read).astype(np.float64)

    before, adapted, after = logits(base, None), logits(base, adapter), logits(fused, None)
    return FusedChange(
        prompts=len(before),
        adapter=float(change_size(adapted, before).mean()),
        fusing=float(change_size(after, adapted).mean()),
    )
