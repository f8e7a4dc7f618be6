"""Bases: a lab model from scratch in about a minute of one CPU core, tuned, or left untrained.

Each step mixes symbols, words and prose. Only answers and prose have a loss (see
`tasks.corpus.Document`), so the unembedding and its softmax run nowhere else.

The defaults come from a search on development seeds (100 to 104) for a base with a held-out
accuracy between 20% and 80% on every operation. The decisive choices: the number tokens' waves
(`models.lab`), weight decay 1 rather than 0.1 (and not 3), clipped gradients, few end-of-text
labels, and products that occur as answers in training (`tasks.arithmetic`). More multiplications,
a 12 × 12 table and Muon made held-out accuracy worse. One choice was not blind to a claim seed: the
tables start at one because seed 1, checked with tables from two, had 21% on multiplication; the
lens played no part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import Anatomy
from lazarus_bench.models.families import anatomy_of, lab_model
from lazarus_bench.models.files import read_config
from lazarus_bench.models.load import load
from lazarus_bench.models.prompts import Batch, Example, check_shares, collate
from lazarus_bench.tasks import corpus
from lazarus_bench.tasks.corpus import Document
from lazarus_bench.tasks.labelled_data import DataSource, read_data
from lazarus_bench.training import loop
from lazarus_bench.training.balance import balanced, measure_load, mixture_of, write_load
from lazarus_bench.training.loop import Loss, Parts
from lazarus_bench.training.losses import sft_loss
from lazarus_bench.training.optimizers import GRADIENT_NORM, matrix_adamw, warm_cosine
from lazarus_bench.training.recipe import Bound, Count, NonNegative, Positive, Recipe

if TYPE_CHECKING:
    from tokenizers import Tokenizer


CLOSE_EVERY = 8

FEW = 16

LOAD_STEPS = 10
"""Number of further steps, some 7,000 tokens, on which the load of the experts is measured."""

Draw = Callable[[np.random.Generator, int], list[Document]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One kind of document in every step: how many, and the weight of its mean loss."""

    name: str
    draw: Draw
    count: int
    weight: float


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """The batches of one step, one for each part, since their lengths differ."""

    batches: tuple[Batch, ...]
    names: tuple[str, ...]

    @property
    def size(self) -> int:
        """Tokens fed."""
        return sum(batch.size for batch in self.batches)

    def shard(self, rank: int, size: int) -> Mixed:
        """Each part's share of one of `size` ranks.

        Raises:
            UserError: a part has fewer documents than there are ranks.
        """
        for name, batch in zip(self.names, self.batches, strict=True):
            check_shares(f"a part {name!r}", batch.tokens.shape[0], size)
        return replace(self, batches=tuple(batch.shard(rank, size) for batch in self.batches))


def encode(tokenizer: Tokenizer, documents: Sequence[Document]) -> list[Example]:
    """Token ids of documents: begin-of-text and what is given, then the text.

    Every eighth document, starting with the first, ends with end-of-text. That is enough to learn
    to stop; with an end in every document the model learned half as fast.
    """
    from lazarus_bench.models import lab_tokenizer

    bos = lab_tokenizer.token_id(tokenizer, lab_tokenizer.BOS)
    eos = lab_tokenizer.token_id(tokenizer, lab_tokenizer.EOS)
    given = tokenizer.encode_batch([d.given for d in documents], add_special_tokens=False)
    text = tokenizer.encode_batch([d.text for d in documents], add_special_tokens=False)
    return [
        Example(prompt=(bos, *g.ids), answer=(*t.ids, eos) if i % CLOSE_EVERY == 0 else (*t.ids,))
        for i, (g, t) in enumerate(zip(given, text, strict=True))
    ]


def steps_of(parts: Sequence[Part], seed: int) -> Iterator[Mixed]:
    """Endless steps of fresh documents, the same for the same seed."""
    from lazarus_bench.models import lab_tokenizer

    tokenizer = lab_tokenizer.tokenizer()
    pad = lab_tokenizer.token_id(tokenizer, lab_tokenizer.PAD)
    rng = np.random.default_rng((seed, 3))
    while True:
        drawn = [encode(tokenizer, part.draw(rng, part.count)) for part in parts]
        # Padding few documents costs less than the step's traces for all their shapes would.
        leasts = (4 if part.count < FEW else 1 for part in parts)
        batches = tuple(
            collate(examples, pad, least=least)
            for examples, least in zip(drawn, leasts, strict=True)
        )
        yield Mixed(batches=batches, names=tuple(part.name for part in parts))


def mixed_loss(anatomy: Anatomy, parts: Sequence[Part]) -> Loss:
    """Weighted sum of the parts' mean cross-entropies in nats; each part is logged unweighted."""

    def loss(model: nn.Module, mixed: Mixed) -> tuple[mx.array, Parts]:
        losses = [sft_loss(model, anatomy, batch) for batch in mixed.batches]
        total = sum((p.weight * x for p, x in zip(parts, losses, strict=True)), mx.array(0.0))
        return total, {p.name: x for p, x in zip(parts, losses, strict=True)}

    return loss


