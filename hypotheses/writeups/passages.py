"""What the writeups offer for the passages that no row of the list of claims judges.

The rows of the list cover the writeups' main tables. The passages here are those with a number that
is left: the shapes of probe curves, a probe's confidence, what C and D suppose behind a failure, a
count, and a plan whose number follows from a printed trend or does not.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from lazarus_bench.claims.finding import Finding, Labelled, computed
from lazarus_bench.judge import (
    SHARE,
    SHARE_DIFFERENCE,
    Differences,
    Evidence,
    Exact,
    HitDifferences,
    Means,
    Reported,
)

from .emergence_results.grpo import GRPO_DUAL_DYNAMICS, GRPO_DUAL_TRAINED
from .emergence_results.probes import (
    GRANITE_INSTRUCT,
    GRANITE_LAYERS,
    HELD_OUT,
    SUMMARY,
    SYMBOLS_GRANITE,
    WORDS_GRANITE,
    WORDS_LLAMA,
    WORDS_TINYLLAMA,
    LayerAccuracy,
)
from .emergence_results.probing import hits_of
from .model_sizes import (
    LLAMA_3_2_1B,
    adapter_parameters,
    engram_parameters,
    head_parameters,
    model_parameters,
)
from .raw_results import RERUN
from .task_classifier_emergence import (
    CHECKPOINT_STEPS,
    GPT_OSS_RANGE,
    MEAN_PEAK_PROBABILITY,
)
from .two_stage_classifier import CLASSIFIER_LOSS_RANGE

Steps = Mapping[str, HitDifferences]
"""How many prompts one printed accuracy lies above another, by the words that say so."""


def above(high: float, low: float) -> HitDifferences:
    """One printed accuracy minus another, as if their sixteen prompts were others."""
    return HitDifferences(first=hits_of(high), second=hits_of(low), paired="no")


_SYMBOLS = "C, Results: Linear Probe Accuracy by Layer, Granite 3.1 2B Base"
_BASE = dict(zip(SYMBOLS_GRANITE.at, SYMBOLS_GRANITE.accuracy, strict=True))
_INSTRUCT = dict(zip(GRANITE_LAYERS, GRANITE_INSTRUCT, strict=True))
_PLATEAU = range(14, 38)

GRANITE_TROUGH = Finding(
    claim="passages/granite-trough",
    source=_SYMBOLS,
    evidence=above(_BASE[0], min(_BASE.values())),
    note="100% at L0 to L2, 87.5% and 75% at L3 to L8, 56.2% at L10 and L11: 16 of 16 prompts and "
    "9, the lowest of 40 layers picked on the prompts that it is read on.",
    others=(
        Labelled(
            label="Granite 3.1 2B Instruct, of the Summary Table",
            evidence=above(SUMMARY[-1].peak, SUMMARY[-1].least),
        ),
    ),
)

PHASES: Steps = {
    "L2 above L3, where the fall begins": above(_BASE[2], _BASE[3]),
    "L8 above L10, the trough": above(_BASE[8], _BASE[10]),
    "L14 above L10, the recovery": above(_BASE[14], _BASE[10]),
    "L38 above L37, the improvement": above(_BASE[38], _BASE[37]),
    "base: L12 above L10, its trough": above(_BASE[12], _BASE[10]),
    "instruct: L10 above L12, its trough": above(_INSTRUCT[10], _INSTRUCT[12]),
}
"""The five phases of Granite's curve and the shift of its trough under instruction tuning."""


def granite_phases(judged: Callable[[Steps], Evidence]) -> Finding:
    """The finding on Granite's phases, `judged` from the steps between them.

    The region of every step belongs to the claim, so the claim says how they are judged.
    """
    elsewhere = sum(_BASE[layer] != _BASE[14] for layer in _PLATEAU)
    return Finding(
        claim="passages/granite-phases",
        source=f"{_SYMBOLS}; Base vs Instruct Comparison, Findings",
        evidence=judged(PHASES),
        note="Six steps of sixteen prompts: 16 and 14 right, 14 and 9, 12 and 9, 13 and 12, 10 and "
        "9, 12 and 11. 'L14-L37 (75%)' has 68.8% at L15; Instruct stands at 68.8% at L39, too, and "
        "28 of its 40 layers are not printed.",
        others=(
            *(Labelled(label=name, evidence=step) for name, step in PHASES.items()),
            computed("layers of 'L14-L37 (75%)' that the table has elsewhere", elsewhere),
        ),
    )


