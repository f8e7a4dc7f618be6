"""The Jacobian lens: a layer's residual, moved by the mean derivative of the last by it.

Source: Gurnee, Sofroniew, Lindsey et al. 2026, *Verbalizable Representations Form a Global
Workspace in Language Models*. J_l = E over texts and source positions p of Σ_{p′ ≥ p} ∂h_L[p′] /
∂h_l[p], h_L the residual after the last block, before the final norm. As in the reference
implementation, a one-hot cotangent of an output dimension stands at every valid target position at
once, so that one vector–Jacobian product gives the sum over targets; a text's last position is not
valid, nor are its first ones (`lens_texts.py`).

The products are taken by zeros added after each block (`edits.Add`), so one backward pass gives a
row of every layer's matrix. Cotangents go together: `mx.vmap` over the product shares one forward
among them and takes half the time of repeated inputs (measured on the lab's llama, 50 µs a token
and row against 100; the numbers are the same to the last bit). Mixtures of experts have an
operation without a vmap, so their rows are taken one after another.

The mean over texts is that of SGD on ½ ‖J − J_batch‖² with the rate 1 / step, which is exact: so
the loop that all recipes share saves the sums, resumes, and logs how far the halves agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn, optim
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import blocks, router
from lazarus_bench.models.edits import Add
from lazarus_bench.models.files import weights_digest
from lazarus_bench.models.lenses import FittedLens
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.taps import edited, residual_stream
from lazarus_bench.tasks.text_rows import TextSource, source_of
from lazarus_bench.training import loop, recipe
from lazarus_bench.training.lens_texts import (
    CORPUS_LENGTH,
    LEAST,
    LensBatch,
    lens_batches,
    lens_texts,
)
from lazarus_bench.training.loop import Parts

ROOM = 1 << 28
"""Numbers that one batch of cotangents may hold: 1 GiB in float32, beside what the forward does."""

OWN_TEXT = recipe.Option(
    help="fit on the texts of your own file, or of a folder with train.jsonl, instead of the lab's "
    "corpus: rows with text, prompt and completion, or messages",
    name="data",
    metavar="FILE.jsonl|DIR",
    hint=str,
)

Length = Annotated[
    int,
    recipe.Bound(least=LEAST, because="the first position and the last are left out"),
    recipe.Option(help="cut texts after this number of tokens"),
]


def on_own_text(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the source of the file in "texts", if there is one."""
    settings = dict(given)
    if "texts" in settings:
        settings["texts"] = source_of(settings["texts"])[0]
    return settings


def chosen_layers(layers: Sequence[int], loaded: LoadedModel) -> tuple[int, ...]:
    """`layers` once each, ascending; all but the last, which needs no fit, where there are none.

    Raises:
        UserError: one of them cannot be fitted.
    """
    last = loaded.depth - 1
    for layer in layers or range(last) or (0,):
        if layer >= last:
            raise UserError(
                f"--layer {layer} cannot be fitted in {loaded.name}, of {loaded.depth} layers, the "
                f"last of which is read as it is: choose one before it"
            )
    return tuple(sorted({*(layers or range(last))}))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The mean Jacobians of a batch's two halves, `[half, layer, d, d]`, float32."""

    jacobians: mx.array
    size: int


def no_means(layers: int, width: int) -> Any:
    """The mean Jacobians of each half before any text, `jacobians` `[half, layer, d, d]`.

    A plain module: a class of mlx's would import it wherever the spec is named.
    """
    means: Any = nn.Module()
    means.jacobians = mx.zeros((2, layers, width, width))
    return means


@dataclass(frozen=True, kw_only=True)
class JacobianLens(recipe.Recipe):
    """Fit a Jacobian lens: the mean derivative of the last residual by each layer's.

    J_l = mean over texts and positions p of Σ_{p′ ≥ p} ∂h_L[p′] / ∂h_l[p] (Gurnee et al. 2026).
    Read it with `lens --lens jacobian`. The cost is one vector-Jacobian product per text and
    dimension of the residual. Half of the texts go into each of two means, whose distance shows how
    far the fit has converged; the lens is the mean of both.
    """

    kind = "jacobian_lens"
    version = 1
    leaves = "lens"
    ranked = False
    trains = False
    examples_of_use = (
        "lazarus-bench train jacobian-lens lab:llama",
        "lazarus-bench train jacobian-lens MODEL --data texts.jsonl --layer 12 --examples 100",
        "lazarus-bench lens lab:llama '7 * 8 = ' --lens jacobian",
    )
    also: ClassVar[Mapping[str, recipe.Option]] = {"texts": OWN_TEXT}

    examples: recipe.Count = recipe.option(
        240, "texts to fit on; with --data, at most so many rows", aliases=("prompts",)
    )
    batch: recipe.Batch = recipe.option(12, "texts per step, half of them for each mean")
    max_length: Length = 128
    layers: tuple[recipe.Index, ...] = recipe.option(
        (), "fit these layers only, from 0", name="layer", usual="all", metavar="N,N"
    )
    texts: TextSource | None = recipe.option(None)

    @property
    def label(self) -> str:
        """Name the layers, where they are not all, and own text."""
        some = f" L{','.join(map(str, self.layers))}" if self.layers else ""
        return f"Jacobian lens{some}{recipe.rows_suffix(self.texts)}"

    @property
    def steps(self) -> int:
        """How many steps, if there are as many texts as are asked for."""
        return max(1, self.examples // self.batch)

    @property
    def lab_seconds(self) -> float:
        """About 80 ms a text of the lab's llama."""
        return 0.08 * self.examples

    def working(self, width: int, layers: int, vocabulary: int) -> int:  # noqa: ARG002 - every recipe's
        """The cotangents, and each layer's two means with a batch's and a step's."""
        fitted, (rows, length) = len(self.layers) or layers, self.fed
        return min(ROOM, width * _row(rows * length, width, fitted)) + 8 * fitted * width**2

    @property
    def fed(self) -> tuple[int, int]:
        """The corpus has short texts alone."""
        return self.batch, min(self.max_length, CORPUS_LENGTH if self.texts is None else 256)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, blank: bool = False) -> JacobianLens:  # noqa: ARG003 - every recipe's
        """On the user's rows if texts are given."""
        return cls(**on_own_text(settings))

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
        """Fit and leave the lens, what it was fitted on, and the log in `out`."""
        backend.seed(seed)
        loaded = load(base)
        loaded.model.freeze()
        layers = chosen_layers(self.layers, loaded)
        texts = lens_texts(loaded, self.texts, seed, self.examples, self.max_length)
        size = min(self.batch, len(texts.texts)) // 2 * 2
        steps = len(texts.texts) // size
        used, _ = texts.split(steps * size)
        width = width_of(loaded)
        means = no_means(len(layers), width)
        loop.fit(
            means,
            distance,
            lens_batches(used.texts, size),
            optimizer=optim.SGD(lambda step: 1 / (step + 1)),
            prepare=lambda batch: jacobians(loaded, layers, batch),
            steps=steps,
            label=f"{self.label} seed {seed}",
            out=out,
            show=show,
            limit=float("inf"),
        )
        both = means.jacobians
        about = {
            "model": weights_digest(base),
            "text": used.about,
            "halves": dict(zip(layers, _apart(both), strict=True)),
        }
        weights = {layer: both[:, at].mean(axis=0) for at, layer in enumerate(layers)}
        weights[loaded.depth - 1] = mx.eye(width)
        FittedLens(kind="jacobian", weights=weights, biases={}, about=about).save(out)


