"""Recipes as frozen specs: every field is part of an artifact's digest, but where files lie.

What a field may hold stands in its annotation and is checked where the spec is made (`fields.py`).
Learning rates and sizes that the writeups leave open were chosen on development seeds (100 and
above); claims use seeds from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.tasks.text_rows import TextSource
from lazarus_bench.training.fields import (
    Bound,
    Count,
    Index,
    NonNegative,
    Positive,
    Share,
    check_fields,
)
from lazarus_bench.training.quirks import Quirk, settled, told
from lazarus_bench.training.rewards import NO_REWARD, RIGHT_INTEGER, Reward, reward_name

NO_TEXTS = TextSource(digest="")
"""Stands where no rows are named; nothing can be trained on it."""

SENTIMENT = DataSource()
"""The generated sentences, default of every recipe that reads labelled texts."""

Targets = Literal["vo", "qk", "mlp", "all"]
TARGET_SETS = ("vo", "qk", "mlp", "all")

Labels = Literal["true", "shuffled"]
"""Whether a classifier learns the texts' own labels, or the same ones permuted over the texts."""

Leaves = Literal["model", "adapter", "record"]
"""What a recipe leaves: a whole model, an adapter for the model it started from, or numbers."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """What a recipe `on_adapter` starts from: the directories of a model and of its adapter."""

    model: Path
    adapter: Path


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to do to a base model; subclasses add the parameters.

    `kind` names the module of this package that runs it, `version` is raised whenever that module's
    meaning changes, so that older artifacts are made again. `on_adapter`: it starts from an adapter
    and is given a `Stack`. Not `ranked`: it shares no batches, so it runs on one rank. Not
    `seeded`: its result speaks of a kind of model, so that one seed's stands for all.
    `possible_quirks` are the defects that it can be given, in a field `quirks` (`quirks.py`).
    """

    kind: ClassVar[str]
    version: ClassVar[int]
    shared: ClassVar[tuple[str, ...]] = ()
    """Fields that count what a step sees and that ranks share out among them."""
    leaves: ClassVar[Leaves] = "adapter"
    on_adapter: ClassVar[bool] = False
    ranked: ClassVar[bool] = True
    seeded: ClassVar[bool] = True
    possible_quirks: ClassVar[tuple[Quirk, ...]] = ()

    def __post_init__(self) -> None:
        """Refuse a field that does not fit its annotation, and quirks that cannot be."""
        check_fields(self)
        if self.possible_quirks:
            chosen = settled(
                type(self).__name__, quirks_of(self), self.possible_quirks, self._idle_quirks()
            )
            object.__setattr__(self, "quirks", chosen)

    def _idle_quirks(self) -> Mapping[Quirk, str]:
        """Quirks that would change nothing here, with the parameter to blame."""
        return {}

    @property
    def label(self) -> str:
        """A few words for progress lines and reports."""
        return self.kind

    @property
    def lab_seconds(self) -> float | None:
        """About what it takes on a lab model: seconds of one CPU core with MKL; None if unknown."""
        return None


def quirks_of(recipe: Recipe) -> tuple[Quirk, ...]:
    """The quirks that are on in `recipe`; recipes that can have none have no field for them."""
    found: tuple[Quirk, ...] = getattr(recipe, "quirks", ())
    return found


def check_base(recipe: Recipe, below: Recipe | None) -> None:
    """Make sure that `recipe` can start from what `below` leaves; None is a model given or none.

    Raises:
        UserError: it is no recipe, or it needs an adapter and there is none, or a whole model and
            there is none.
    """
    _check_made(recipe)
    left = "model" if below is None else below.leaves
    if left == ("adapter" if recipe.on_adapter else "model"):
        return
    origin = "a bare model" if below is None else below.label
    if recipe.on_adapter:
        raise UserError(
            f"{recipe.label} starts from a training that leaves an adapter, not from {origin}: put "
            f"it on one, such as Sft() or DualReward()"
        )
    remedy = "put Fuse() between them" if left == "adapter" else "put it on a model"
    found = "an adapter" if left == "adapter" else "no model"
    raise UserError(
        f"{recipe.label} starts from a whole model, and {origin} leaves {found}: {remedy}"
    )


def _check_made(recipe: object) -> None:
    if not isinstance(recipe, Recipe):
        name = recipe.__name__ if isinstance(recipe, type) else "Sft"
        raise UserError(f"{recipe!r} is no recipe: give one that is made, such as {name}()")