def _last_below_best(table: LayerAccuracy) -> HitDifferences:
    return above(table.peak, table.accuracy[-1])


LAST_LAYERS_LOSE = Finding(
    claim="passages/last-layers-lose",
    source="C, TinyLlama 1.1B Chat (Word-Based), Interpretation",
    evidence=_last_below_best(WORDS_TINYLLAMA),
    note="81.2% at L16 and L17 of 22, 56.2% at L21: 13 of 16 prompts and 9, the best layer picked "
    "on the prompts that it is read on. 'Peaks LATE' is one prompt more than L5 to L7 have; L8 to "
    "L15 are not printed.",
    others=(
        Labelled(
            label="L16 above L5, TinyLlama 1.1B",
            evidence=above(WORDS_TINYLLAMA.peak, WORDS_TINYLLAMA.accuracy[5]),
        ),
        Labelled(label="Llama 3.2 1B", evidence=_last_below_best(WORDS_LLAMA)),
        Labelled(label="Granite 3.1 2B", evidence=_last_below_best(WORDS_GRANITE)),
    ),
)


def _confidence(values: Sequence[float]) -> Differences:
    """Confidence minus whether the prediction is right, which all of C's are."""
    right = (1.0,) * len(values)
    return Differences(first=(values,), second=(right,), paired="prompts", bounds=SHARE_DIFFERENCE)


PROBE_CONFIDENCE = Finding(
    claim="passages/probe-confidence",
    source="C, Test Predictions (Held-Out Prompts), Note on confidence",
    evidence=_confidence([row.llama for row in HELD_OUT]),
    note="Confidences of 26.8% to 31.5% (Llama), 25.3% to 25.8% (TinyLlama) and 44.2% to 54.9% "
    "(Granite), read as 'just above chance' and 'higher discrimination'; all three are right on "
    "all eight prompts. The states are not standardised and C = 1, so a model with small states "
    "gets small confidences whatever it tells apart.",
    others=(
        Labelled(label="TinyLlama 1.1B", evidence=_confidence([r.tinyllama for r in HELD_OUT])),
        Labelled(label="Granite 3.1 2B", evidence=_confidence([r.granite for r in HELD_OUT])),
    ),
)

_CAUSES = "C, Mode Collapse Fix Attempts, Root Cause Analysis"

CLASS_GRADIENT = Finding(
    claim="passages/class-gradient-beyond",
    source=f"{_CAUSES}, 1; Why Dual-Reward V/O-Only Works",
    evidence=None,
    note="No gradient is printed. A loss that is read after layer 12 is no function of the weights "
    "of later layers, so its gradient there is 0; its steps move what those layers are fed.",
)

STATES_COLLAPSE = Finding(
    claim="passages/states-collapse",
    source=f"{_CAUSES}, 2",
    evidence=None,
    note="No state is measured, before or after.",
)

CLASSES_UNSEPARATED = Finding(
    claim="passages/classes-unseparated",
    source=f"{_CAUSES}, 4",
    evidence=None,
    note="No separation of the operations is measured, after either training.",
)

_LOW, _HIGH = CLASSIFIER_LOSS_RANGE
TINYLLAMA_VOCABULARY = 32_000

CLASS_LOSS_STAYS = Finding(
    claim="passages/class-loss-stays",
    source="D, Key Findings, 2",
    evidence=Exact(
        value=_LOW / _HIGH,
        note="the least that a loss between 10 and 13 throughout can end at, over where it began",
    ),
    note="'The classifier loss stayed high (10-13) throughout training', one run of 500 steps at "
    "5e-5; neither its first nor its last value is printed. C's run on the same model and layer "
    "begins at 10.31 and ends at 1.07.",
    others=(
        computed("loss of an even guess over 32,000 tokens, nats", math.log(TINYLLAMA_VOCABULARY)),
        Labelled(
            label="class loss at the end of C's GRPO + dual reward, TinyLlama at L12",
            evidence=Reported(
                value=GRPO_DUAL_DYNAMICS[-1].classification_loss, note="iteration 20 of one run"
            ),
        ),
    ),
)

