"""What the writeups offer for the parts of passages that the other claims on them leave out.

A passage with a number often says more than one thing. `coverage/` lists such parts; those that a
printed number, or a training that other claims read, can test have their findings here.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from lazarus_bench.claims.finding import Finding, Labelled, computed
from lazarus_bench.judge import (
    SHARE,
    SHARE_DIFFERENCE,
    Differences,
    Evidence,
    HitDifferences,
    Hits,
    Means,
    Ratios,
    Reported,
)

from .classifier_emergence_cli import (
    ANSWERS,
    FULL_SYNONYMS_TOTAL,
    LAYERS,
    LORA_REMAINING,
    SUBTRACTION_BY_LAYER,
)
from .emergence_results.dual import (
    DUAL_REWARD_DYNAMICS,
    DUAL_REWARD_LLAMA_BASE,
    DUAL_REWARD_LLAMA_INSTRUCT,
    INITIAL_LOSSES,
)
from .emergence_results.probes import (
    SECOND_SYMBOLS_LLAMA,
    SYMBOLS_LLAMA,
    SYMBOLS_TINYLLAMA,
    WORDS_GRANITE,
    WORDS_LLAMA,
    WORDS_TINYLLAMA,
    LayerAccuracy,
)
from .emergence_results.probing import hits_of
from .passages import above
from .raw_results import LORA_SYNONYMS
from .two_stage_classifier import FIFTY_FIFTY, STAGE_1, TWENTY_EIGHTY

_RIGHT_LORA = tuple(float(row.lora == row.correct) for row in ANSWERS)
_RIGHT_FULL = tuple(float(row.full == row.correct) for row in ANSWERS)


def _sureness(given: Sequence[float], right: Sequence[float]) -> Differences:
    """Probability of an answer minus whether it is right, by prompt."""
    return Differences(first=(given,), second=(right,), paired="prompts", bounds=SHARE_DIFFERENCE)


ANSWER_CONFIDENCE = Finding(
    claim="parts/answer-confidence",
    source="B, Results: Accuracy",
    evidence=_sureness([row.lora_probability for row in ANSWERS], _RIGHT_LORA),
    note="Seven prompts of one LoRA run: 100% on six right answers, 98% on the wrong one, 90 for "
    "45 x 45. All lie in the ranges that the training data are drawn from, so none is held out.",
    others=(
        Labelled(
            label="full fine-tuning, 73% on 23 + 45",
            evidence=_sureness([row.full_probability for row in ANSWERS], _RIGHT_FULL),
        ),
    ),
)

_BETWEEN = tuple(row for row in SUBTRACTION_BY_LAYER if row.token == "isté")

ANSWER_TRANSITION = Finding(
    claim="parts/answer-transition",
    source="B, Layer-by-Layer Analysis: LoRA (89 - 34 = 55)",
    evidence=Reported(
        value=max(row.probability for row in _BETWEEN),
        low=0.0,
        high=max(row.probability for row in _BETWEEN),
        note="9.1% is the top token's, so no other has more",
    ),
    note="'isté' leads at L11 (9.1%) and L12 (1.9%), called 'Transition': what 'remaining' and "
    "'55' have there is not printed, and at most this. One prompt of one run.",
)

OPERAND_RECOGNISED = Finding(
    claim="parts/operand-recognised",
    source="B, Layer-by-Layer Analysis: LoRA (7 x 8 = 56) and (89 - 34 = 55)",
    evidence=HitDifferences(first=((0.0, 1.0),), second=((0.0, 0.0),)),
    note="'8' leads at L11 for 7 * 8 (13.0%) and is called 'Operand recognition', '-eight' at L12 "
    "(5.9%); for 89 - 34 'isté' leads at both. Two prompts of one run, each beside the other's "
    "operands.",
)

SYNONYMS: Mapping[str, Means] = {
    "LoRA, 'remaining' alone": Means(values=(LORA_REMAINING,), bounds=SHARE),
    "full fine-tuning, synonyms together": Means(values=(FULL_SYNONYMS_TOTAL,), bounds=SHARE),
}
"""Lens probability at L10 of 16 on two subtractions, by method."""


def subtraction_both(judged: Callable[[Mapping[str, Evidence]], Evidence]) -> Finding:
    """The finding on both methods' subtraction word, `judged` from what each has at L10."""
    return Finding(
        claim="parts/subtraction-both",
        source="B, Subtraction Classifier Comparison; Key Observations, 4",
        evidence=judged(SYNONYMS),
        note="Two prompts of one run each: 53.9% and 46.3% of one token, ~67% and ~65% of five. "
        "The five sum to 75.5% for the first prompt.",
        others=(
            *(Labelled(label=name, evidence=given) for name, given in SYNONYMS.items()),
            Labelled(
                label="five synonyms under LoRA, by the raw results behind the writeup",
                evidence=Reported(value=LORA_SYNONYMS, note="not in the writeup"),
            ),
        ),
    )