def distance(means: Any, batch: Measured) -> tuple[mx.array, Parts]:
    """½ ‖J − J_batch‖² of the means, and how far the halves were apart before this batch."""
    loss = 0.5 * (means.jacobians - batch.jacobians).square().sum()
    before = mx.array(float(np.mean(_apart(means.jacobians))))
    return loss, {"halves": before}


def _apart(jacobians: mx.array) -> list[float]:
    """‖A − B‖ / ‖(A + B) / 2‖ of two means `[half, layer, d, d]`, by layer; 0 before any text."""
    first, second = np.array(jacobians, dtype=np.float64)
    norms = [np.sqrt(np.square(m).sum(axis=(1, 2))) for m in (first - second, first + second)]
    return [float(x) for x in norms[0] / np.maximum(norms[1] / 2, 1e-300)]


def jacobians(loaded: LoadedModel, layers: Sequence[int], batch: LensBatch) -> Measured:
    """The mean Jacobians of the first and of the second half of a batch, `[half, layer, d, d]`.

    Rows are taken some at a time, as many as `ROOM` allows.
    """
    pull, width = rows_of(loaded, layers, batch), width_of(loaded)
    step = max(1, ROOM // _row(batch.tokens.size, width, len(layers)))
    found = []
    for start in range(0, width, step):
        found.append(pull(mx.arange(start, min(start + step, width))))
        mx.eval(found[-1])
    whole = mx.concatenate(found, axis=1).transpose(2, 0, 1, 3)
    mx.eval(whole)
    return Measured(jacobians=whole, size=batch.size)


def _row(tokens: int, width: int, layers: int) -> int:
    """Numbers that a row holds: cotangents of a block's widest layers, and of those asked for."""
    return tokens * width * (layers + 12)


def width_of(loaded: LoadedModel) -> int:
    """Dimensions of the residual."""
    return int(residual_stream(loaded.model, loaded.anatomy, mx.array([[0]]))[-1].shape[-1])


def rows_of(
    loaded: LoadedModel, layers: Sequence[int], batch: LensBatch
) -> Callable[[mx.array], mx.array]:
    """A function of output dimensions `[row]`: their rows of the Jacobians `[layer, row, half, d]`.

    Each is one vector-Jacobian product of the whole batch.
    """
    (count, time), width = batch.tokens.shape, width_of(loaded)
    dtype = residual_stream(loaded.model, loaded.anatomy, batch.tokens)[-1].dtype
    zeros = [mx.zeros((count, time, width), dtype=dtype) for _ in layers]
    valid = (batch.weights > 0).astype(dtype)[..., None]
    # Of each position its text's share, and of each text its half's: [half, text · time].
    half = mx.repeat(mx.eye(2), count // 2, axis=1)[..., None] * batch.weights * (2 / count)
    half = half.reshape(2, count * time)

    def last(*shifts: mx.array) -> mx.array:
        moved = [Add(layer=at, change=by) for at, by in zip(layers, shifts, strict=True)]
        with edited(loaded.model, loaded.anatomy, moved):
            return residual_stream(loaded.model, loaded.anatomy, batch.tokens)[-1]

    def pulled(row: mx.array) -> list[mx.array]:
        """One row of every layer's means, `[half, d]`, of a one-hot `row` `[d]`."""
        found = mx.vjp(last, zeros, [valid * row])[1]
        return [half @ g.astype(mx.float32).reshape(count * time, width) for g in found]

    every = blocks(loaded.model, loaded.anatomy)
    mixed = any(router(block, loaded.anatomy) is not None for block in every)

    def pull(dimensions: mx.array) -> mx.array:
        rows = mx.eye(width, dtype=dtype)[dimensions]
        if not mixed:
            return mx.stack(mx.vmap(pulled)(rows))
        found = [mx.stack(pulled(row)) for row in rows]
        mx.eval(found)
        return mx.stack(found, axis=1)

    return pull
