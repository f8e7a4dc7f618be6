"""Writeup B, "Classifier Emergence Experiment - CLI Edition": LoRA against full fine-tuning.

Both runs train Llama-3.2-1B on 4,500 problems for 500 steps of batch 8; the lens is read at every
layer of 16. The accuracy table prints "x" for multiplication, the prompts hold "*".

Where the writeup disagrees with itself:
- full fine-tuning's five synonyms sum to 75.5%, the line below them says ~67%;
- the LoRA column is one token ('remaining'), the other column five: they are not the same measure;
- 973M / 5.6M is 174, not 175;
- 45 x 45 is answered 90 with 98% by both runs, under "both methods achieve high accuracy".
"""

from dataclasses import dataclass

from lazarus_bench.judge import Hits, Means, Reported
from lazarus_bench.published.records import Finding, Labelled, depth_of, percent
from lazarus_bench.published.two_stage_classifier import BASELINE, STAGE_1

LAYERS = 16


@dataclass(frozen=True, kw_only=True)
class FineTune:
    """One column of "Training Comparison".

    Attributes:
        name: The method.
        parameters: Trainable parameters, as rounded in the table.
        share: Their share of the model.
        peak_memory: Gigabytes.
        speed: Tokens per second.
        learning_rate: The optimiser's.
        train_loss: Final training loss.
        validation_loss: Final validation loss.
    """

    name: str
    parameters: float
    share: float
    peak_memory: float
    speed: float
    learning_rate: float
    train_loss: float
    validation_loss: float


LORA = FineTune(
    name="LoRA",
    parameters=5.6e6,
    share=percent("0.5%"),
    peak_memory=3.6,
    speed=450.0,
    learning_rate=1e-4,
    train_loss=0.998,
    validation_loss=1.033,
)
FULL = FineTune(
    name="Full Fine-tune",
    parameters=973e6,
    share=percent("78.7%"),
    peak_memory=9.8,
    speed=300.0,
    learning_rate=1e-5,
    train_loss=1.012,
    validation_loss=1.033,
)
"""Training Comparison; the speeds are printed with a tilde."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One row of "Results: Accuracy": answers of both runs with their printed probabilities."""

    prompt: str
    lora: int
    lora_probability: float
    full: int
    full_probability: float
    correct: int


def _answer(prompt: str, lora: int, lora_p: str, full: int, full_p: str, correct: int) -> Answer:
    return Answer(
        prompt=prompt,
        lora=lora,
        lora_probability=percent(lora_p),
        full=full,
        full_probability=percent(full_p),
        correct=correct,
    )


ANSWERS = (
    _answer("7 x 8 =", 56, "100%", 56, "100%", 56),
    _answer("12 x 5 =", 60, "100%", 60, "100%", 60),
    _answer("45 x 45 =", 90, "98%", 90, "98%", 2025),
    _answer("23 + 45 =", 68, "100%", 68, "73%", 68),
    _answer("17 + 38 =", 55, "100%", 55, "100%", 55),
    _answer("89 - 34 =", 55, "100%", 55, "100%", 55),
    _answer("65 - 28 =", 37, "100%", 37, "100%", 37),
)
"""Results: Accuracy, seven prompts."""


@dataclass(frozen=True, kw_only=True)
class LayerReading:
    """The top lens token of one layer."""

    layer: int
    token: str
    probability: float


def _layer(layer: int, token: str, printed: str) -> LayerReading:
    return LayerReading(layer=layer, token=token, probability=percent(printed))


SUBTRACTION_BY_LAYER = (
    _layer(0, " ", "7.8%"),
    _layer(10, "remaining", "53.9%"),
    _layer(11, "isté", "9.1%"),
    _layer(12, "isté", "1.9%"),
    _layer(13, "55", "20.2%"),
    _layer(14, "55", "83.2%"),
    _layer(15, "55", "100.0%"),
)
"""Layer-by-Layer Analysis: LoRA (89 - 34 = 55); layers 1-9 are printed as "noise"."""