SUBTRACTION_PEAK = Finding(
    claim="parts/subtraction-peak",
    source="B, Key Observations, 4; Layer-by-Layer Analysis: LoRA (89 - 34 = 55)",
    evidence=Hits(values=((1.0,),), minus=3 / LAYERS),
    note="One prompt of one LoRA run is printed by layer, and no layer but L10 leaves 'remaining' "
    "more than 53.9%. Of full fine-tuning and of 65 - 28 only L10 is printed.",
)

FULL_STRONGER = Finding(
    claim="parts/full-stronger",
    source="A, Why Probabilities Are Low",
    evidence=None,
    note="A supposes that LoRA's 0.5% of the parameters is why its signal is weak; no run trains "
    "more. B trains every block and prints the lens at L10 of two subtractions alone.",
)

GRANITE_ARCHITECTURE = Finding(
    claim="parts/granite-architecture",
    source="C, Open Questions, 2",
    evidence=None,
    note="'Is this architectural or training-related?' One model of each architecture is printed, "
    "31.2% and 81.2%, and they were trained on different data, so the numbers separate nothing.",
)

_HALF = DUAL_REWARD_DYNAMICS[1]


def _geometric(loss: float) -> float:
    """Geometric mean of the probabilities whose mean cross-entropy is `loss` nats."""
    return math.exp(-loss)


FEWER_STEPS = Finding(
    claim="parts/fewer-steps",
    source="C, Open Questions, 4; Training Dynamics",
    evidence=Reported(
        value=_geometric(_HALF.classification), note="a loss of 0.1228 at step 200 of one run"
    ),
    note="'500 steps was sufficient. Could fewer steps work better?' The writeup's own log answers "
    "for its training prompts: a loss of 0.9689 at step 100 is a geometric mean of 38%, 0.1228 at "
    "step 200 one of 88%. A mean is no less than the geometric one.",
    others=tuple(
        computed(f"step {row.step}", _geometric(row.classification))
        for row in DUAL_REWARD_DYNAMICS
        if row is not _HALF
    ),
)

DUAL_PROBE = Finding(
    claim="parts/dual-probe",
    source="C, GRPO Classifier Emergence, Geometric Analysis",
    evidence=Reported(value=0.81, note="in a drawing, without prompts, layer or folds"),
    note="81% beside 'Dual-Reward' stands in no table; it is the number that words have on the "
    "untrained Llama.",
)

FUSING_PRESERVES = Finding(
    claim="parts/fusing-preserves",
    source="D, Key Findings, 1; Conclusions, 1",
    evidence=Reported(
        value=STAGE_1.symbolic - TWENTY_EIGHTY[-1].symbolic,
        note="75% to 25%, symbols; the number of prompts is not printed",
    ),
    note="Fusing is called the key, and both experiments fuse: of 20/80 computation is called "
    "DESTROYED, of 50/50 PRESERVED. No second stage on an adapter that is not fused is printed.",
    others=(
        Labelled(
            label="at 50/50, 75% to 75%",
            evidence=Reported(value=STAGE_1.symbolic - FIFTY_FIFTY[-1].symbolic, note="likewise"),
        ),
    ),
)

PRINTED_TO = 0.5e-4
"""A probability printed in hundredths of a percent may be this much larger."""


