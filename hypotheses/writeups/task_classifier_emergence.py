"""Writeup A, "Task Classifier Emergence Experiment" (January 2025), Llama-3.2-1B base with LoRA.

The lens rule: among the top 20 tokens of every layer, any token that contains a word or symbol of
the task vocabulary counts as a match; the row prints the most probable match and its layer.

Where the writeup disagrees with itself:
- the ten rows printed for step 500 average 0.83%, the summary table says 1.0%;
- "signal strength increases with training steps", yet step 300 (1.2%) stands above step 500;
- "0.8-1.3% for multiplication/addition", yet the rows hold 0.4% and 0.7%;
- the baseline prints five of the ten prompts, without saying how the other five fared.
"""

from dataclasses import dataclass

from lazarus_bench.claims.finding import Finding, Labelled
from lazarus_bench.judge import (
    SHARE,
    SHARE_DIFFERENCE,
    Differences,
    Hits,
    Means,
    Ratios,
    Reported,
    Trend,
)

from .raw_results import PEAKS_OF_RECORD
from .records import operation_of, percent, percents

LAYERS = 16


@dataclass(frozen=True, kw_only=True)
class Match:
    """The most probable match of one prompt over all layers.

    Attributes:
        prompt: The prompt as printed, without its final blank.
        token: The matched token; "" where none of the top 20 matched at any layer.
        layer: The layer of the match, 0-based; None where nothing matched.
        probability: The matched token's probability; 0 where nothing matched.
        remark: The writeup's own judgement of the row.
    """

    prompt: str
    token: str
    layer: int | None
    probability: float
    remark: str

    @property
    def operation(self) -> str:
        """The operation that the prompt asks for."""
        return operation_of(self.prompt)


def _match(prompt: str, token: str, layer: int | None, printed: str, remark: str) -> Match:
    return Match(
        prompt=prompt, token=token, layer=layer, probability=percent(printed), remark=remark
    )


BASELINE = (
    _match("7 * 8 =", " TimeSpan", 11, "0.2%", "Spurious match"),
    _match("12 * 5 =", "", None, "0%", ""),
    _match("45 * 45 =", "/***/", 11, "0.2%", "Spurious match"),
    _match("23 + 45 =", "addle", 10, "0.2%", "Spurious match"),
    _match("100 - 43 =", "-gun", 12, "1.2%", "Spurious match"),
)
"""Results, "Baseline (Untrained)": five of the ten test prompts."""

STEP_500 = (
    _match("7 * 8 =", " Multiply", 9, "1.3%", "TASK CLASSIFIER"),
    _match("12 * 5 =", " Multiply", 9, "1.2%", "TASK CLASSIFIER"),
    _match("9 * 9 =", " Multiply", 9, "0.8%", "TASK CLASSIFIER"),
    _match("45 * 45 =", " Multiply", 9, "0.4%", "TASK CLASSIFIER"),
    _match("23 + 45 =", "(++", 9, "0.8%", "TASK CLASSIFIER"),
    _match("17 + 38 =", "(++", 9, "0.7%", "TASK CLASSIFIER"),
    _match("55 + 27 =", "(++", 9, "0.8%", "TASK CLASSIFIER"),
    _match("89 - 34 =", "-One", 9, "0.5%", "Weak"),
    _match("65 - 28 =", "-One", 9, "0.7%", "Weak"),
    _match("100 - 43 =", "-gun", 12, "1.1%", "Spurious"),
)
"""Results, "After 500 Steps": all ten test prompts."""

CHECKPOINT_STEPS = (0, 100, 300, 500)
VALIDATION_LOSS = (6.87, 1.58, 1.14, 0.89)
"""Results, "Training Progression": one run, at `CHECKPOINT_STEPS`."""

MEAN_PEAK_PROBABILITY = percents("0.4% 0.8% 1.2% 1.0%")
"""Results, "Summary Table": one run, at `CHECKPOINT_STEPS`."""

CHANCE_WITHIN_ONE_LAYER = 3 / LAYERS
"""Chance that a uniform layer lies within one layer of L9 = round(0.56 · 16)."""