TINYLLAMA_LAYERS = GRPO_DUAL_TRAINED.layers

TINYLLAMA_CANNOT = Finding(
    claim="passages/tinyllama-cannot",
    source="D, Key Findings, 2, Possible reasons; Next Steps, 1; C, GRPO + Dual-Reward, Results",
    evidence=Means(
        values=(tuple(row.probability for row in GRPO_DUAL_TRAINED.rows),), bounds=SHARE
    ),
    note="D supposes that TinyLlama is too small or L12 the wrong layer. C trained the same model "
    "with a classification loss at the same layer, and its lens there gives 'add' 79% to 80% on "
    "all six prompts: size and layer do not keep a word from being announced, the right one is "
    "another matter. That another layer works better is not tested by this.",
    others=(
        computed(
            "layers of TinyLlama minus those of Llama-3.2-1B, where dual reward worked",
            TINYLLAMA_LAYERS - LLAMA_3_2_1B.layers,
        ),
        RERUN,
    ),
)

MILLION = 1e6
TRAINABLE = 41 * MILLION
"""Architecture Details: "~41M trainable params, <1% of total"."""

_COUNTS = {
    "adapter and classification head": adapter_parameters() + head_parameters(2),
    "the adapter alone": adapter_parameters(),
    "adapter, head and engram": adapter_parameters() + head_parameters(2) + engram_parameters(),
}


def _digits_off(count: int) -> float:
    return abs(count - TRAINABLE) / MILLION


ENGRAM_PARAMETERS = Finding(
    claim="passages/engram-parameters",
    source="E, Architecture Details, LoRA",
    evidence=Exact(
        value=_digits_off(_COUNTS["adapter and classification head"]),
        note="41.29M counted: rank 16 on seven linear maps of 28 blocks, and the head",
    ),
    note="'~41M trainable params, <1% of total', in the line on LoRA. What model 1 trains is "
    "counted, adapter and head; the adapter alone has 40.37M, which would print as ~40M.",
    others=(
        *(
            computed(f"distance from the print, {name}", _digits_off(count))
            for name, count in _COUNTS.items()
            if name != "adapter and classification head"
        ),
        computed(
            "share of the model with them",
            _COUNTS["adapter and classification head"]
            / (model_parameters() + _COUNTS["adapter and classification head"]),
        ),
    ),
)


def line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """Intercept and slope of the straight line of least squares."""
    middle, level = math.fsum(x) / len(x), math.fsum(y) / len(y)
    spread = math.fsum((a - middle) ** 2 for a in x)
    slope = math.fsum((a - middle) * (b - level) for a, b in zip(x, y, strict=True)) / spread
    return level - slope * middle, slope


_START, _RATE = line(CHECKPOINT_STEPS, MEAN_PEAK_PROBABILITY)
MANY_STEPS = 10_000
"""Next Steps, 1: "10K+ steps"."""

TEN_THOUSAND_STEPS = Finding(
    claim="passages/ten-thousand-steps",
    source="A, Next Steps, 1; Results, Summary Table",
    evidence=Exact(
        value=_START + _RATE * MANY_STEPS,
        note="the straight line through 0.4 / 0.8 / 1.2 / 1.0% at steps 0/100/300/500, at 10,000",
    ),
    note="'10K+ steps to see if classifiers reach GPT-OSS-level confidence', 50% to 80%: a plan "
    "that was not carried out. No growth need be straight; of the four, the last falls.",
    others=(
        computed("steps at which the line reaches 50%", (GPT_OSS_RANGE[0] - _START) / _RATE),
        computed(
            "change from step 300 to 500", MEAN_PEAK_PROBABILITY[-1] - MEAN_PEAK_PROBABILITY[-2]
        ),
    ),
)
