"""Blank: an untrained backbone of a small scale, for `Engram(full=True)` to train.

Source: *Small scale (1.3M params, from scratch)*.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.labelled_data import DataSource, read_data
from lazarus_bench.training.recipe import Bound, Count, Leaves, Recipe

BLANK = "lab:blank"
"""As a subject: a small untrained backbone with a tokenizer of the labelled data that are read."""

SENTIMENT = DataSource()
"""The generated sentences, default of every recipe that reads labelled texts."""


@dataclass(frozen=True, kw_only=True)
class Blank(Recipe):
    """An untrained llama of a small scale, with a tokenizer of the data it will read.

    The tokenizer is a byte-level BPE of at most `vocabulary` tokens, learnt from the training split
    of `data`, so it is the same for every seed. The source (*Small scale*) says two layers and 1.3M
    parameters and no more. The defaults come to vocabulary · width + layers · (4 · width² + 3 ·
    width · hidden) + norms = 640,000 + 665,600 + 800 = 1,306,400, half of it in each term: fewer
    tokens of more dimensions would make the texts longer, more would spend the time on the softmax.
    Data of few words, such as the generated ones, have fewer merges and so fewer parameters.
    """

    kind: ClassVar[str] = "blank"
    version: ClassVar[int] = 1
    leaves: ClassVar[Leaves] = "model"
    ranked: ClassVar[bool] = False

    data: DataSource = SENTIMENT
    vocabulary: Annotated[int, Bound(least=512, because="256 bytes and some words need room")] = (
        4000
    )
    layers: Count = 2
    width: Count = 160
    heads: Count = 5
    hidden: Count = 480
    context: Annotated[int, Bound(least=8)] = 512

    def __post_init__(self) -> None:
        """Refuse what no model can be built from."""
        super().__post_init__()
        if self.width % (2 * self.heads):
            raise UserError(
                f"Blank.width = {self.width} must be an even number of dimensions for each of "
                f"{self.heads} heads: give a multiple of {2 * self.heads}"
            )

    @property
    def label(self) -> str:
        """Name the data."""
        return f"{self.kind} for {self.data.name}"

    @property
    def lab_seconds(self) -> float:
        """The merges of the generated data; those of 20,000 real sentences take about as long."""
        return 1.0

    def train(self, base: None, out: Path, seed: int, show: bool | None = None) -> None:
        """Leave the untrained model of `seed` and its tokenizer in `out`; `base` is unused."""
        from lazarus_bench.models import lab
        from lazarus_bench.models.untrained import blank_config, draw_weights, train_tokenizer

        del base, show
        texts = [example.text for example in read_data(self.data).train]
        tokenizer = train_tokenizer(texts, self.vocabulary)
        config = blank_config(
            tokenizer,
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            hidden=self.hidden,
            context=self.context,
        )
        lab.save(draw_weights(config, seed), config, out, tokenizer)
