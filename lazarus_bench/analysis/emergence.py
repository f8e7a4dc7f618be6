"""One prompt layer by layer: what the lens says, how sure it is, and from where on it stays.

Readings are the lens's of `analysis.lens`: at the last prompt position, of the next token alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.divergence import entropy, jensen_shannon, kl, log_softmax
from lazarus_bench.analysis.lens import lens_logits
from lazarus_bench.backend import mx
from lazarus_bench.models.load import LoadedModel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Emergence:
    """The lens of one prompt at every layer.

    `log_p` `[layer, token]` are the logarithms of its probabilities, `answer` the token whose
    course is told.
    """

    log_p: Floats
    answer: int

    @property
    def probability(self) -> Floats:
        """Of the answer `[layer]`."""
        return np.asarray(np.exp(self.log_p[:, self.answer]))

    @property
    def rank(self) -> Ints:
        """Of the answer `[layer]`; 1 is the most probable token."""
        return np.asarray(1 + (self.log_p > self.log_p[:, [self.answer]]).sum(axis=1))

    @property
    def entropy(self) -> Floats:
        """Of each layer in bits `[layer]`."""
        return entropy(self.log_p)

    @property
    def from_before(self) -> Floats:
        """Jensen-Shannon divergence of each layer from the one before in bits `[layer]`.

        NaN for the first layer, which has none before.
        """
        return np.append(np.nan, jensen_shannon(self.log_p[1:], self.log_p[:-1]))

    @property
    def to_last(self) -> Floats:
        """D(last ‖ layer) in bits `[layer]`: what a layer would still lose against the output.

        Source: N. Belrose et al., Eliciting latent predictions from transformers with the tuned
        lens (2023).
        """
        return kl(self.log_p[-1:], self.log_p)

    @property
    def crystallised(self) -> int | None:
        """The first layer from which on the answer is the most probable token at every layer.

        None where it is not at the last.
        """
        other = np.flatnonzero(self.rank > 1)
        if len(other) == 0:
            return 0
        first = int(other[-1]) + 1
        return first if first < len(self.log_p) else None

    def top(self, count: int) -> tuple[Ints, Floats]:
        """The `count` most probable tokens and their probabilities `[layer, count]`."""
        order = np.argsort(-self.log_p, axis=1, kind="stable")[:, :count]
        return order, np.exp(np.take_along_axis(self.log_p, order, axis=1))


def read_emergence(
    loaded: LoadedModel, prompt: Sequence[int], answer: int | None = None
) -> Emergence:
    """Read every layer of one prompt of at least one token.

    Args:
        loaded: the model.
        prompt: its token ids.
        answer: the token to follow; the model's own next token unless given.

    Raises:
        UserError: a token of the prompt is not in the vocabulary.
    """
    read = [logits for _, _, logits in lens_logits(loaded, [prompt])]
    layers = log_softmax(np.array(mx.concatenate(read).astype(mx.float32)))
    return Emergence(log_p=layers, answer=int(layers[-1].argmax()) if answer is None else answer)
