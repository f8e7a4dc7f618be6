"""Engrams: what the bottleneck keeps of each text, and what the classifier beside it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.axes import EvaluatedHits
from lazarus_bench.analysis.measured import Measured
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.engram import TrainedEngram, load_engram, read_texts
from lazarus_bench.models.texts import EncodedText, TextBatch, collate_texts, encode_texts
from lazarus_bench.tasks.labelled import Labelled
from lazarus_bench.tasks.labelled_data import read_data

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

Fed = Literal["zero", "own"]

MAX_TOKENS = 4096
"""Most positions of one forward, padding included."""


@dataclass(frozen=True, kw_only=True)
class EngramReading:
    """What one model says of texts, in their order.

    `label` and `predicted` `[text]` are classes, `engram` `[text, width]` the bottleneck's values
    in (−1, 1), and `cut` `[text]` whether the text was longer than the training's `max_length`.
    """

    label: Ints
    predicted: Ints
    engram: Floats
    cut: Bools

    @property
    def correct(self) -> EvaluatedHits:
        """Whether each prediction is right `[text]`."""
        correct: Bools = self.predicted == self.label
        return correct


def read_engrams(
    trained: TrainedEngram, texts: Sequence[Labelled], fed: Fed = "zero"
) -> EngramReading:
    """Read `texts` with a trained model, without dropout.

    A model with an engram (3) is read as the first half of every training batch was, with a zero
    engram as prefix. The methods and the writeup do not say what is fed at evaluation. Zero is the
    only prefix that the training knows for a text on its own: engrams were fed to other texts than
    theirs. It is also how the engrams that were fed were made, and it leaves each reading a
    function of its text alone. With `fed="own"` the classifier reads each text a second time behind
    its own engram, which no training does; `engram` is what was fed.

    Raises:
        UserError: there is no text, one is empty or does not fit the context, or the model feeds no
            engram.
    """
    if not texts:
        raise UserError(f"{trained.loaded.name}: engrams need one text or more")
    if fed == "own" and not trained.settings.engram:
        raise UserError(f"{trained.loaded.name} was trained without an engram: read it without one")
    encoded = encode_texts(trained.loaded, texts, "text", trained.settings.max_length)
    settings = trained.settings
    logits = np.empty((len(texts), len(settings.classes)))
    engrams = np.empty((len(texts), settings.engram_width))
    for rows in _chunks(encoded):
        batch = collate_texts([encoded[row] for row in rows])
        logits[rows], engrams[rows] = _read(trained, batch, fed)
    return EngramReading(
        label=np.array([text.label for text in texts], dtype=np.int64),
        predicted=logits.argmax(axis=1),
        engram=engrams,
        cut=np.array([text.cut for text in encoded]),
    )


def _chunks(texts: Sequence[EncodedText]) -> Iterator[list[int]]:
    """Indices of texts of similar length, as many as fit a forward."""
    rows: list[int] = []
    for row in sorted(range(len(texts)), key=lambda i: len(texts[i].tokens)):
        if rows and (len(rows) + 1) * len(texts[row].tokens) > MAX_TOKENS:
            yield rows
            rows = []
        rows.append(row)
    yield rows


def _read(trained: TrainedEngram, batch: TextBatch, fed: Fed) -> tuple[Floats, Floats]:
    """Logits and engrams of one forward, or of two."""
    model, anatomy = trained.model, trained.loaded.anatomy
    zero = model.heads.no_engrams(batch.last.size) if trained.settings.engram else None
    first = read_texts(model, anatomy, batch, zero)
    logits = first.logits
    if fed == "own":
        logits = read_texts(model, anatomy, batch, first.engrams).logits
    mx.eval(logits, first.engrams)
    return np.array(logits, dtype=np.float64), np.array(first.engrams, dtype=np.float64)


def engrams(run: Measured, fed: Fed = "zero") -> EngramReading:
    """`read_engrams` of the evaluation examples of what the run was trained on."""
    texts = read_data(run.data_source).validation
    return read_engrams(load_engram(run.directory, run.made), texts, fed)
