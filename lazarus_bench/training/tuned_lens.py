"""The tuned lens: an affine map of each layer's residual, trained on what the model then says.

Source: Belrose et al. 2023, *Eliciting Latent Predictions from Transformers with the Tuned Lens*.
h ↦ A_l h + b_l, the identity at the start, minimises KL(final ‖ lens) over texts of its own; the
last layer needs none. Layers share no weight and Adam treats each number by itself, so all are
trained at once and end as they would alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.exponentials import log_sum_exp
from lazarus_bench.models.anatomy import unembed
from lazarus_bench.models.files import weights_digest
from lazarus_bench.models.lenses import FittedLens
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.tasks.text_rows import TextSource
from lazarus_bench.training import loop, recipe
from lazarus_bench.training.jacobian_lens import (
    OWN_TEXT,
    Length,
    chosen_layers,
    on_own_text,
    width_of,
)
from lazarus_bench.training.lens_texts import (
    CORPUS_LENGTH,
    LensBatch,
    LensTexts,
    lens_batch,
    lens_batches,
    lens_texts,
)
from lazarus_bench.training.loop import Parts
from lazarus_bench.training.optimizers import matrix_adamw, warm_cosine

HELD = 8
"""One text in so many is held out, to say how well the lens reads what it was not fitted on."""

HELD_BATCH = 8
"""Held-out texts read at a time."""


def identities(layers: int, width: int, *, bias_only: bool) -> Any:
    """What is added to each layer's residual: `weights` `[d, d]` times it, and `biases` `[d]`.

    A plain module: a class of mlx's would import it wherever the spec is named.
    """
    found: Any = nn.Module()
    found.biases = [mx.zeros((width,)) for _ in range(layers)]
    found.weights = [] if bias_only else [mx.zeros((width, width)) for _ in range(layers)]
    return found


def moved_by(translators: Any, at: int, hidden: mx.array) -> mx.array:
    """The residuals `[position, d]` of the layer with the index `at`, moved."""
    moved: mx.array = hidden + translators.biases[at]
    return moved + hidden @ translators.weights[at].T if translators.weights else moved


@dataclass(frozen=True, kw_only=True)
class Read:
    """Residuals `[position, d]` of each layer, and the model's own `log_p` `[position, token]`.

    All in float32.
    """

    residuals: Sequence[mx.array]
    log_p: mx.array
    size: int


def read(loaded: LoadedModel, layers: Sequence[int], batch: LensBatch) -> Read:
    """What a step is fed: the valid positions of a batch, one after another."""
    stream = residual_stream(loaded.model, loaded.anatomy, batch.tokens)
    places = mx.array(np.flatnonzero(np.array(batch.weights)))
    at = [stream[layer].reshape(-1, stream[layer].shape[-1])[places] for layer in (*layers, -1)]
    logits = unembed(loaded.model, loaded.anatomy, at[-1]).astype(mx.float32)
    found = Read(
        residuals=[state.astype(mx.float32) for state in at[:-1]],
        log_p=logits - log_sum_exp(logits),
        size=batch.size,
    )
    mx.eval(found.residuals, found.log_p)
    return found


def divergences(loaded: LoadedModel, translators: Any, fed: Read) -> list[mx.array]:
    """KL(final ‖ lens) of each layer, a mean over positions, in nats."""
    p = mx.exp(fed.log_p)
    own = (p * fed.log_p).sum(axis=-1).mean()
    found = []
    for at, hidden in enumerate(fed.residuals):
        moved = moved_by(translators, at, hidden)
        logits = unembed(loaded.model, loaded.anatomy, moved).astype(mx.float32)
        cross = (log_sum_exp(logits)[:, 0] - (p * logits).sum(axis=-1)).mean()
        found.append(own + cross)
    return found


@dataclass(frozen=True, kw_only=True)
class TunedLens(recipe.Recipe):
    """Fit a tuned lens: an affine map of each layer, trained on the model's own outputs.

    h ↦ A_l h + b_l minimises KL(final ‖ lens) over text (Belrose et al. 2023). Read it with `lens
    --lens tuned`. Each layer's A starts as the identity; with `bias_only` it stays so. One text in
    eight is held out, and the divergence there is kept for each layer, before and after.
    """

    kind = "tuned_lens"
    version = 1
    leaves = "lens"
    ranked = False
    trains = False
    examples_of_use = (
        "lazarus-bench train tuned-lens lab:llama",
        "lazarus-bench train tuned-lens MODEL --data texts.jsonl --layer 12 --bias-only",
        "lazarus-bench lens lab:llama '7 * 8 = ' --lens tuned",
    )
    also: ClassVar[Mapping[str, recipe.Option]] = {"texts": OWN_TEXT}

    steps: recipe.Steps = 400
    batch: recipe.Batch = recipe.option(24, "texts per step")
    learning_rate: recipe.Rate = 3e-3
    examples: recipe.Count = recipe.option(
        2400, "texts to fit on, and to hold out; with --data, at most so many rows"
    )
    max_length: Length = 128
    layers: tuple[recipe.Index, ...] = recipe.option(
        (), "fit these layers only, from 0", name="layer", usual="all", metavar="N,N"
    )
    bias_only: bool = recipe.option(False, "fit the translation alone, and no matrix")
    texts: TextSource | None = recipe.option(None)

    @property
    def label(self) -> str:
        """Name the kind, the layers, where they are not all, and own text."""
        some = f" L{','.join(map(str, self.layers))}" if self.layers else ""
        kind = "tuned lens, bias only" if self.bias_only else "tuned lens"
        return f"{kind}{some}{recipe.rows_suffix(self.texts)}"

    @property
    def lab_seconds(self) -> float:
        """About 80 ms a step of 24 texts of the lab's llama, and the text that is held out."""
        return 2.0 + 0.08 / 24 * self.batch * self.steps

    @property
    def fed(self) -> tuple[int, int]:
        """The corpus has short texts alone."""
        return self.batch, min(self.max_length, CORPUS_LENGTH if self.texts is None else 256)

    def working(self, width: int, layers: int, vocabulary: int) -> int:
        """Each layer's logits and their slopes at every position, and its map with Adam's."""
        fitted, (rows, length) = len(self.layers) or layers, self.fed
        return fitted * (2 * rows * length * vocabulary + 4 * width**2)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, blank: bool = False) -> TunedLens:  # noqa: ARG003 - every recipe's
        """On the user's rows if texts are given."""
        return cls(**on_own_text(settings))

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
        """Fit and leave the lens, what it was fitted on, and the log in `out`."""
        backend.seed(seed)
        loaded = load(base)
        loaded.model.freeze()
        layers = chosen_layers(self.layers, loaded)
        texts = lens_texts(loaded, self.texts, seed, self.examples, self.max_length)
        held = max(1, len(texts.texts) // HELD)
        kept, tested = texts.split(len(texts.texts) - held)
        width = width_of(loaded)
        translators = identities(len(layers), width, bias_only=self.bias_only)
        batch = min(self.batch, len(kept.texts))
        before = held_out_divergences(loaded, translators, layers, tested)

        def loss(model: Any, fed: Read) -> tuple[mx.array, Parts]:
            found = divergences(loaded, model, fed)
            return sum(found, mx.array(0.0)), {"kl": sum(found, mx.array(0.0)) / len(found)}

        loop.fit(
            translators,
            loss,
            lens_batches(kept.texts, batch),
            optimizer=matrix_adamw(warm_cosine(self.learning_rate, self.steps, warm=10), 0.0),
            prepare=lambda batch: read(loaded, layers, batch),
            steps=self.steps,
            label=f"{self.label} seed {seed}",
            out=out,
            show=show,
        )
        after = held_out_divergences(loaded, translators, layers, tested)
        about = {
            "model": weights_digest(base),
            "text": kept.about,
            "held_out": tested.about,
            "kl_untuned": dict(zip(layers, before, strict=True)),
            "kl": dict(zip(layers, after, strict=True)),
        }
        matrices = [mx.eye(width) + weight for weight in translators.weights]
        FittedLens(
            kind="tuned",
            weights=dict(zip(layers, matrices, strict=False)),
            biases=dict(zip(layers, translators.biases, strict=True)),
            about=about,
        ).save(out)


def held_out_divergences(
    loaded: LoadedModel, translators: Any, layers: Sequence[int], texts: LensTexts
) -> list[float]:
    """`divergences` on all positions of `texts`, in nats a position, by layer."""
    total, positions = np.zeros(len(layers)), 0
    for start in range(0, len(texts.texts), HELD_BATCH):
        fed = read(loaded, layers, lens_batch(texts.texts[start : start + HELD_BATCH]))
        count = fed.log_p.shape[0]
        total += count * np.array([float(x) for x in divergences(loaded, translators, fed)])
        positions += count
    return [float(x) for x in total / positions]
