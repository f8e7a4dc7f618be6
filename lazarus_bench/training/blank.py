"""Blank: an untrained backbone of the writeup's small scale, for `Engram(full=True)` to train.

Source: writeup E, *Small scale (1.3M params, from scratch)*.
"""

from __future__ import annotations

from pathlib import Path

from lazarus_bench.models.blank import blank_config, draw_weights, save_blank, train_tokenizer
from lazarus_bench.tasks.labelled_data import read_data
from lazarus_bench.training.specs import Blank


def run(spec: Blank, base: Path | None, out: Path, seed: int, show: bool | None = None) -> None:
    """Leave the untrained model of `seed` and its tokenizer in `out`; `base` is unused."""
    del base, show
    texts = [example.text for example in read_data(spec.data).train]
    tokenizer = train_tokenizer(texts, spec.vocabulary)
    config = blank_config(
        tokenizer,
        layers=spec.layers,
        width=spec.width,
        heads=spec.heads,
        hidden=spec.hidden,
        context=spec.context,
    )
    save_blank(draw_weights(config, seed), config, tokenizer, out)
