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

from lazarus_bench.claims.finding import Finding, Labelled
from lazarus_bench.judge import SHARE, Exact, HitDifferences, Hits, Means, Ratios, Reported

from .model_sizes import (
    ALL_LINEARS,
    LLAMA_3_2_1B,
    block_parameters,
    lora_parameters,
    total_parameters,
)
from .raw_results import LORA_SYNONYMS
from .records import depth_of, percent
from .two_stage_classifier import BASELINE, STAGE_1

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
        ),
        bounds=SHARE,
    ),
    note="Two prompts of one run: 89 - 34 reaches 83.2% at L14, 7 * 8 reaches 80.5% at L13, of 16 "
    "layers.",
)

REMAINING_TOKEN = Finding(
    claim="sft/remaining-token",
    source="B, Subtraction Classifier Comparison",
    evidence=Means(values=(LORA_REMAINING,), bounds=SHARE),
    note="Two prompts of one LoRA run, and of the single token 'remaining': a lower bound on the "
    "mass of its synonyms. Writeup A, with the same model, steps and prompts, calls subtraction "
    "weak ('-One', 0.5% and 0.7%); 'remaining' was not among the words it looked for.",
    others=(
        Labelled(
            label="full fine-tuning, synonyms together (~67%, ~65%)",
            evidence=Means(values=(FULL_SYNONYMS_TOTAL,), bounds=SHARE),
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
    "value shown is the largest gain possible. 'Both methods achieve high accuracy' stands over "
    "45 x 45 = 90, given 98% by both.",
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

_ADAPTERS = lora_parameters(LLAMA_3_2_1B, ALL_LINEARS, rank=8)
_BLOCKS = block_parameters(LLAMA_3_2_1B)
_WHOLE = total_parameters(LLAMA_3_2_1B)


@dataclass(frozen=True, kw_only=True)
class Count:
    """A count from the configuration beside the printed one, whose last digit is worth `digit`."""

    label: str
    counted: float
    printed: float
    digit: float

    @property
    def miss(self) -> float:
        """Distance in units of the printed number's last digit; up to 0.5 it rounds to it."""
        return abs(self.counted - self.printed) / self.digit


COUNTS = (
    Count(label="LoRA, all linears, rank 8", counted=_ADAPTERS, printed=5.6e6, digit=1e5),
    Count(label="... share of the model", counted=_ADAPTERS / _WHOLE, printed=0.0046, digit=1e-4),
    Count(label="every block", counted=_BLOCKS, printed=973e6, digit=1e6),
    Count(label="... share of the model", counted=_BLOCKS / _WHOLE, printed=0.787, digit=1e-3),
)
"""Training Comparison, "Trainable params"; LoRA's share is printed as 0.46% in writeup A."""

FINETUNE_PARAMS = Finding(
    claim="finetune/params",
    source="B, Training Comparison; A, Experimental Setup",
    evidence=Exact(
        value=max(count.miss for count in COUNTS),
        note="counted from the published configuration",
    ),
    note=f"Counted: {_ADAPTERS:,} ({_ADAPTERS / _WHOLE:.2%}) and {_BLOCKS:,} "
    f"({_BLOCKS / _WHOLE:.1%}); printed: 5.6M (0.5%, in A 0.46%) and 973M (78.7%). '175x fewer "
    "parameters' is 174 by the printed numbers.",
    others=tuple(
        Labelled(label=count.label, evidence=Exact(value=float(count.counted))) for count in COUNTS
    ),
)

FINETUNE_MEMORY = Finding(
    claim="finetune/memory",
    source="B, Training Comparison",
    evidence=Ratios(numerator=(FULL.peak_memory,), denominator=(LORA.peak_memory,)),
    note="9.8 GB over 3.6 GB, one run each on an unnamed Apple machine.",
)

FINETUNE_SPEED = Finding(
    claim="finetune/speed",
    source="B, Training Comparison",
    evidence=Ratios(numerator=(LORA.speed,), denominator=(FULL.speed,)),
    note="About 450 over about 300 tokens a second, one run each, not repeated.",
)


def _of_mean(first: float, second: float) -> float:
    return (first - second) / ((first + second) / 2)


SAME_LOSS = Finding(
    claim="finetune/same-loss",
    source="B, Training Comparison",
    evidence=Reported(
        value=_of_mean(LORA.validation_loss, FULL.validation_loss),
        low=_of_mean(1.0325, 1.0335),
        high=_of_mean(1.0335, 1.0325),
        note="1.033 and 1.033, one run each, alike to the printed digits",
    ),
    note="One run each, every token of prompt and answer scored; the training losses are 0.998 "
    "and 1.012. Writeup A prints 0.89 after the same 500 steps of LoRA on as many problems.",
    others=(
        Labelled(
            label="training loss, 0.998 and 1.012",
            evidence=Reported(
                value=_of_mean(LORA.train_loss, FULL.train_loss), note="one run each"
            ),
        ),
    ),
)

SAME_ACCURACY = Finding(
    claim="finetune/same-accuracy",
    source="B, Results: Accuracy",
    evidence=HitDifferences(first=LORA_ACCURACY.values, second=FULL_ACCURACY.values),
    note="The same 6 of 7 prompts in both runs; both answer 45 x 45 with 90.",
)

FULL_FOCUS = FULL_SYNONYMS[0].probability / sum(row.probability for row in FULL_SYNONYMS)
"""Share of 'remaining' in the five printed synonyms, which sum to 75.5%, not ~67%."""

LORA_FOCUSED = Finding(
    claim="finetune/lora-focused",
    source="B, Subtraction Classifier at Layer 10",
    evidence=Reported(
        value=LORA_REMAINING[0] / LORA_SYNONYMS - FULL_FOCUS,
        low=LORA_REMAINING[0] - FULL_FOCUS,
        high=1 - FULL_FOCUS,
        note="one prompt of one run each; LoRA's other synonyms are not printed, so its share lies "
        "between 0.539 and 1",
    ),
    note="One token of LoRA (53.9%) is set against five of full fine-tuning; by the raw results "
    "behind the writeup the same five hold 96.8% under LoRA, which makes its share 0.56 beside "
    "0.35. Full fine-tuning's five sum to 75.5%, and 'Total: ~67%' is printed below them.",
    others=(
        Labelled(
            label="mass of the five under full fine-tuning, printed as ~67%",
            evidence=Exact(value=sum(row.probability for row in FULL_SYNONYMS)),
        ),
        Labelled(
            label="mass of the five under LoRA, by the raw results behind the writeup",
            evidence=Reported(value=LORA_SYNONYMS, note="not in the writeup"),
        ),
    ),
)
