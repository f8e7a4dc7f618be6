"""Dual reward: classification loss through the lens of a middle layer, beside the answer loss.

Source: methods, *Dual reward*.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from lazarus_bench import backend
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.adapters import (
    Lora,
    add_lora,
    lora_parameters,
    matched_rank,
    save_adapter,
)
from lazarus_bench.models.anatomy import Anatomy
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.prompts import Batch, Example, at_answer_end
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.models.templates import own_problems_of
from lazarus_bench.tasks.arithmetic import OPERATION_NAMES
from lazarus_bench.tasks.text_rows import TextSource, check_problems, read_rows
from lazarus_bench.training import loop, recipe
from lazarus_bench.training.arithmetic_data import (
    Gold,
    draw_problems,
    endless_batches,
    examples_of,
    gold_tokens,
)
from lazarus_bench.training.loop import Loss, Parts
from lazarus_bench.training.losses import answer_part, class_loss, phrase_loss
from lazarus_bench.training.optimizers import adam
from lazarus_bench.training.own_rows import on_rows, read_examples, write_rows
from lazarus_bench.training.record import write_problems

Weight = Annotated[
    recipe.Share,
    recipe.Option(
        help="weight of the classification loss, 0 to 1",
        aliases=("cls_weight", "classifier_weight"),
        metavar="W",
    ),
]
Layer = Annotated[
    recipe.Index | None,
    recipe.Option(
        help="the layer whose lens is trained, from 0",
        aliases=("classifier_layer",),
        usual="⌊0.55 · layers⌋",
    ),
]


@dataclass(frozen=True, kw_only=True)
class DualReward(recipe.Recipe):
    """Train a middle layer's lens together with the answer.

    Loss = weight · CE(lens at `layer`, last prompt position → operation) + (1 − weight) · CE(answer
    tokens). The operation's name must be a single token; `words` give a class another text, such as
    "multiply= multiply", and `token` reads a text of several tokens by its first one, or as a
    phrase: the sum of the CE of its tokens, each after those before it, in a forward of its own.
    LoRA on `targets` of every block, scale alpha / rank; alpha defaults to 2 · rank and
    `layer` to the classifier layer. With `match_targets`, the rank is chosen so that the number of
    trained parameters is closest to that of `rank` on those targets, which makes the arms of a
    factorial comparable.
    """

    kind = "dual_reward"
    version = 2
    shared = ("batch",)
    examples_of_use = (
        "lazarus-bench train dual-reward lab:llama --weight 0.4 --output adapters",
        "lazarus-bench lens lab:llama '7 * 8 = ' --adapter adapters --targets multiply",
    )
    also: ClassVar[Mapping[str, recipe.Option]] = {
        "answer_weight": recipe.Option(
            help="1 minus the weight of the classification loss; an alternative to --weight",
            aliases=("ans_weight",),
            metavar="W",
            hint=float,
            instead="weight",
        ),
        "texts": recipe.OWN_PROBLEMS,
    }
    possible_quirks = ("unshifted-labels", "class-at-answer-end", "sgd", "eval-in-train")

    targets: recipe.Linears = "vo"
    rank: recipe.Rank = 16
    alpha: recipe.Alpha = recipe.option(None, usual="2 · rank")
    weight: Weight = 0.4
    layer: Layer = None
    steps: recipe.Steps = 500
    batch: recipe.Batch = 16
    learning_rate: recipe.Rate = 1e-3
    examples: recipe.Examples = 4500
    match_targets: recipe.Targets | None = recipe.option(None)
    quirks: recipe.Quirks = ()
    texts: TextSource | None = recipe.option(None, added=True)
    max_seq_length: recipe.Count | None = recipe.option(
        None,
        recipe.MAX_SEQ_LENGTH.help,
        usual=recipe.MAX_SEQ_LENGTH.usual,
        added=True,
    )
    words: recipe.Words = recipe.option((), added=True)
    token: recipe.Token = recipe.option("only", added=True)

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        super().__post_init__()
        object.__setattr__(self, "words", recipe.ordered(self.words))
        recipe.check_cut(self.max_seq_length, self.texts)
        if self.token == "phrase" and "class-at-answer-end" in self.quirks:
            raise UserError(
                "DualReward(token='phrase') reads each class after the prompt, where the quirk "
                "'class-at-answer-end' does not: give token='first' or leave the quirk off"
            )

    def _idle_quirks(self) -> Mapping[recipe.Quirk, str]:
        """A part of weight 0 is not trained, so that nothing in it can go wrong."""
        blamed = f"weight = {self.weight:g}"
        parts: Mapping[float, recipe.Quirk] = {0.0: "class-at-answer-end", 1.0: "unshifted-labels"}
        idle = {parts[self.weight]: blamed} if self.weight in parts else {}
        return idle | recipe.idle_on_rows(self.texts)

    @property
    def label(self) -> str:
        """Name the targets, the arm without a classification loss, own rows, and quirks."""
        name = f"dual reward {self.targets}" + ("" if self.weight else ", no class loss")
        name += recipe.rows_suffix(self.texts)
        return name + recipe.quirk_suffix(self.quirks)

    @property
    def lab_seconds(self) -> float:
        """About 30 ms a step, measured."""
        return 0.03 * self.steps

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, blank: bool = False) -> DualReward:  # noqa: ARG003 - every recipe's
        """With the weight of the answer loss turned into that of the classification loss."""
        given = dict(settings)
        answer = given.pop("answer_weight", None)
        if answer is not None and not 0 <= answer <= 1:
            raise UserError(f"--answer-weight {answer:g} must be between 0 and 1")
        weight = None if answer is None else round(1 - answer, 12)
        if weight is not None and given.setdefault("weight", weight) != weight:
            raise UserError(
                f"the weights {given['weight']:g} and {answer:g} of the two losses do not sum to "
                f"1: give one of them"
            )
        if given.get("alpha") == 2 * given.get("rank", cls.rank):
            del given["alpha"]  # the default, so that equal trainings share a digest
        return cls(**on_rows(given, classes=True))

    def lora(self, loaded: LoadedModel) -> Lora:
        """The adapter; scale alpha / rank, 2 where alpha is the default 2 · rank."""
        keys = loaded.anatomy.target_keys(self.targets)
        scale = 2.0 if self.alpha is None else self.alpha / self.rank
        if self.match_targets is None:
            return Lora(keys=keys, rank=self.rank, scale=scale)
        wanted = loaded.anatomy.target_keys(self.match_targets)
        budget = lora_parameters(loaded, wanted, self.rank)
        return Lora(keys=keys, rank=matched_rank(loaded, keys, budget), scale=scale)

    def gold(self, loaded: LoadedModel) -> Gold:
        """The tokens that stand for each class in `loaded`.

        Raises:
            UserError, NotApplicable: as `gold_tokens`.
        """
        classes = OPERATION_NAMES if self.texts is None else read_rows(self.texts).classes
        return gold_tokens(loaded, recipe.words_by_class(self.words), self.token, classes)

    def train(self, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
        """Train and leave an adapter and its metrics in `out`."""
        backend.seed(seed)
        loaded = load(base)
        layer = classifier_layer(self.layer, loaded)
        gold = self.gold(loaded)
        lora = self.lora(loaded)
        add_lora(loaded, lora)
        loop.fit(
            loaded.model,
            dual_loss(loaded.anatomy, layer, self.weight, self.quirks),
            endless_batches(self._examples(loaded, gold, out, seed), self.batch, 0, seed),
            optimizer=adam(self.learning_rate, self.quirks),
            steps=self.steps,
            label=f"{self.label} seed {seed}",
            out=out,
            show=show,
        )
        save_adapter(loaded, out, lora)

    def _examples(self, loaded: LoadedModel, gold: Gold, out: Path, seed: int) -> Sequence[Example]:
        """Those of one seed, whose problems are kept in `out`."""
        if self.texts is None:
            problems = draw_problems(seed, self.examples, leak="eval-in-train" in self.quirks)
            write_problems(out, problems)
            return examples_of(loaded, problems, gold)
        rows = read_rows(self.texts)
        check_problems(rows, classes=True)
        own = rows.train[: self.examples]
        read = read_examples(loaded, own, self.max_seq_length, gold=gold)
        write_rows(out, rows, {"train": read})
        write_problems(out, own_problems_of(loaded, own))
        return read.examples


def classifier_layer(given: int | None, loaded: LoadedModel) -> int:
    """The layer whose lens is trained: the one given, else the model's classifier layer.

    Raises:
        UserError: the model has no such layer.
    """
    layer = loaded.classifier_layer if given is None else given
    if not 0 <= layer < loaded.depth:
        raise UserError(f"layer {layer} is not in {loaded.name}: choose 0 to {loaded.depth - 1}")
    return layer


def dual_loss(
    anatomy: Anatomy, layer: int, weight: float, quirks: Collection[recipe.Quirk] = ()
) -> Loss:
    """Weight · class loss + (1 − weight) · answer loss, in nats; both parts are logged.

    With weight 0 the class loss is still logged but no gradient flows through it. Under a quirk the
    losses are what the public source reports; `answers` says what is logged beside them.
    """
    answers = answer_part(quirks)

    def loss(model: nn.Module, batch: Batch) -> tuple[mx.array, Parts]:
        residuals = residual_stream(model, anatomy, batch.tokens)
        answer, beside = answers(model, anatomy, residuals, batch)
        read = at_answer_end(batch) if "class-at-answer-end" in quirks else batch
        if batch.phrases is None:
            label = class_loss(model, anatomy, residuals, read, layer)
        else:
            label = phrase_loss(model, anatomy, batch.phrases, layer)
        label = label if weight else mx.stop_gradient(label)
        parts = {"class": label, "answer": answer, **beside}
        return weight * label + (1 - weight) * answer, parts

    return loss
