"""Engram: a classifier and a language model on one backbone, with a bottleneck that is fed back.

Source: methods, *Engram*; writeup E, *Three Models* and *Architecture Details*.

With `engram`, example i of a batch's second half is read with the engram of example i of the first
half, which belongs to another text: gradients of the second half's losses flow through it into the
compressor, the classifier's hidden layer and the backbone of the first. That is all that ever
trains the compressor; in models 1 and 2 it is frozen, so that it stays a random projection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.exponentials import cross_entropy
from lazarus_bench.models.adapters import Lora, add_lora, save_adapter
from lazarus_bench.models.anatomy import Anatomy, unembed
from lazarus_bench.models.engram import (
    EngramModel,
    EngramSettings,
    TextReading,
    make_heads,
    quantise_blocks,
    read_texts,
    save_heads,
)
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.texts import EncodedText, TextBatch, collate_texts, encode_texts
from lazarus_bench.tasks.labelled_data import LabelledData, digest_of, read_data
from lazarus_bench.training.loop import Loss, Parts, fit
from lazarus_bench.training.pretrain import GRADIENT_NORM, MatrixAdamW, warm_cosine
from lazarus_bench.training.record import write_whole
from lazarus_bench.training.specs import Engram

TEXTS = "texts.json"

Rows = npt.NDArray[np.int64]

POOL = 32
"""Batches whose examples are sorted by length together: little padding, and batches still vary."""


@dataclass(frozen=True, kw_only=True)
class Halves:
    """A batch in one part, or in two of equal size of which the first gives its engrams."""

    parts: tuple[TextBatch, ...]

    @property
    def size(self) -> int:
        """Tokens fed, prefixes not counted."""
        return sum(part.size for part in self.parts)


def _cut(texts: Sequence[EncodedText], parts: int) -> Halves:
    size = len(texts) // parts
    cuts = (texts[at : at + size] for at in range(0, parts * size, size))
    return Halves(parts=tuple(map(collate_texts, cuts)))


def text_batches(
    texts: Sequence[EncodedText], size: int, parts: int, seed: int
) -> Iterator[Halves]:
    """Batches of `size` texts of similar length, in new order every epoch.

    An epoch has len(texts) // size of them; what is left over changes with the order.
    """
    rng = np.random.default_rng((seed, 2))
    lengths = np.array([len(text.tokens) for text in texts])
    while True:
        order = rng.permutation(len(texts))[: len(texts) // size * size]
        pools = [order[at : at + POOL * size] for at in range(0, len(order), POOL * size)]
        ordered = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
        for batch in rng.permutation(ordered.reshape(-1, size)):
            # Sorted texts would give the engrams of short ones to long ones, always.
            yield _cut([texts[i] for i in rng.permutation(batch)], parts)


def read_halves(model: nn.Module, anatomy: Anatomy, batch: Halves) -> list[TextReading]:
    """A reading of each part.

    One part has no prefix; of two, the first has zero engrams as prefix and the second the engrams
    of the first, not detached.
    """
    if len(batch.parts) == 1:
        return [read_texts(model, anatomy, batch.parts[0], None)]
    first, second = batch.parts
    nothing = model.heads.no_engrams(first.last.size)
    giving = read_texts(model, anatomy, first, nothing)
    return [giving, read_texts(model, anatomy, second, giving.engrams)]


def class_sum(reading: TextReading, batch: TextBatch) -> mx.array:
    """Sum over texts of the classifier's cross-entropy in nats."""
    return nn.losses.cross_entropy(reading.logits, batch.labels, reduction="sum")


def text_sum(
    model: nn.Module, anatomy: Anatomy, reading: TextReading, batch: TextBatch
) -> mx.array:
    """Sum over labels of the next token's cross-entropy in nats."""
    states = reading.residual[batch.rows, batch.columns]
    logits = unembed(model.backbone, anatomy, states).astype(mx.float32)
    return cross_entropy(logits, batch.targets).sum()


def engram_loss(anatomy: Anatomy, lm_weight: float) -> Loss:
    """(1 − lm_weight) · CE(class) + lm_weight · CE(next token), means in nats over the whole batch.

    With weight 0 nothing is unembedded and the language model's loss is not logged.
    """

    def loss(model: nn.Module, batch: Halves) -> tuple[mx.array, Parts]:
        read = list(zip(read_halves(model, anatomy, batch), batch.parts, strict=True))
        texts = sum(part.last.size for part in batch.parts)
        label = sum((class_sum(*pair) for pair in read), mx.array(0.0)) / texts
        if not lm_weight:
            return label, {"class": label}
        labels = max(sum(part.targets.size for part in batch.parts), 1)
        text = sum((text_sum(model, anatomy, *pair) for pair in read), mx.array(0.0)) / labels
        return (1 - lm_weight) * label + lm_weight * text, {"class": label, "text": text}

    return loss


def _encoded(spec: Engram, loaded: LoadedModel, data: LabelledData) -> list[EncodedText]:
    """The training texts; the validation split is looked at too, before hours go into training."""
    splits = (("training example", data.train), ("validation example", data.validation))
    for what, split in splits:
        if not split:
            raise UserError(f"{data.name} has no {what}: give one or more")
    train, _ = (encode_texts(loaded, split, what, spec.max_length) for what, split in splits)
    return train