MULTIPLICATION_BY_LAYER = (
    _layer(0, " ", "6.1%"),
    _layer(11, "8", "13.0%"),
    _layer(12, "-eight", "5.9%"),
    _layer(13, "56", "80.5%"),
    _layer(14, "56", "99.2%"),
    _layer(15, "56", "100.0%"),
)
"""Layer-by-Layer Analysis: LoRA (7 x 8 = 56); layers 1-10 are printed as "noise"."""

REMAINING_LAYER = 10
LORA_REMAINING = (percent("53.9%"), percent("46.3%"))
FULL_SYNONYMS_TOTAL = (percent("~67%"), percent("~65%"))
"""Subtraction Classifier Comparison, `89 - 34 =` and `65 - 28 =`, layer 10."""

FULL_SYNONYMS = (
    _layer(10, "remaining", "26.8%"),
    _layer(10, " reste", "16.2%"),
    _layer(10, " remainder", "13.5%"),
    _layer(10, " remaining", "9.8%"),
    _layer(10, " Remain", "9.2%"),
)
"""Subtraction Classifier at Layer 10, full fine-tuning, `89 - 34 =`."""


def crystallises_at(readings: tuple[LayerReading, ...], answer: str) -> float:
    """Depth of the first printed layer that gives the answer at least one half."""
    found = (r.layer for r in readings if r.token == answer and r.probability >= 0.5)
    return depth_of(next(found), LAYERS)


def _gain(table: str, before: float, after: float) -> Reported:
    note = f"{before:.0%} to {after:.0%}, {table}; the number of prompts is not printed"
    return Reported(value=after - before, note=note)


LORA_ACCURACY = Hits(values=(tuple(float(row.lora == row.correct) for row in ANSWERS),))
FULL_ACCURACY = Hits(values=(tuple(float(row.full == row.correct) for row in ANSWERS),))

ANSWER_CRYSTALLISES_LATE = Finding(
    claim="lens/answer-crystallises-late",
    source="B, Layer-by-Layer Analysis",
    evidence=Means(
        values=(
            (
                crystallises_at(SUBTRACTION_BY_LAYER, "55"),
                crystallises_at(MULTIPLICATION_BY_LAYER, "56"),
            ),
        )
    ),
    note="Two prompts of one run: 89 - 34 reaches 83.2% at L14, 7 * 8 reaches 80.5% at L13, of 16 "
    "layers.",
)

REMAINING_TOKEN = Finding(
    claim="sft/remaining-token",
    source="B, Subtraction Classifier Comparison",
    evidence=Means(values=(LORA_REMAINING,)),
    note="Two prompts of one LoRA run, and of the single token 'remaining': a lower bound on the "
    "mass of its synonyms.",
    others=(
        Labelled(
            label="full fine-tuning, synonyms together (~67%, ~65%)",
            evidence=Means(values=(FULL_SYNONYMS_TOTAL,)),
        ),
    ),
)

LEARNS_ARITHMETIC = Finding(
    claim="sft/learns-arithmetic",
    source="B, Results: Accuracy",
    evidence=Reported(
        value=6 / 7,
        low=6 / 7 - 1,
        high=6 / 7,
        note="6 of 7 after training and no accuracy before it: the gain lies anywhere up to 6/7",
    ),
    note="6 of 7 prompts after training; the base model's accuracy on them is not printed, so the "
    "value shown is the largest gain possible.",
    others=(
        Labelled(label="accuracy after LoRA", evidence=LORA_ACCURACY),
        Labelled(
            label="gain on TinyLlama, symbols (writeup D)",
            evidence=_gain("symbolic", BASELINE.symbolic, STAGE_1.symbolic),
        ),
        Labelled(
            label="gain on TinyLlama, words (writeup D)",
            evidence=_gain("semantic", BASELINE.semantic, STAGE_1.semantic),
        ),
    ),
)
