"""Direct logit attribution: what each component adds to the difference of two answers' logits.

The last residual is a sum: the embedding, and what each layer's attention and MLP add. With the
scale of the final norm held at its value in the actual run, norm and unembedding are linear, so the
difference of two logits is the sum of the components' shares and of a constant, the biases'
(Elhage et al. 2021, *A mathematical framework for transformer circuits*; TransformerLens).

    share of c = scale · (u_a − u_b) · [g ⊙ C c] / s,    s = √(mean((C h)²) + ε)

with h the last residual, g the norm's gain and C the centring of a LayerNorm, or nothing in an
RMSNorm. The logits are those before a softcap, which is not linear. A direct share is not an
effect: later layers may read a component, and take back what it adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.analysis.measured import Floats
from lazarus_bench.analysis.prompts import batches_of_logits
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import head, part
from lazarus_bench.models.edits import Ablate
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import contributions, edited, residual_stream
from lazarus_bench.models.texts import check_tokens

TOLERANCE = 0.02
"""Largest error of the sum over the sum of sizes; float32 reaches 1e-6, bfloat16 some 1e-2."""


@dataclass(frozen=True, kw_only=True)
class Direct:
    """Shares in the logit of one answer minus that of another, after the last token of a prompt.

    `attention` and `mlp` `[layer]`; `constant` is that of the biases. They sum to `difference`, the
    model's own before a softcap, up to rounding.
    """

    embedding: float
    attention: Floats
    mlp: Floats
    constant: float
    difference: float

    @property
    def total(self) -> float:
        """The sum of all shares."""
        return float(self.embedding + self.attention.sum() + self.mlp.sum() + self.constant)


def direct_logits(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], answers: Sequence[tuple[int, int]]
) -> list[Direct]:
    """Direct logit attribution of `prompts`, token ids, between the two tokens of each answer.

    Raises:
        UserError: a token is not in the vocabulary, a block lacks an attention or an MLP, or the
            final norm is neither an RMSNorm nor a LayerNorm, so that the shares do not sum.
    """
    check_tokens(loaded, prompts)
    found: dict[int, Direct] = {}
    for rows, tokens in batches_of_logits(loaded, prompts):
        pieces, last = _pieces(loaded, tokens)
        toward = mx.array([answers[row] for row in rows])

        def odds(normed: mx.array, toward: mx.array = toward) -> mx.array:
            module, tied = head(loaded.model, loaded.anatomy)
            logits = module.as_linear(normed) if tied else module(normed)
            pair = mx.take_along_axis(logits.astype(mx.float32), toward, axis=-1)
            difference: mx.array = (pair[:, 0] - pair[:, 1]) * loaded.anatomy.logit_scale
            return difference

        norm = part(loaded.model, loaded.anatomy.norm)
        nothing = mx.zeros_like(last)
        slope = mx.grad(lambda normed: odds(normed).sum())(nothing)
        scale = _scale(norm, last)
        shares = [
            ((norm(one) - norm(nothing)) * _scale(norm, one) / scale * slope).sum(axis=-1)
            for one in pieces
        ]
        values = np.array(mx.stack(shares, axis=1), dtype=np.float64)
        ends = [np.array(odds(norm(each)), dtype=np.float64) for each in (nothing, last)]
        for place, row in enumerate(rows):
            found[row] = Direct(
                embedding=float(values[place, 0]),
                attention=values[place, 1::2],
                mlp=values[place, 2::2],
                constant=float(ends[0][place]),
                difference=float(ends[1][place]),
            )
            _check(loaded, found[row])
    return [found[at] for at in range(len(prompts))]


def _pieces(loaded: LoadedModel, tokens: mx.array) -> tuple[list[mx.array], mx.array]:
    """The parts of the last residual `[batch, d]` in float32, in the order of a pass, and that.

    What a family's own norms and multipliers make of a part is what comes into the residual, so
    the attention's share is what is left of a layer without its MLP, and the MLP's is the rest.
    """
    model, anatomy = loaded.model, loaded.anatomy

    def last(residual: mx.array) -> mx.array:
        found = residual[:, -1].astype(mx.float32)
        mx.eval(found)
        return found

    residuals = list(map(last, residual_stream(model, anatomy, tokens)))
    entering = residuals[0] - last(contributions(model, anatomy, tokens, "layer")[0])
    pieces = [entering]
    for layer, leaving in enumerate(residuals):
        with edited(model, anatomy, (Ablate(layer=layer, part="mlp"),)):
            middle = last(residual_stream(model, anatomy, tokens)[layer])
        pieces += [middle - entering, leaving - middle]
        entering = leaving
    return pieces, residuals[-1]


def _scale(norm: nn.Module, x: mx.array) -> mx.array:
    """What a norm divides `x` `[batch, d]` by: `[batch, 1]`."""
    centred = x - x.mean(axis=-1, keepdims=True) if isinstance(norm, nn.LayerNorm) else x
    eps = getattr(norm, "eps", 0.0)
    scale: mx.array = mx.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    return scale


def _check(loaded: LoadedModel, found: Direct) -> None:
    sizes = [abs(found.embedding), *np.abs(found.attention), *np.abs(found.mlp)]
    error = abs(found.total - found.difference)
    if not error <= TOLERANCE * (sum(sizes) + abs(found.constant)):
        raise UserError(
            f"{loaded.name}: the components' shares sum to {found.total:.4g} and the logits differ "
            f"by {found.difference:.4g}: its final norm is neither an RMSNorm nor a LayerNorm, so "
            f"use `attribute` without --direct"
        )