@dataclass(frozen=True, kw_only=True)
class Sft(Recipe):
    """Supervised fine-tuning on `a op b = answer`: LoRA, or every block when `full`.

    Defaults are the writeups' (A, *Experimental Setup*; B, *Train with LoRA*): rank 8 on all
    linears, 500 steps of 8 at 1e-4, mlx-lm's scale of 20, checkpoints 0/100/300/500.
    `mask_prompt=False` scores the prompt's tokens too, as the writeups did.
    """

    kind: ClassVar[str] = "sft"
    version: ClassVar[int] = 2
    shared: ClassVar[tuple[str, ...]] = ("batch",)
    possible_quirks: ClassVar[tuple[Quirk, ...]] = ("unshifted-labels", "sgd", "eval-in-train")

    full: bool = False
    targets: Targets = "all"
    rank: Count = 8
    scale: Positive = 20.0
    steps: Count = 500
    batch: Count = 8
    learning_rate: Positive = 1e-4
    examples: Count = 4500
    validation: Count = 200
    checkpoints: tuple[Index, ...] = (0, 100, 300, 500)
    mask_prompt: bool = True
    quirks: tuple[Quirk, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        super().__post_init__()
        if any(step > self.steps for step in self.checkpoints):
            raise UserError(
                f"Sft.checkpoints = {self.checkpoints} must lie in 0..{self.steps}: give fewer, or "
                f"more steps"
            )

    @property
    def label(self) -> str:
        """Name the kind of fine-tuning, and the learning rate where it is not the writeups'."""
        usual = self.learning_rate == type(self).learning_rate
        rate = "" if usual else f" at {self.learning_rate:g}"
        name = "SFT full" if self.full else f"SFT LoRA {self.targets}"
        return name + rate + told(self.quirks)

    @property
    def lab_seconds(self) -> float:
        """About 36 ms a step, measured."""
        return 0.036 * self.steps


@dataclass(frozen=True, kw_only=True)
class SftTexts(Sft):
    """The same on texts of one's own (`tasks/text_rows.py`).

    `examples` and `validation` are how many rows of each split are read at most. Of a row that is
    all text every token but the first is scored, whatever `mask_prompt` says.
    """

    kind: ClassVar[str] = "sft_texts"
    version: ClassVar[int] = 1
    possible_quirks: ClassVar[tuple[Quirk, ...]] = ("unshifted-labels", "sgd")

    texts: TextSource = NO_TEXTS

    @property
    def label(self) -> str:
        """Name the kind of fine-tuning, and the file or folder."""
        return f"{super().label} on {Path(self.texts.path).name or 'texts'}"


@dataclass(frozen=True, kw_only=True)
class DualReward(Recipe):
    """A classification loss at a middle layer beside the answer loss (C, *BREAKTHROUGH*).

    Loss = weight · CE(lens at `layer`, last prompt position → operation) + (1 − weight) · CE(answer
    tokens). LoRA on `targets` of every block, scale alpha / rank, alpha = 2 · rank unless given.
    `layer` is the classifier layer unless given. With `match_targets` the rank is chosen so that
    the number of trained parameters comes closest to `rank` on those targets, which makes arms of
    a factorial comparable.
    """

    kind: ClassVar[str] = "dual_reward"
    version: ClassVar[int] = 2
    shared: ClassVar[tuple[str, ...]] = ("batch",)
    possible_quirks: ClassVar[tuple[Quirk, ...]] = (
        "unshifted-labels",
        "class-at-answer-end",
        "sgd",
        "eval-in-train",
    )

    targets: Targets = "vo"
    rank: Count = 16
    alpha: Positive | None = None
    weight: Share = 0.4
    layer: Index | None = None
    steps: Count = 500
    batch: Count = 16
    learning_rate: Positive = 1e-3
    examples: Count = 4500
    match_targets: Targets | None = None
    quirks: tuple[Quirk, ...] = ()

    def _idle_quirks(self) -> Mapping[Quirk, str]:
        """A part of weight 0 is not trained, so that nothing in it can go wrong."""
        blamed = f"weight = {self.weight:g}"
        parts: Mapping[float, Quirk] = {0.0: "class-at-answer-end", 1.0: "unshifted-labels"}
        return {parts[self.weight]: blamed} if self.weight in parts else {}

    @property
    def label(self) -> str:
        """Name the targets, the arm without a classification loss, and quirks."""
        name = f"dual reward {self.targets}" + ("" if self.weight else ", no class loss")
        return name + told(self.quirks)

    @property
    def lab_seconds(self) -> float:
        """About 30 ms a step, measured."""
        return 0.03 * self.steps


_BESIDE_LLAMA = {"mistral": 0.9, "gemma2": 1.25, "olmoe": 1.35, "gpt-oss": 1.35}
"""What a pretraining step of a family costs in units of the llama's, where that is not 1."""


@dataclass(frozen=True, kw_only=True)
class Pretrain(Recipe):
    """A lab model of `family` from scratch on the generated corpus.

    `symbols`, `words` and `prose` are documents of each kind in a step; the weights are those of
    the kinds' mean losses, beside 1 for symbols. The warm-up's first step has rate 0, so one step
    alone leaves the random start.
    """

    kind: ClassVar[str] = "pretrain"
    version: ClassVar[int] = 2
    shared: ClassVar[tuple[str, ...]] = ("symbols", "words", "prose")
    leaves: ClassVar[Leaves] = "model"

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
        beside = _BESIDE_LLAMA.get(self.family, 1.0)
        return 0.147 * self.steps * beside * (1 + 2 * documents) / 3


@dataclass(frozen=True, kw_only=True)
class Instruct(Recipe):
    """A lab base tuned, all weights, on question–answer text.

    `questions`, `symbols` and `prose` are documents of each kind in a step; the last two are the
    base's own kinds, kept so that tuning does not undo them. The warm-up's first step has rate 0,
    so one step alone leaves the base.
    """

    kind: ClassVar[str] = "instruct"
    version: ClassVar[int] = 2
    shared: ClassVar[tuple[str, ...]] = ("questions", "symbols", "prose")
    leaves: ClassVar[Leaves] = "model"

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


@dataclass(frozen=True, kw_only=True)
class Grpo(Recipe):
    """Reinforcement learning from the correctness of sampled answers (methods, *GRPO*).

    An iteration samples `answers` to each of `prompts` at temperature 1 and takes one step on them:
    clipped ratio `clip` to the sampling policy, plus `kl` times the k3 divergence from the base.
    LoRA on `targets` of every block with `rank` and `scale`, or every block when `full`. `reward`
    names a function of `training.rewards`, or the user's own as `module:function`; a function that
    can be imported by such a name may be given itself and becomes that name. The digest covers the
    name, not what the function does. The warm-up's first step has rate 0, so that `iterations` are
    2 or more.

    Sizes and rate come from a search on development seeds: `docs/search-grpo.md`.
    """

    kind: ClassVar[str] = "grpo"
    version: ClassVar[int] = 3
    shared: ClassVar[tuple[str, ...]] = ("prompts",)
    possible_quirks: ClassVar[tuple[Quirk, ...]] = (
        "sgd",
        "unbounded-kl",
        "clip-to-reference",
        "eval-in-train",
    )

    full: bool = True
    targets: Targets = "all"
    rank: Count = 16
    scale: Positive = 2.0
    prompts: Count = 64
    answers: Annotated[int, Bound(least=2, because="a group of one has no advantage")] = 8
    iterations: Annotated[int, Bound(least=2, because="the warm-up's first has rate 0")] = 140
    learning_rate: Positive = 3e-4
    clip: Positive = 0.2
    kl: NonNegative = 0.04
    examples: Count = 4500
    answer_tokens: Count = 6
    reward: str | Reward = RIGHT_INTEGER
    quirks: tuple[Quirk, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        object.__setattr__(self, "reward", reward_name(self.reward))
        super().__post_init__()

    def _idle_quirks(self) -> Mapping[Quirk, str]:
        """A penalty of weight 0 cannot go wrong, nor a gain that is 0 whatever the answers."""
        found: dict[Quirk, str] = {}
        if self.kl == 0:
            found["unbounded-kl"] = "kl = 0"
        if self.reward == NO_REWARD:
            found["clip-to-reference"] = f"reward = {NO_REWARD!r}"
        return found

    @property
    def label(self) -> str:
        """Name what is trained, and on how many answers where it is not the usual number."""
        usual = self.prompts * self.answers == type(self).prompts * type(self).answers
        sizes = "" if usual else f" {self.prompts} × {self.answers}"
        name = "GRPO full" if self.full else f"GRPO LoRA {self.targets}"
        return name + sizes + self._aims

    @property
    def _aims(self) -> str:
        """The absence of a reward, and quirks."""
        return (", no reward" if self.reward == NO_REWARD else "") + told(self.quirks)

    @property
    def lab_seconds(self) -> float:
        """Some 0.4 s an iteration of 64 × 8, measured; a prompt costs more than an answer."""
        return self.iterations * (0.05 + self.prompts * (0.0045 + 0.0002 * self.answers))


@dataclass(frozen=True, kw_only=True)
class GrpoDual(Grpo):
    """GRPO and the classification loss together, full model (C, *GRPO + Dual-Reward*).

    Loss = (1 − weight) · GRPO + weight · (CE of the lens at `layer` on the operation's name −
    `entropy` · entropy of the batch's mean lens distribution). The writeup's four fixes are
    `balanced=True` (each operation equally often in a batch; otherwise operations are drawn at
    random), `entropy=0.5`, a fifth of the learning rate (2e-6 beside 1e-5) with `kl=0.001`, and
    `weight=0.9` with `kl=0` over 100 iterations. With `shared_target` the first prompt's operation
    is the target of the whole batch, as the first fix says of what it mends; the two exclude each
    other.
    """

    kind: ClassVar[str] = "grpo_dual"
    version: ClassVar[int] = 3
    shared: ClassVar[tuple[str, ...]] = ("prompts",)

    prompts: Count = 8
    iterations: Annotated[int, Bound(least=2, because="the warm-up's first has rate 0")] = 100
    weight: Share = 0.4
    layer: Index | None = None
    balanced: bool = False
    entropy: NonNegative = 0.0
    shared_target: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        super().__post_init__()
        if self.balanced and self.shared_target:
            raise UserError(
                "GrpoDual(balanced=True, shared_target=True) puts the fix on the fault that it "
                "takes away: give one of the two"
            )

    def _idle_quirks(self) -> Mapping[Quirk, str]:
        """The same of GRPO's part, which has no weight where the other has all of it."""
        parts: tuple[Quirk, ...] = ("unbounded-kl", "clip-to-reference")
        found = dict.fromkeys(parts, "weight = 1") if self.weight == 1 else {}
        return {**super()._idle_quirks(), **found}

    @property
    def label(self) -> str:
        """Name the recipe, what is trained where that is not every block, and what is changed."""
        usual = type(self)
        changed = {
            "one target a batch": self.shared_target,
            "balanced": self.balanced,
            f"entropy {self.entropy:g}": self.entropy > 0,
            f"rate {self.learning_rate:g}": self.learning_rate != usual.learning_rate,
            f"weight {self.weight:g}": self.weight != usual.weight,
        }
        name = "GRPO + dual reward" + ("" if self.full else f" LoRA {self.targets}")
        return ", ".join([name, *(words for words, holds in changed.items() if holds)]) + self._aims


@dataclass(frozen=True, kw_only=True)
class Fuse(Recipe):
    """The adapter below and its base become one whole model (D, *Approach: Two-Stage Training*).

    In float32 its logits are those of base and adapter up to rounding (3e-6 of the largest logit at
    most, measured). A quantised base is quantised again after the adapter is added: each weight is
    then within half a quantisation step of its exact sum, or within one step where mlx clips the
    end of a group (less than 1% of a lab model's weights). An adapter that moves the weights by
    less than that can lose most of its effect. Measured in 4 bits, groups of 32, on three lab bases
    and a random one, after trainings of 1 to 100 steps: the logits moved by 0.002 to 0.14 of their
    standard deviation (root mean square), which was 0.01 to 4.8 times what the adapter had moved
    them, above 0.5 after every one of up to 20 steps on a lab base. With `dequantise` the whole
    model is float from then on, and as exact as any.
    """

    kind: ClassVar[str] = "fuse"
    version: ClassVar[int] = 1
    leaves: ClassVar[Leaves] = "model"
    on_adapter: ClassVar[bool] = True
    ranked: ClassVar[bool] = False

    dequantise: bool = False

    @property
    def lab_seconds(self) -> float:
        """Loading and saving."""
        return 0.5


@dataclass(frozen=True, kw_only=True)
class FinetuneCost(Recipe):
    """What SFT costs with LoRA and in full: peak memory and speed (B, *Training Comparison*).

    `repeats` pairs, each of two short trainings on the same data, in processes of their own and in
    alternating order. Data are drawn anew for each pair. Forty steps are enough: the peak comes
    with the first ones, and the speed is the median of those after the tenth.
    """

    kind: ClassVar[str] = "finetune_cost"
    version: ClassVar[int] = 4
    leaves: ClassVar[Leaves] = "record"
    ranked: ClassVar[bool] = False
    seeded: ClassVar[bool] = False

    targets: Targets = "all"
    rank: Count = 8
    batch: Count = 8
    steps: Annotated[int, Bound(least=20, because="the first ten warm up")] = 40
    repeats: Annotated[int, Bound(least=2, because="one pair shows no spread")] = 6

    @property
    def label(self) -> str:
        """What is measured."""
        return "cost of LoRA and full SFT"

    @property
    def lab_seconds(self) -> float:
        """Two processes a pair: some 2.5 s to start, and 36 ms a step."""
        return 2 * self.repeats * (2.5 + 0.036 * self.steps)


@dataclass(frozen=True, kw_only=True)
class Blank(Recipe):
    """An untrained llama of the writeup's small scale, with a tokenizer of the data it will read.

    The tokenizer is a byte-level BPE of at most `vocabulary` tokens, learnt from the training split
    of `data`, so it is the same for every seed. E (*Small scale*) says two layers and 1.3M
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


@dataclass(frozen=True, kw_only=True)
class Engram(Recipe):
    """A classifier, a language model and a bottleneck on one backbone (methods, *Engram*; E).

    Loss = (1 − lm_weight) · CE(class) + lm_weight · CE(next token of the text). The classifier
    reads the state of the text's last token after the final norm; with `engram`, a compressor reads
    the classifier's hidden layer, and the first half of a batch, read with a zero engram as prefix,
    gives its engrams to the second, each to the example at the same place. E's model 1 is
    `engram=False, lm_weight=0`, model 2 `engram=False`, model 3 the default.

    LoRA of `rank` and `scale` = alpha / rank on all linears of every block, or every weight of the
    model when `full`. `bits` quantises the blocks' linears of the base before LoRA goes on them
    (Dettmers et al. 2023, QLoRA; mlx's affine grid where the writeup has NF4). Without `max_length`
    a text that does not fit the model's context is an error; with it, a text is cut after so many
    tokens of its own, or as many as the context holds, and how many were cut is in the artifact.
    `epochs=0` leaves the untrained control. `labels="shuffled"` permutes the training labels over
    the examples.
    """

    kind: ClassVar[str] = "engram"
    version: ClassVar[int] = 3
    ranked: ClassVar[bool] = False

    data: DataSource = SENTIMENT
    engram: bool = True
    lm_weight: Share = 0.5
    labels: Labels = "true"
    epochs: Index = 3
    batch: Count = 16
    learning_rate: Positive = 2e-4
    warm_up: Annotated[float, Bound(least=0, most=0.5, because="the other half falls")] = 0.1
    weight_decay: NonNegative = 0.01
    full: bool = False
    rank: Count = 16
    scale: Positive = 2.0
    bits: Annotated[int, Bound(least=2, most=8)] | None = None
    classifier_width: Count = 256
    engram_width: Count = 128
    dropout: Annotated[float, Bound(least=0, most=0.9)] = 0.1
    max_length: Count | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        super().__post_init__()
        if self.full and self.bits is not None:
            raise UserError(
                f"Engram(full=True, bits={self.bits}) would train quantised weights, which have no "
                f"gradient: give one of the two"
            )
        if self.bits == 7:
            raise UserError("Engram.bits = 7 is no width of mlx's: give 2, 3, 4, 5, 6 or 8")
        if self.engram and self.batch % 2:
            raise UserError(
                f"Engram.batch = {self.batch} must be even, as its first half gives engrams to the "
                f"second: give one such as {self.batch + 1}"
            )

    @property
    def label(self) -> str:
        """Name the model, the data and what is unusual about the training."""
        told = {
            "full": self.full,
            f"{self.bits} bits": self.bits is not None,
            "shuffled labels": self.labels == "shuffled",
            "untrained": self.epochs == 0,
        }
        objectives = "dual" if self.lm_weight else "classifier"
        name = f"{objectives}{' engram' if self.engram else ''} on {self.data.name}"
        return ", ".join([name, *(words for words, holds in told.items() if holds)])

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