GPT_OSS_RANGE = percents("50% 80%")
"""Background: "multiply" at L13 of 24 in GPT-OSS, prompts and counts not printed."""


def _probabilities(*operations: str) -> tuple[float, ...]:
    return tuple(row.probability for row in STEP_500 if row.operation in operations)


SUBSTRING_IS_CHANCE = Finding(
    claim="lens/substring-is-chance",
    source="A, Results, Baseline (Untrained)",
    evidence=None,
    note="The untrained model matched on 4 of the 5 printed prompts and the writeup calls all four "
    "spurious; no control vocabulary was tried, so there is no difference to judge. The matches "
    "are 'scattered across L6-L12' in the text, at L10 to L12 in the rows.",
    others=(
        Labelled(
            label="match rate of the untrained model, without a control",
            evidence=Hits(values=(tuple(float(row.layer is not None) for row in BASELINE),)),
        ),
    ),
)

GPT_OSS_ANNOUNCES = Finding(
    claim="lens/gpt-oss-announces",
    source="A, Background; C, Background",
    evidence=Reported(
        value=sum(GPT_OSS_RANGE) / 2,
        low=GPT_OSS_RANGE[0],
        high=GPT_OSS_RANGE[1],
        note="a range (50-80%) without its prompts",
    ),
    note="Only the range 50-80% is printed; its middle stands in for the value.",
)

LOSS_FALLS = Finding(
    claim="sft/loss-falls",
    source="A, Results, Training Progression",
    evidence=Ratios(numerator=(VALIDATION_LOSS[-1],), denominator=(VALIDATION_LOSS[0],)),
    note="Validation loss 6.87 → 1.58 → 1.14 → 0.89 in one run.",
)

LENS_STAYS_WEAK = Finding(
    claim="sft/lens-stays-weak",
    source="A, Results, After 500 Steps",
    evidence=Means(values=(_probabilities("multiply", "add", "subtract"),), bounds=SHARE),
    note="The printed probabilities are of the best match (' Multiply', '(++', '-One', '-gun'), at "
    "least what the operation's own name had wherever it was among the top 20; the ten rows "
    "average 0.83%, the summary says 1.0%, '0.8-1.3% for multiplication/addition' stands over rows "
    "of 0.4% and 0.7%, and '(1-2%)' further below.",
    others=(
        Labelled(
            label="multiplication only, where the match is the operation's name",
            evidence=Means(values=(_probabilities("multiply"),), bounds=SHARE),
        ),
    ),
)

LENS_GROWS = Finding(
    claim="sft/lens-grows",
    source="A, Results, Summary Table",
    evidence=Trend(values=(MEAN_PEAK_PROBABILITY,)),
    note="0.4 / 0.8 / 1.2 / 1.0% at steps 0/100/300/500 of one run, although 'signal strength "
    "increases with training steps': not monotone, and no seeds. 'Has Classifiers' is 'Yes' at "
    "step 500.",
    others=(PEAKS_OF_RECORD,),
)

PEAK_AT_56 = Finding(
    claim="sft/peak-at-56",
    source="A, Results, After 500 Steps",
    evidence=Hits(
        values=(tuple(float(row.layer in (8, 9, 10)) for row in STEP_500),),
        minus=CHANCE_WITHIN_ONE_LAYER,
    ),
    note="9 of 10 prompts peak at L9 and one at L12, in one run; chance for L8-L10 of 16 layers is "
    "3/16. The writeup chose the layer on these same prompts.",
)

SUB_WEAKEST = Finding(
    claim="sft/sub-weakest",
    source="A, Results, After 500 Steps",
    evidence=Differences(
        first=(_probabilities("multiply", "add"),),
        second=(_probabilities("subtract"),),
        paired="no",
        bounds=SHARE_DIFFERENCE,
    ),
    note="Seven multiplication and addition prompts against three of subtraction, each measured on "
    "another token; the writeup itself calls the strongest subtraction match ('-gun') spurious.",
)

CLASSIFIER_LAYER_NEEDED = Finding(
    claim="intervention/classifier-layer-needed",
    source="A, Next Steps, 4",
    evidence=None,
    note="Left open: the writeup asks 'Does removing L9 break task performance?' and no writeup "
    "removed a layer.",
)
