"""Engram: a classifier and a language model on one backbone, with a bottleneck that is fed back.

Source: methods, *Engram*.

With `engram`, example i of a batch's second half is read with the engram of example i of the first
half, which belongs to another text: gradients of the second half's losses flow through it into the
compressor, the classifier's hidden layer and the backbone of the first. That is all that ever
trains the compressor; in models 1 and 2 it is frozen, so that it stays a random projection.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.exp import cross_entropy
from lazarus_bench.models.adapters import Lora, add_lora, save_adapter
from lazarus_bench.models.anatomy import Anatomy, unembed
from lazarus_bench.models.files import read_json
from lazarus_bench.models.load import load
from lazarus_bench.models.texts import EncodedText, TextBatch, collate_texts, encode_texts
from lazarus_bench.tasks.labelled import generated
from lazarus_bench.tasks.labelled_data import DataSource, digest_of, read_data, source_at
from lazarus_bench.tasks.labelled_files import corpora
from lazarus_bench.training import loop, recipe
from lazarus_bench.training.loop import Loss, Parts
from lazarus_bench.training.optimizers import GRADIENT_NORM, matrix_adamw, warm_cosine
from lazarus_bench.training.record import write_whole

if TYPE_CHECKING:
    from lazarus_bench.models.engram import TextReading

TEXTS = "texts.json"

Labels = Literal["true", "shuffled"]
"""Whether a classifier learns the texts' own labels, or the same ones permuted over the texts."""


