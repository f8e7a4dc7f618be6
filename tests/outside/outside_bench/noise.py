"""A recipe in one file: Gaussian noise on every weight, a training that learns nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from lazarus_bench.training import Recipe, option


@dataclass(frozen=True, kw_only=True)
class Noise(Recipe):
    """Every weight w becomes w + scale · sd(w) · n with n drawn from a standard normal."""

    kind: ClassVar[str] = "noise"
    version: ClassVar[int] = 1
    leaves: ClassVar[str] = "model"
    ranked: ClassVar[bool] = False

    scale: float = option(0.01, "standard deviations of noise added to each weight", metavar="X")

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
        """Leave the noisy model in `out`, in Hugging Face layout."""
        import mlx.core as mx
        from mlx.utils import tree_map
        from mlx_lm.utils import save_model

        from lazarus_bench.models.load import load
        from lazarus_bench.training.fuse import carry

        draw = np.random.default_rng(seed)
        model = load(base).model

        def noisy(weight: mx.array) -> mx.array:
            values = np.array(weight.astype(mx.float32))
            drawn = draw.standard_normal(values.shape)
            return mx.array(values + self.scale * values.std() * drawn).astype(weight.dtype)

        model.update(tree_map(noisy, model.parameters()))
        save_model(out, model)
        carry(base, out, dequantise=False)
