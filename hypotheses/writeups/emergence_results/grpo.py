"""Writeup C, the sections on GRPO and on GRPO with dual reward (TinyLlama-1.1B-Chat).

Where the writeup disagrees with itself:
- the eight layers' probe accuracies average 58.1% (base) and 49.4% (GRPO), the "statistical
  validation" below them says 54.0% and 54.0%, and the geometric analysis 65%;
- a KL penalty of -420 cannot be a KL divergence;
- "Classification signal works", of a model that says 'add' to every prompt.
"""

from dataclasses import dataclass

from ..records import LensTable, percent, percents, reading

PROBE_LAYERS = (0, 2, 4, 8, 10, 14, 16, 20)
PROBE_BASE = percents("50% 60% 50% 50% 70% 60% 65% 60%")
PROBE_GRPO = percents("50% 40% 45% 65% 55% 35% 50% 55%")
"""Results: Linear Probe Accuracy, at `PROBE_LAYERS`."""


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Mean and standard deviation of probe accuracy over trials."""

    mean: float
    deviation: float
    trials: int


VALIDATION_BASE = Validation(mean=percent("54.0%"), deviation=percent("8.8%"), trials=5)
VALIDATION_GRPO = Validation(mean=percent("54.0%"), deviation=percent("5.8%"), trials=5)
VALIDATION_COHEN_D = -0.00
"""Statistical validation (5 trials)."""

CLUSTER_SEPARATION = -0.003
GEOMETRIC_ACCURACY = percent("65%")
"""Geometric Analysis; "65% accuracy (noise)" of a probe on the GRPO model."""

ANSWER_RANK = (2.8, 2.6)
ANSWER_PROBABILITY = (0.288, 0.346)
"""But GRPO Does Improve Arithmetic: base, GRPO; averages whose number of prompts is not printed."""

EXAMPLE_RANK = (2, 1)
EXAMPLE_PROBABILITY = (0.43, 0.72)
"""The same, "Example: `6 * 9 = 54`": base, GRPO."""

GRPO_ANSWERS = (30, 8, 4)
GRPO_DUAL_ANSWERS = (20, 8, 2)
"""Setup: iterations, prompts an iteration, answers a prompt."""

CLASSIFICATION_WORDS = (
    *("correct", "incorrect", "right", "wrong", "true", "false", "yes"),
    *("no", "valid", "invalid", "good", "bad", "ok", "error"),
)
CLASSIFICATION_WORDS_FOUND = 0
"""Results: Vocabulary Mapping (Layer 10): none in the top or bottom 30 tokens."""

GRPO_DUAL_BASELINE = LensTable(
    model="TinyLlama 1.1B",
    layer=12,
    layers=22,
    rows=(
        reading("7 * 8 =", "政", "0.00% 0.00% 0.00% 0.00%"),
        reading("12 * 5 =", "runat", "0.00% 0.00% 0.00% 0.00%"),
        reading("23 + 45 =", "runat", "0.00% 0.00% 0.00% 0.00%"),
        reading("17 + 38 =", "actu", "0.00% 0.00% 0.00% 0.00%"),
        reading("50 - 23 =", "≥", "0.00% 0.00% 0.00% 0.00%"),
        reading("89 - 34 =", "≥", "0.00% 0.00% 0.00% 0.00%"),
    ),
)
"""GRPO + Dual-Reward, "Baseline (before training)"; the words are multiply, add, subtract."""

GRPO_DUAL_TRAINED = LensTable(
    model="TinyLlama 1.1B",
    layer=12,
    layers=22,
    rows=(
        reading("7 * 8 =", "add", "80.47% 5.47% 80.47% 9.03%"),
        reading("12 * 5 =", "add", "80.08% 6.18% 80.08% 9.57%"),
        reading("23 + 45 =", "add", "80.47% 4.54% 80.47% 8.50%"),
        reading("17 + 38 =", "add", "80.47% 4.54% 80.47% 8.50%"),
        reading("50 - 23 =", "add", "78.91% 5.71% 78.91% 10.69%"),
        reading("89 - 34 =", "add", "80.08% 5.44% 80.08% 10.16%"),
    ),
)
"""GRPO + Dual-Reward, "After training"; the words are multiply, add, subtract."""


@dataclass(frozen=True, kw_only=True)
class Iteration:
    """One row of "Training dynamics" of GRPO + dual reward."""

    iteration: int
    reward: float
    grpo_loss: float
    classification_loss: float
    kl_penalty: float


def _iteration(
    iteration: int, reward: float, grpo: float, classification: float, kl: float
) -> Iteration:
    return Iteration(
        iteration=iteration,
        reward=reward,
        grpo_loss=grpo,
        classification_loss=classification,
        kl_penalty=kl,
    )


GRPO_DUAL_DYNAMICS = (
    _iteration(1, 0.438, -0.0, 10.3125, 0.0),
    _iteration(5, 0.0, -0.0, 9.25, -162.229),
    _iteration(10, 0.0, -0.0, 1.8047, -93.0159),
    _iteration(15, 0.0, -0.0, 1.6875, -120.6209),
    _iteration(20, 0.0, -0.0, 1.0703, -419.6308),
)
"""GRPO + Dual-Reward, "Training dynamics"."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One row of "Final Results Table".

    Attributes:
        configuration: As printed.
        classification_loss: None where the table says "N/A" or "Similar".
        reward: None where the table says "N/A".
        probability: The classifier's probability; a tilde is dropped.
        token: The token that every prompt gets; "" where none is printed.
        collapsed: Whether the table ticks mode collapse; None where it says "N/A".
    """

    configuration: str
    classification_loss: float | None
    reward: float | None
    probability: float
    token: str
    collapsed: bool | None


def _attempt(name: str, loss: float | None, reward: float, printed: str, token: str) -> Attempt:
    return Attempt(
        configuration=name,
        classification_loss=loss,
        reward=reward,
        probability=percent(printed),
        token=token,
        collapsed=True,
    )


GRPO_DUAL_ATTEMPTS = (
    Attempt(
        configuration="Baseline",
        classification_loss=None,
        reward=None,
        probability=percent("0%"),
        token="",
        collapsed=None,
    ),
    _attempt("cls_weight=0.4", 1.07, 0.0, "80%", "add"),
    _attempt("+ Balanced sampling", None, 0.0, "~10%", "subtract"),
    _attempt("+ Entropy bonus", -1.3, 0.0, "~10%", "subtract"),
    _attempt("+ Low LR (2e-6)", 9.9, 0.5, "~0%", ""),
    _attempt("cls_weight=0.9", 6.97, 0.0, "~0.08%", "subtract"),
)
"""Mode Collapse Fix Attempts, "Final Results Table"."""


@dataclass(frozen=True, kw_only=True)
class ClassLossRange:
    """Classification loss of one attempt, first and last, as its paragraph has it."""

    attempt: int
    first: float
    last: float


ATTEMPT_LOSSES = (
    ClassLossRange(attempt=3, first=10.4, last=9.9),
    ClassLossRange(attempt=4, first=10.4, last=6.97),
)
"""Mode Collapse Fix Attempts, "Attempt 3" (over 50 iterations) and "Attempt 4" (100 iterations)."""
