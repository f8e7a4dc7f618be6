"""A model with its weights drawn anew: what a fitted lens or a probe finds without any training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lazarus_bench.models.load import load
from lazarus_bench.training.fuse import as_stored, carry
from lazarus_bench.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Randomise(Recipe):
    """The same architecture and tokenizer with weights as the family draws them before training.

    A control for a lens that is fitted: `trained(Randomise(), JacobianLens())` fits one on such a
    model. A quantised base becomes float.
    """

    kind = "randomise"
    version = 1
    leaves = "model"
    ranked = False
    trains = False

    @property
    def label(self) -> str:
        """As runs are called whose weights are random."""
        return "random weights"

    @property
    def lab_seconds(self) -> float:
        """Loading and saving."""
        return 0.5

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:  # noqa: ARG002 - every recipe's
        """Leave the whole model in `out`, in Hugging Face layout."""
        from mlx_lm.utils import save_model

        # It needs mlx, which the spec, named in claims, does not.
        from lazarus_bench.models.untrained import randomise

        fresh = randomise(load(base), seed)
        save_model(out, as_stored(fresh.model, base))
        carry(base, out, dequantise=True)