def least_loss(printed: Sequence[float]) -> float:
    """Least mean cross-entropy in nats of words that have at most the `printed` probabilities."""
    return math.fsum(-math.log(p + PRINTED_TO) for p in printed) / len(printed)


INSTRUCT_STARTS_HIGHER = Finding(
    claim="parts/instruct-starts-higher",
    source="C, Results: Llama 3.2 1B Instruct, Observations; Open Questions, 6",
    evidence=Ratios(numerator=INITIAL_LOSSES[:1], denominator=INITIAL_LOSSES[1:]),
    note="'Initial cls_loss 5.0 (instruct) vs 0.97 (base)', one run each; 0.97 is the base model's "
    "loss at step 100. Neither can be the loss before training: the lens tables before training "
    "put at most 0.03% and 0.09% on any token, so that eight prompts cost 8.9 nats and more.",
    others=(
        computed(
            "least loss of the base before training, by its lens table, nats",
            least_loss(DUAL_REWARD_LLAMA_BASE.baseline_probability),
        ),
        computed(
            "least loss of the instruct model before training, likewise",
            least_loss(DUAL_REWARD_LLAMA_INSTRUCT.baseline_probability),
        ),
    ),
)

EARLY, LATE = 5, 16
"""The first best layer of TinyLlama's first eight, and its best of all 22 (those printed)."""

_LAST = WORDS_TINYLLAMA.layers - 1
EARLY_DEPTH, LATE_DEPTH = EARLY / _LAST, LATE / _LAST


def _at(table: LayerAccuracy, layer: int) -> float:
    return table.accuracy[table.at.index(layer)]


PEAKS_LATE = Finding(
    claim="parts/peaks-late",
    source="C, TinyLlama 1.1B Chat (Word-Based)",
    evidence=above(_at(WORDS_TINYLLAMA, LATE), _at(WORDS_TINYLLAMA, EARLY)),
    note="81.2% at L16 and L17, 75.0% at L5 to L7: 13 of 16 prompts and 12, both layers picked on "
    "the prompts that they are read on. L8 to L15 are not printed.",
    others=(
        Labelled(
            label="Llama 3.2 1B, L15 above its peak at L4",
            evidence=above(_at(WORDS_LLAMA, 15), _at(WORDS_LLAMA, 4)),
        ),
    ),
)

BELOW_RANDOM = Finding(
    claim="parts/below-random",
    source="C, TinyLlama 1.1B Chat (Word-Based); Granite 3.1 2B Base (Word-Based)",
    evidence=Hits(values=hits_of(WORDS_TINYLLAMA.first)),
    note="'BELOW random!' is 2 of 16 prompts at L0 of TinyLlama, where guessing has 2 or fewer in "
    "a fifth of cases; Granite has 3 of 16 at L0 and 1 of 16 at L7 to L18, picked out of 40.",
    others=(
        Labelled(label="Granite 3.1 2B at L0", evidence=Hits(values=hits_of(WORDS_GRANITE.first))),
        Labelled(
            label="Granite 3.1 2B at L7 to L18, the same 1 of 16",
            evidence=Hits(values=hits_of(_at(WORDS_GRANITE, 7))),
        ),
    ),
)


def _errors(table: LayerAccuracy) -> Hits:
    """Whether a prompt is read wrongly at the layer with most errors."""
    return Hits(values=hits_of(1 - min(table.accuracy)))


SYMBOLS_EVERY_LAYER = Finding(
    claim="parts/symbols-every-layer",
    source="C, Results: Linear Probe Accuracy by Layer; Linear Probe vs Logit Lens Comparison",
    evidence=_errors(SYMBOLS_LLAMA),
    note="100% of 16 prompts at all 16 layers, in the first table of Llama-3.2-1B; in the second, "
    "of other prompts, L14 has 93.8% and L15 81.2%.",
    others=(
        Labelled(label="TinyLlama 1.1B, 22 layers", evidence=_errors(SYMBOLS_TINYLLAMA)),
        Labelled(label="Llama 3.2 1B, second table", evidence=_errors(SECOND_SYMBOLS_LLAMA)),
    ),
)
