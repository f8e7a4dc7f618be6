"""Recipes as frozen specs: every field is part of an artifact's digest.

Learning rates and sizes that the writeups leave open were chosen on development seeds (100 and
above); claims use seeds from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from lazarus_bench.errors import UserError

Targets = Literal["vo", "qk", "mlp", "all"]
TARGET_SETS = ("vo", "qk", "mlp", "all")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to do to a base model; subclasses add the parameters.

    `kind` names the module of this package that runs it, `version` is raised whenever that module's
    meaning changes, so that older artifacts are made again.
    """

    kind: ClassVar[str]
    version: ClassVar[int]
    shared: ClassVar[tuple[str, ...]] = ()
    """Fields that count what a step sees and that ranks share out among them."""

    @property
    def label(self) -> str:
        """A few words for progress lines and reports."""
        return self.kind

    @property
    def lab_seconds(self) -> float | None:
        """About what it takes on a lab model: seconds of one CPU core with MKL; None if unknown."""
        return None


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise UserError(f"{name} = {value} must be above 0")


def _known_targets(targets: str) -> None:
    if targets not in TARGET_SETS:
        raise UserError(f"targets {targets!r} are unknown: choose {', '.join(TARGET_SETS)}")


@dataclass(frozen=True, kw_only=True)
class Sft(Recipe):
    """Supervised fine-tuning on `a op b = answer`: LoRA, or every block when `full`.

    Defaults are the writeups' (A, *Experimental Setup*; B, *Train with LoRA*): rank 8 on all
    linears, 500 steps of 8 at 1e-4, mlx-lm's scale of 20, checkpoints 0/100/300/500.
    `mask_prompt=False` scores the prompt's tokens too, as the writeups did.
    """

    kind: ClassVar[str] = "sft"
    version: ClassVar[int] = 1
    shared: ClassVar[tuple[str, ...]] = ("batch",)

    full: bool = False
    targets: Targets = "all"
    rank: int = 8
    scale: float = 20.0
    steps: int = 500
    batch: int = 8
    learning_rate: float = 1e-4
    examples: int = 4500
    validation: int = 200
    checkpoints: tuple[int, ...] = (0, 100, 300, 500)
    mask_prompt: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        _known_targets(self.targets)
        for name in ("rank", "steps", "batch", "learning_rate", "examples", "validation"):
            _positive(f"Sft.{name}", getattr(self, name))
        if any(not 0 <= step <= self.steps for step in self.checkpoints):
            raise UserError(f"Sft.checkpoints {self.checkpoints} must lie in 0..{self.steps}")

    @property
    def label(self) -> str:
        """Name the kind of fine-tuning, and the learning rate where it is not the writeups'."""
        usual = self.learning_rate == type(self).learning_rate
        rate = "" if usual else f" at {self.learning_rate:g}"
        return ("SFT full" if self.full else f"SFT LoRA {self.targets}") + rate

    @property
    def lab_seconds(self) -> float:
        """About 36 ms a step, measured."""
        return 0.036 * self.steps


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
    version: ClassVar[int] = 1
    shared: ClassVar[tuple[str, ...]] = ("batch",)

    targets: Targets = "vo"
    rank: int = 16
    alpha: float | None = None
    weight: float = 0.4
    layer: int | None = None
    steps: int = 500
    batch: int = 16
    learning_rate: float = 1e-3
    examples: int = 4500
    match_targets: Targets | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        _known_targets(self.targets)
        if self.match_targets is not None:
            _known_targets(self.match_targets)
        for name in ("rank", "steps", "batch", "learning_rate", "examples"):
            _positive(f"DualReward.{name}", getattr(self, name))
        if not 0 <= self.weight <= 1:
            raise UserError(f"DualReward.weight = {self.weight} must lie in 0..1")

    @property
    def label(self) -> str:
        """Name the targets, and the arm without a classification loss."""
        return f"dual reward {self.targets}" + ("" if self.weight else ", no class loss")

    @property
    def lab_seconds(self) -> float:
        """About 30 ms a step, measured."""
        return 0.03 * self.steps


@dataclass(frozen=True, kw_only=True)
class Pretrain(Recipe):
    """A lab model from scratch on the generated corpus.

    `symbols`, `words` and `prose` are documents of each kind in a step; the weights are those of
    the kinds' mean losses, beside 1 for symbols.
    """

    kind: ClassVar[str] = "pretrain"
    version: ClassVar[int] = 1
    shared: ClassVar[tuple[str, ...]] = ("symbols", "words", "prose")

    family: str = "llama"
    steps: int = 600
    learning_rate: float = 3e-3
    weight_decay: float = 1.0
    symbols: int = 64
    words: int = 12
    prose: int = 4
    words_weight: float = 0.5
    prose_weight: float = 0.05

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        for name in ("steps", "learning_rate", "symbols", "words", "prose"):
            _positive(f"Pretrain.{name}", getattr(self, name))

    @property
    def lab_seconds(self) -> float:
        """About 147 ms a step, measured."""
        return 0.147 * self.steps


@dataclass(frozen=True, kw_only=True)
class Instruct(Recipe):
    """A lab base tuned, all weights, on question–answer text.

    `questions`, `symbols` and `prose` are documents of each kind in a step; the last two are the
    base's own kinds, kept so that tuning does not undo them.
    """

    kind: ClassVar[str] = "instruct"
    version: ClassVar[int] = 1
    shared: ClassVar[tuple[str, ...]] = ("questions", "symbols", "prose")

    steps: int = 100
    questions: int = 24
    symbols: int = 32
    prose: int = 4
    prose_weight: float = 0.05
    learning_rate: float = 5e-4
    weight_decay: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        for name in ("steps", "questions", "symbols", "prose", "learning_rate"):
            _positive(f"Instruct.{name}", getattr(self, name))

    @property
    def lab_seconds(self) -> float:
        """About 150 ms a step, measured."""
        return 0.15 * self.steps