@dataclass(frozen=True, kw_only=True)
class Engram(recipe.Recipe):
    """Train a classifier, a language model and a bottleneck on one backbone.

    Loss = (1 − lm_weight) · CE(class) + lm_weight · CE(next token of the text). The classifier's
    input is the state of the text's last token after the final norm. With `engram`, a compressor
    maps the classifier's hidden layer to an engram: the first half of a batch, run with a zero
    engram as prefix, provides the engrams for the second half, each for the example at the same
    index. The source's model 1 is `engram=False, lm_weight=0`, model 2 `engram=False`, model 3 the
    default.

    Trains LoRA of `rank` and `scale` = alpha / rank on all linear layers of every block, or every
    weight of the model if `full`. `bits` quantises the base's linear layers in the blocks first
    (Dettmers et al. 2023, QLoRA; mlx's affine grid instead of the source's NF4). Without
    `max_length`, a text that does not fit the model's context is an error; with it, texts are
    truncated to that many tokens or to the context, and the number of truncated texts is stored in
    the artifact. `epochs=0` gives the untrained control. `labels="shuffled"` permutes the training
    labels over the examples.
    """

    kind = "engram"
    version = 3
    ranked = False

    examples_of_use = (
        "lazarus-bench train engram lab:blank --output engram",
        "lazarus-bench train engram lab:llama --data topics --no-engram --lm-weight 0",
        "lazarus-bench train engram MODEL --data sst2=GLUE/SST-2 --bits 4 --output engram",
    )
    also: ClassVar[Mapping[str, recipe.Option]] = {
        "alpha": recipe.alpha_of("2 · rank"),
        "data": recipe.Option(
            help="training data: sentiment or topics (generated), sst2=DIR or ag_news=DIR "
            "(docs/data.md)",
            aliases=("dataset",),
            usual="sentiment",
            hint=str,
        ),
        "examples": recipe.Option(
            help="maximum number of training examples, or the number generated",
            usual="4000, 20,000 from a file; on lab:blank 120 for sentiment, 40 for topics",
            hint=int,
        ),
        "validation": recipe.Option(
            help="maximum number of evaluation examples", usual="500, 10,000 from a file", hint=int
        ),
    }

    data: DataSource = recipe.option(DataSource())
    engram: bool = recipe.option(True, "feed the compressed state back as a prefix (third model)")
    lm_weight: recipe.Share = recipe.option(
        0.5,
        "weight of the next-token loss, 0 to 1; 0 without an engram is the first model",
        metavar="W",
    )
    labels: Labels = recipe.option("true", "training labels: true, or shuffled for the control")
    epochs: recipe.Index = recipe.option(
        3,
        "passes over the examples; 0 gives the untrained control",
        aliases=("num_epochs",),
        usual="3; on lab:blank 24 for sentiment, 30 for topics",
    )
    batch: recipe.Batch = recipe.option(16, "texts per step; 32 on lab:blank with a file")
    learning_rate: recipe.Rate = recipe.option(2e-4, usual="2e-4; on lab:blank 1e-3")
    warm_up: Annotated[float, recipe.Bound(least=0, most=0.5, because="the other half falls")] = (
        recipe.option(
            0.1, "fraction of the steps with a rising learning rate", aliases=("warmup_ratio",)
        )
    )
    weight_decay: recipe.NonNegative = recipe.option(0.01, "weight decay, on matrices only")
    full: bool = recipe.option(
        False, "train every weight instead of LoRA", usual="off; on lab:blank on"
    )
    rank: recipe.Rank = 16
    scale: recipe.Scale = 2.0
    bits: Annotated[int, recipe.Bound(least=2, most=8)] | None = recipe.option(
        None,
        "quantise the blocks' linear layers under LoRA to 2, 3, 4, 5, 6 or 8 bits",
        usual="none",
    )
    classifier_width: recipe.Count = recipe.option(256, "width of the classifier's hidden layer")
    engram_width: recipe.Count = recipe.option(
        128, "width of the bottleneck", aliases=("bottleneck", "engram_dim")
    )
    dropout: Annotated[float, recipe.Bound(least=0, most=0.9)] = recipe.option(
        0.1, "dropout in the classifier"
    )
    max_length: recipe.Count | None = recipe.option(
        None,
        "truncate texts to this number of tokens",
        usual="128; all on lab:blank with generated data",
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        super().__post_init__()
        if self.full and self.bits is not None:
            raise UserError(
                f"Engram(full=True, bits={self.bits}) would train quantised weights, which have no "
                f"gradient: give one of the two"
            )
        if self.bits == 7:
            raise UserError("Engram.bits = 7 is not a bit width of mlx: give 2, 3, 4, 5, 6 or 8")
        if self.engram and self.batch % 2:
            raise UserError(
                f"Engram.batch = {self.batch} must be even, as its first half gives engrams to the "
                f"second: give one such as {self.batch + 1}"
            )

    @property
    def label(self) -> str:
        """Name the model, the data and what is unusual about the training."""
        objectives = "dual" if self.lm_weight else "classifier"
        name = f"{objectives}{' engram' if self.engram else ''} on {self.data.name}"
        changed = {
            "full": self.full,
            f"{self.bits} bits": self.bits is not None,
            "shuffled labels": self.labels == "shuffled",
            "untrained": self.epochs == 0,
        }
        return ", ".join([name, *(words for words, holds in changed.items() if holds)])

    @property
    def lab_seconds(self) -> float:
        """A step of 16 generated texts takes 45 ms for model 1 and 80 ms for model 3.

        Measured on a busy machine, and divided by how much longer SFT's steps took there.
        """
        texts = min(self.data.train, self.data.held or self.data.train)
        steps = self.epochs * (texts // self.batch)
        forwards = 2 if self.engram else 1
        example = 0.0017 if self.lm_weight else 0.0013
        return 1.5 + steps * (0.025 * forwards + example * self.batch)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, blank: bool = False) -> Engram:
        """The recipe a claim would train from the same start, with `settings` changed."""
        given = dict(settings)
        base = suited_base(_named_data(given.pop("data", "sentiment")), blank=blank)
        wanted = {
            split: count
            for split, name in (("train", "examples"), ("validation", "validation"))
            if (count := given.pop(name, None)) is not None
        }
        remedy = "" if blank else "give --no-full as well, or "
        recipe.check_lora(given, full=given.get("full", base.full), remedy=remedy)
        given = recipe.scaled(given, cls.rank)
        if base.full and given.get("full") is False and blank:
            raise UserError("--no-full would leave lab:blank untrained: leave it out")
        return replace(base, data=replace(base.data, **wanted), **given)

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
        """Train and leave an adapter (or all weights), the heads and metrics in `out`."""
        from lazarus_bench.models.engram import (
            EngramModel,
            EngramSettings,
            make_heads,
            quantise_blocks,
            save_heads,
        )

        backend.seed(seed)
        loaded, data = load(base), read_data(self.data)
        settings = EngramSettings(
            classes=data.classes,
            classifier_width=self.classifier_width,
            engram_width=self.engram_width,
            dropout=self.dropout,
            engram=self.engram,
            max_length=self.max_length,
            bits=self.bits,
        )
        splits = (("training example", data.train), ("validation example", data.validation))
        for what, split in splits:
            if not split:
                raise UserError(f"{data.name} has no {what}: give one or more")
        # The validation split is encoded too, so that a bad text is found before hours of training.
        own, _ = (encode_texts(loaded, split, what, self.max_length) for what, split in splits)
        texts, halves = with_labels(self, own, seed), 1 + self.engram
        if len(texts) < halves:
            raise UserError(f"{self.label} needs {halves} training examples or more: give more")
        batch = min(self.batch, len(texts) // halves * halves)
        steps = self.epochs * (len(texts) // batch)
        counts = np.bincount([text.label for text in texts], minlength=len(data.classes))
        about = TrainingTexts(
            data=data.name,
            digest=digest_of(data.train),
            examples=tuple(counts.tolist()),
            cut=sum(text.cut for text in texts),
            max_length=self.max_length,
            steps=steps,
        )
        write_whole(out / TEXTS, json.dumps(vars(about), indent=1) + "\n")
        if self.bits is not None:
            quantise_blocks(loaded, self.bits)
        heads = make_heads(loaded, settings)
        heads.train()
        if not self.engram:
            heads.compress.freeze()
            heads.project.freeze()
        lora = None
        if self.full:
            loaded.model.unfreeze()
        else:
            lora = Lora(keys=loaded.anatomy.target_keys("all"), rank=self.rank, scale=self.scale)
            add_lora(loaded, lora)
        rate = warm_cosine(self.learning_rate, steps, warm=round(self.warm_up * steps))
        loop.fit(
            EngramModel(loaded.model, heads),
            engram_loss(loaded.anatomy, self.lm_weight),
            text_batches(texts, batch, halves, seed),
            optimizer=matrix_adamw(rate, self.weight_decay),
            clip=GRADIENT_NORM,
            steps=steps,
            label=f"{self.label} seed {seed}",
            out=out,
            show=show,
        )
        save_adapter(loaded, out, lora)
        save_heads(heads, settings, out)


def _named_data(named: str) -> DataSource:
    name, _, folder = named.partition("=")
    if name in _LAB and not folder:
        return _LAB[name].data
    if name in generated() and not folder:
        return DataSource(name=name)
    if name in corpora() and folder:
        return source_at(name, folder)
    known = ", ".join([*generated(), *(f"{name}=DIR" for name in corpora())])
    raise UserError(f"--data {named} is unknown: choose {known}")


@dataclass(frozen=True, kw_only=True)
class EngramArms:
    """Trainings that differ only as their names say.

    `classifier`, `dual_head` and `dual_engram` are the source's models 1, 2 and 3; the others are
    controls. `class_engram` is model 3 without the language model's loss: the same bottleneck, fed
    back in the same way, trained by classification alone. `shuffled` and `untrained` are model 3 on
    permuted labels and before its first step.
    """

    classifier: Engram
    dual_head: Engram
    dual_engram: Engram
    class_engram: Engram
    shuffled: Engram
    untrained: Engram


def engram_arms(model: Engram) -> EngramArms:
    """All arms of `model`, a model 3."""
    return EngramArms(
        classifier=replace(model, engram=False, lm_weight=0.0),
        dual_head=replace(model, engram=False),
        dual_engram=model,
        class_engram=replace(model, lm_weight=0.0),
        shuffled=replace(model, labels="shuffled"),
        untrained=replace(model, epochs=0),
    )


LAB_SENTIMENT = Engram(
    data=DataSource(name="sentiment", train=120, validation=500),
    full=True,
    epochs=24,
    learning_rate=1e-3,
)
"""Model 3 from scratch on the lab's sentences; sizes and rate from a search on development seeds
(`docs/search-engram.md`). So few examples leave room above model 1; models 2 and 3 are right about
nearly every sentence."""

LAB_TOPICS = Engram(
    data=DataSource(name="topics", train=40, validation=500),
    full=True,
    epochs=30,
    learning_rate=1e-3,
)
"""Model 3 from scratch on the lab's news; so few examples leave room above every model."""

_LAB = {model.data.name: model for model in (LAB_SENTIMENT, LAB_TOPICS)}
REGISTERED = frozenset(arm for model in _LAB.values() for arm in vars(engram_arms(model)).values())
"""The arms that claims name; only these are adapted to their base."""

MAX_LENGTH = 128
"""Tokens read of a text, if the model's context holds as many."""


def suited_base(data: DataSource, *, blank: bool) -> Engram:
    """Model 3 on `data`: all weights of a blank base, or the source's adapter on a model."""
    if blank and data.name in _LAB:
        return _LAB[data.name]
    if blank:
        return Engram(data=data, full=True, batch=32, learning_rate=1e-3, max_length=MAX_LENGTH)
    # An adapter on a model is trained on more examples than those from scratch.
    return Engram(data=data if data.path else replace(data, train=4000), max_length=MAX_LENGTH)


def suited(arm: Engram, data: DataSource, *, blank: bool) -> Engram:
    """The registered `arm` on `data`, its own or real, adapted to a blank base or a model."""
    model = suited_base(data, blank=blank)
    return replace(
        model,
        engram=arm.engram,
        lm_weight=arm.lm_weight,
        labels=arm.labels,
        epochs=model.epochs if arm.epochs else 0,
    )


@dataclass(frozen=True, kw_only=True)
class Halves:
    """A batch in one part, or in two of equal size of which the first gives its engrams."""

    parts: tuple[TextBatch, ...]

    @property
    def size(self) -> int:
        """Tokens fed, prefixes not counted."""
        return sum(part.size for part in self.parts)

    @classmethod
    def of(cls, texts: Sequence[EncodedText], parts: int) -> Halves:
        """Collate `texts` in `parts` parts."""
        size = len(texts) // parts
        cuts = (texts[at : at + size] for at in range(0, parts * size, size))
        return cls(parts=tuple(map(collate_texts, cuts)))


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
        # Batches are sorted by length 32 at a time: little padding, yet they vary.
        pools = [order[at : at + 32 * size] for at in range(0, len(order), 32 * size)]
        ordered = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
        for batch in rng.permutation(ordered.reshape(-1, size)):
            # In sorted order, engrams would always go from short texts to long ones.
            yield Halves.of([texts[i] for i in rng.permutation(batch)], parts)


def read_halves(model: nn.Module, anatomy: Anatomy, batch: Halves) -> list[TextReading]:
    """The states of each part.

    A single part has no prefix; of two, the first has zero engrams as its prefix and the second has
    the first's engrams, not detached.
    """
    from lazarus_bench.models.engram import read_texts

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
    return (cross_entropy(logits, batch.targets) * batch.weights).sum()


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
        counts = sum((part.weights.sum() for part in batch.parts), mx.array(0.0))
        labels = mx.maximum(counts, 1.0)
        text = sum((text_sum(model, anatomy, *pair) for pair in read), mx.array(0.0)) / labels
        return (1 - lm_weight) * label + lm_weight * text, {"class": label, "text": text}

    return loss


def with_labels(spec: Engram, texts: Sequence[EncodedText], seed: int) -> list[EncodedText]:
    """The texts with the labels that the spec names: their own, or permuted.

    A random permutation of few labels can leave many of them right, so that the true classes could
    still be learnt. So the texts of each class, in random order, are dealt labels of all
    classes in their proportions.
    """
    if spec.labels == "true":
        return list(texts)
    labels = np.array([text.label for text in texts])
    order = np.random.default_rng((seed, 5)).permutation(len(texts))
    by_class = order[np.argsort(labels[order], kind="stable")]
    dealt = np.empty_like(labels)
    counts = np.bincount(labels)
    place = np.concatenate([(np.arange(count) + 0.5) / count for count in counts if count])
    evenly = np.argsort(place, kind="stable")  # an order in which each label recurs evenly
    dealt[by_class] = np.repeat(np.arange(len(counts)), counts)[evenly]
    return [replace(text, label=label) for text, label in zip(texts, dealt.tolist(), strict=True)]


@dataclass(frozen=True, kw_only=True)
class TrainingTexts:
    """The texts an artifact was trained on.

    `digest` covers the training split with its true labels, which a recipe's digest does not cover
    for generated data; `examples` counts each class as it was learnt, `cut` the texts longer than
    `max_length`.
    """

    data: str
    digest: str
    examples: tuple[int, ...]
    cut: int
    max_length: int | None
    steps: int


def read_training_texts(directory: Path) -> TrainingTexts:
    """The texts the artifact in `directory` was trained on."""
    found = read_json(directory / TEXTS)
    return TrainingTexts(**found | {"examples": tuple(found["examples"])})