@dataclass(frozen=True, kw_only=True)
class Pretrain(Recipe):
    """A lab model of `family` from scratch on the generated corpus.

    `symbols`, `words` and `prose` are documents of each kind in a step; the weights are those of
    the kinds' mean losses, beside 1 for symbols. The warm-up's first step has rate 0, so one step
    alone leaves the random start.
    """

    kind = "pretrain"
    version = 2
    shared = ("symbols", "words", "prose")
    leaves = "model"

    family: str = "llama"
    steps: Count = 600
    learning_rate: Positive = 3e-3
    weight_decay: NonNegative = 1.0
    symbols: Count = 64
    words: Count = 12
    prose: Count = 4
    words_weight: NonNegative = 0.5
    prose_weight: NonNegative = 0.05

    @property
    def label(self) -> str:
        """Name the family where it is not the llama."""
        return self.kind if self.family == type(self).family else f"{self.kind} {self.family}"

    @property
    def lab_seconds(self) -> float:
        """147 ms a step of the llama with 80 documents, a third of it whatever their number."""
        documents = (self.symbols + self.words + self.prose) / 80
        cost = lab_model(self.family)[1].step_cost
        return 0.147 * self.steps * cost * (1 + 2 * documents) / 3

    @property
    def parts(self) -> tuple[Part, ...]:
        """The mixture of one step."""
        return (
            Part(name="symbols", draw=corpus.symbols, count=self.symbols, weight=1.0),
            Part(name="words", draw=corpus.worded, count=self.words, weight=self.words_weight),
            Part(name="prose", draw=corpus.prose, count=self.prose, weight=self.prose_weight),
        )

    def train(self, base: None, out: Path, seed: int, show: bool | None = None) -> None:
        """Make a base model of the family in `out`; `base` is unused.

        A mixture of experts also learns to balance its load and records each expert's load on the
        documents that would have come next (`balance.py`).
        """
        from lazarus_bench.models import lab

        del base
        backend.seed(seed)
        config = lab.config_of(self.family)
        model, mixture = lab.initialise(config, seed), mixture_of(config)
        batches = steps_of(self.parts, seed)
        loss = mixed_loss(anatomy_of(config), self.parts)
        rate = warm_cosine(self.learning_rate, self.steps)
        loop.fit(
            model,
            loss if mixture is None else balanced(loss, mixture),
            batches,
            optimizer=matrix_adamw(rate, self.weight_decay, betas=[0.9, 0.98]),
            clip=GRADIENT_NORM,
            steps=self.steps,
            label=f"{self.label} seed {seed}",
            out=out,
            show=show,
        )
        lab.save(model, config, out)
        if mixture is not None:
            write_load(out, measure_load(model, mixture, list(islice(batches, LOAD_STEPS))))


@dataclass(frozen=True, kw_only=True)
class Instruct(Recipe):
    """A lab base tuned, all weights, on question–answer text.

    Half of the questions are in words and half in symbols. `questions`, `symbols` and `prose` are
    documents of each kind in a step. The last two come from the base's own corpus: without the
    symbols, a hundred steps cost a third or more of the held-out accuracy on them (development
    seed 102). The warm-up's first step has rate 0,
    so one step alone leaves the base.
    """

    kind = "instruct"
    version = 2
    shared = ("questions", "symbols", "prose")
    leaves = "model"

    steps: Count = 100
    questions: Count = 24
    symbols: Count = 32
    prose: Count = 4
    prose_weight: NonNegative = 0.05
    learning_rate: Positive = 5e-4
    weight_decay: NonNegative = 1.0

    @property
    def lab_seconds(self) -> float:
        """About 150 ms a step, measured."""
        return 0.15 * self.steps

    @property
    def parts(self) -> tuple[Part, ...]:
        """The mixture of one step."""
        return (
            Part(name="questions", draw=corpus.questions, count=self.questions, weight=1.0),
            Part(name="symbols", draw=corpus.symbols, count=self.symbols, weight=1.0),
            Part(name="prose", draw=corpus.prose, count=self.prose, weight=self.prose_weight),
        )

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
        """Tune the lab base in `base` and leave a whole model in `out`."""
        from lazarus_bench.models import lab

        backend.seed(seed)
        loaded = load(base)
        loaded.model.train()
        rate = warm_cosine(self.learning_rate, self.steps, warm=10)
        loop.fit(
            loaded.model,
            mixed_loss(loaded.anatomy, self.parts),
            steps_of(self.parts, seed),
            optimizer=matrix_adamw(rate, self.weight_decay),
            clip=GRADIENT_NORM,
            steps=self.steps,
            label=f"{self.label} seed {seed}",
            out=out,
            show=show,
        )
        lab.save(loaded.model, read_config(base), out)


@dataclass(frozen=True, kw_only=True)
class Blank(Recipe):
    """An untrained llama for `Engram(full=True)`, with a tokenizer of the data it will read.

    The tokenizer is a byte-level BPE of at most `vocabulary` tokens, learnt from the training split
    of `data`, so it is the same for every seed. The source (*Small scale (1.3M
    params, from scratch)*) says two layers and 1.3M parameters and no more. The defaults come to
    vocabulary · width + layers · (4 · width² + 3 · width · hidden) + norms = 640,000 + 665,600 +
    800 = 1,306,400, half of it in each term: fewer tokens of more dimensions would make the texts
    longer, more would spend the time on the softmax.
    Data of few words, such as the generated ones, have fewer merges and so fewer parameters.
    """

    kind = "blank"
    version = 1
    leaves = "model"
    ranked = False

    data: DataSource = DataSource()
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