def with_labels(spec: Engram, texts: Sequence[EncodedText], seed: int) -> list[EncodedText]:
    """The texts with the labels that the spec asks for: their own, or all of them permuted.

    A permutation of few labels happens to keep many right ones, from which the true classes could
    be learnt after all. So the texts of each class, in random order, are dealt labels of all
    classes in their proportions.
    """
    if spec.labels == "true":
        return list(texts)
    labels = np.array([text.label for text in texts])
    order = np.random.default_rng((seed, 5)).permutation(len(texts))
    by_class = order[np.argsort(labels[order], kind="stable")]
    dealt = np.empty_like(labels)
    dealt[by_class] = _interleaved(labels)
    return [replace(text, label=label) for text, label in zip(texts, dealt.tolist(), strict=True)]


def _interleaved(labels: Rows) -> Rows:
    """The same labels in an order in which each recurs evenly."""
    counts = np.bincount(labels)
    given = np.repeat(np.arange(len(counts)), counts)
    place = np.concatenate([(np.arange(count) + 0.5) / count for count in counts if count])
    return np.asarray(given[np.argsort(place, kind="stable")])


def _batch_size(spec: Engram, texts: Sequence[EncodedText]) -> int:
    """The spec's, or all texts where there are fewer; even where there are halves."""
    parts = 2 if spec.engram else 1
    if len(texts) < parts:
        raise UserError(f"{spec.label} needs {parts} training examples or more: give more")
    return min(spec.batch, len(texts) // parts * parts)


def _prepare(spec: Engram, loaded: LoadedModel, settings: EngramSettings) -> EngramModel:
    """Quantise, draw heads and adapter, and freeze what is not to be trained."""
    if spec.bits is not None:
        quantise_blocks(loaded, spec.bits)
    heads = make_heads(loaded, settings)
    heads.train()
    if not spec.engram:
        heads.compress.freeze()
        heads.project.freeze()
    if spec.full:
        loaded.model.unfreeze()
    else:
        add_lora(loaded, _lora(spec, loaded))
    return EngramModel(loaded.model, heads)


def _lora(spec: Engram, loaded: LoadedModel) -> Lora:
    keys = loaded.anatomy.target_keys("all")
    return Lora(keys=keys, rank=spec.rank, scale=spec.scale)


def _settings(spec: Engram, data: LabelledData) -> EngramSettings:
    return EngramSettings(
        classes=data.classes,
        classifier_width=spec.classifier_width,
        engram_width=spec.engram_width,
        dropout=spec.dropout,
        engram=spec.engram,
        max_length=spec.max_length,
        bits=spec.bits,
    )


@dataclass(frozen=True, kw_only=True)
class TrainingTexts:
    """What an artifact was trained on.

    `digest` is that of the training split's examples with their own labels, which a recipe's digest
    does not cover where they are generated; `examples` of each class as they were learnt, `cut` how
    many texts were longer than `max_length`.
    """

    data: str
    digest: str
    examples: tuple[int, ...]
    cut: int
    max_length: int | None
    steps: int


def read_training_texts(directory: Path) -> TrainingTexts:
    """What the artifact in `directory` was trained on."""
    found = json.loads((directory / TEXTS).read_text(encoding="utf-8"))
    return TrainingTexts(**found | {"examples": tuple(found["examples"])})


def _write_texts(spec: Engram, data: LabelledData, texts: list[EncodedText], out: Path) -> int:
    """Keep what is trained on, and say for how many steps."""
    steps = spec.epochs * (len(texts) // _batch_size(spec, texts))
    counts = np.bincount([text.label for text in texts], minlength=len(data.classes))
    about = TrainingTexts(
        data=data.name,
        digest=digest_of(data.train),
        examples=tuple(counts.tolist()),
        cut=sum(text.cut for text in texts),
        max_length=spec.max_length,
        steps=steps,
    )
    write_whole(out / TEXTS, json.dumps(vars(about), indent=1) + "\n")
    return steps


def run(spec: Engram, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
    """Train and leave an adapter (or all weights), the heads and metrics in `out`."""
    backend.seed(seed)
    loaded, data = load(base), read_data(spec.data)
    settings = _settings(spec, data)
    texts = with_labels(spec, _encoded(spec, loaded, data), seed)
    steps = _write_texts(spec, data, texts, out)
    model = _prepare(spec, loaded, settings)
    fit(
        model,
        engram_loss(loaded.anatomy, spec.lm_weight),
        text_batches(texts, _batch_size(spec, texts), 2 if spec.engram else 1, seed),
        optimizer=MatrixAdamW(
            warm_cosine(spec.learning_rate, steps, warm=round(spec.warm_up * steps)),
            weight_decay=spec.weight_decay,
            bias_correction=True,
        ),
        clip=GRADIENT_NORM,
        steps=steps,
        label=f"{spec.label} seed {seed}",
        out=out,
        show=show,
    )
    save_adapter(loaded, out, None if spec.full else _lora(spec, loaded))
    save_heads(model.heads, settings, out)
