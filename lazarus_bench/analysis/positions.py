"""One prompt at every position: the most probable token of each layer's lens there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazarus_bench.analysis.lens import fitted_on, through
from lazarus_bench.analysis.measured import Floats
from lazarus_bench.analysis.prompts import Strings, readable_prompts, token_texts
from lazarus_bench.backend import mx
from lazarus_bench.figures.heatmap import Heat, HeatGroup, HeatRow
from lazarus_bench.figures.tables import cut, table, wrapped
from lazarus_bench.figures.text import visible
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import residual_stream

CELL = 12
"""Columns of a token in a table; special tokens are longer."""


@dataclass(frozen=True, kw_only=True)
class Positions:
    """A prompt's tokens `read` `[position]` and what the lens says after each.

    `tokens` and `probability` `[position, layer]` are of the most probable token, of `layers`;
    `through` as `analysis.lens.Lens` has it.
    """

    prompt: str
    read: Strings
    layers: Sequence[int]
    tokens: Strings
    probability: Floats
    through: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The same, layers in the order of `layers`."""
        result = {
            "prompt": self.prompt,
            "read": self.read,
            "layers": list(self.layers),
            "top_tokens": self.tokens,
            "top_probability": self.probability,
        }
        return result if self.through is None else {**result, "through": self.through}

    def text(self, room: int) -> str:
        """A table with a row for each position and a column for each layer."""
        header = ["after", *(f"L{layer}" for layer in self.layers)]
        rows = [
            [cut(visible(token), CELL) for token in (own, *tokens)]
            for own, tokens in zip(self.read, self.tokens, strict=True)
        ]
        below = "" if self.through is None else f"\n\n{wrapped(fitted_on(self.through), room)}"
        return table(header, rows, room, kept=1) + below

    def figure(self, subject: str) -> Heat:
        """Position by layer, the token in its cell, coloured by its probability."""
        rows = [
            HeatRow(
                prompt=f"{at} {visible(own)}",
                gold="",
                probability=tuple(map(float, values)),
                words=tuple(map(visible, tokens)),
            )
            for at, (own, values, tokens) in enumerate(
                zip(self.read, self.probability, self.tokens, strict=True)
            )
        ]
        group = HeatGroup(name=f"the most probable token at {self._span}", rows=tuple(rows))
        kind = f"{self.through['kind'].capitalize()} lens" if self.through else "Lens"
        title = f"{kind} at every position"
        return Heat(title=title, subject=subject, layer=0, groups=(group,))

    @property
    def _span(self) -> str:
        first, last = self.layers[0], self.layers[-1]
        whole = len(self.layers) == last - first + 1
        return f"L{first} to L{last}" if whole else ", ".join(f"L{at}" for at in self.layers)


def read_positions(loaded: LoadedModel, prompt: str, layers: Sequence[int]) -> Positions:
    """Read the lens after every token of `prompt`, one layer's logits at a time.

    Raises:
        UserError: the prompt has no token, or more than the model reads.
    """
    (tokens,) = readable_prompts(loaded, [prompt])
    causal = loaded.quirk != "non-causal-lens"
    stream = residual_stream(loaded.model, loaded.anatomy, mx.array([tokens]), causal=causal)
    ids, chances = [], []
    for layer in layers:
        logits = loaded.lens_logits(layer, stream[layer][0]).astype(mx.float32)
        top = mx.argmax(logits, axis=-1)
        log_p = logits.max(axis=-1) - mx.logsumexp(logits, axis=-1)
        mx.eval(top, log_p)
        ids.append(np.array(top))
        chances.append(np.exp(np.array(log_p, dtype=np.float64)))
    return Positions(
        prompt=prompt,
        read=token_texts(loaded, tokens),
        layers=layers,
        tokens=token_texts(loaded, np.stack(ids, axis=1)),
        probability=np.stack(chances, axis=1),
        through=through(loaded),
    )
