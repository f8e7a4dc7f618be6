"""What the writeups print that known defects of the public source behind them might have produced.

The writeups do not know of these defects, so none of them prints what a claim about one estimates;
each finding names the printed numbers that the defect would explain, by what they measure. A report
shows them beside the same numbers measured with the defect and without it.
"""

from lazarus_bench.claims.finding import Finding, Labelled
from lazarus_bench.judge import Reported

from .classifier_emergence_cli import LORA_ACCURACY
from .emergence_results.dual import DUAL_REWARD_DYNAMICS
from .emergence_results.grpo import (
    ANSWER_PROBABILITY,
    GRPO_DUAL_DYNAMICS,
)
from .two_stage_classifier import (
    CLASSIFIER_LOSS_RANGE,
    FIFTY_FIFTY,
    STAGE_1,
    TWENTY_EIGHTY,
)

DROP_20_80 = "accuracy on symbols, stage 1 minus stage 2 at 20/80"
DROP_50_50 = "accuracy on symbols, stage 1 minus stage 2 at 50/50"
ANSWER_LOSS = "reported answer loss at the end, nats"
ANSWER_FALL = "reported answer loss, step 500 over step 100"
KL_END = (
    "'KL' at the end, nats: printed of GRPO with the classification loss, measured of the penalty "
    "alone"
)
CLASS_LOSS = "classification loss at the end at 50/50, nats"
CLASS_FALL = "classification loss, step 500 over step 100"
LENS = (
    "probability of the operation's name, classifier layer: printed of D's two stages, measured "
    "after C's recipe"
)
LENS_50_50 = "probability of the operation's name, classifier layer, at 50/50"
PROBABILITY_RISE = "probability of the right answer, GRPO minus base"
SFT_ACCURACY = "accuracy after fine-tuning"
"""What a printed number measures, and what is measured of it here."""

_FIRST, _LAST = DUAL_REWARD_DYNAMICS[0], DUAL_REWARD_DYNAMICS[-1]


def _printed_range(label: str, ends: tuple[float, float], note: str) -> Labelled:
    low, high = ends
    evidence = Reported(value=(low + high) / 2, low=low, high=high, note=note)
    return Labelled(label=label, evidence=evidence)


def _printed(label: str, value: float, note: str) -> Labelled:
    return Labelled(label=label, evidence=Reported(value=value, note=note))


UNSHIFTED_DESTROYS = Finding(
    claim="explain/unshifted-destroys",
    source="public source of C and D; D, TinyLlama-1.1B Results, Experiment 1",
    evidence=None,
    note="The writeups do not know of it. D prints 75% to 25% for its second stage at 20/80.",
    explains=(_printed(DROP_20_80, STAGE_1.symbolic - TWENTY_EIGHTY[-1].symbolic, "75% to 25%"),),
)

UNSHIFTED_LOOKS_CONVERGED = Finding(
    claim="explain/unshifted-looks-converged",
    source="public source of C; C, Dual-Reward Training, Training Dynamics",
    evidence=None,
    note="The writeups do not know of it. C prints an answer loss of 0.0192 at step 100 and of "
    "0.0022 at step 500, of which labels is not said.",
    explains=(
        _printed(ANSWER_LOSS, _LAST.answer, "0.0022 at step 500"),
        _printed(ANSWER_FALL, _LAST.answer / _FIRST.answer, "0.0192 at step 100 to 0.0022"),
    ),
)

KL_ALONE_COLLAPSES = Finding(
    claim="explain/kl-alone-collapses",
    source="public source of C; C, GRPO + Dual-Reward, Training dynamics",
    evidence=None,
    note="The writeups do not know of it. C prints a 'KL penalty' of −420, which no divergence can "
    "be, after 20 iterations of GRPO with the classification loss.",
    explains=(_printed(KL_END, GRPO_DUAL_DYNAMICS[-1].kl_penalty, "−419.63 at iteration 20"),),
)

SGD_IS_NO_OP = Finding(
    claim="explain/sgd-is-no-op",
    source="public source of D; D, TinyLlama-1.1B Results, Experiment 2",
    evidence=None,
    note="The writeups do not know of it. D prints 75% to 75% for its second stage at 50/50 and "
    "5e-5, a classification loss that 'stayed high (10-13)', and a lens at 0.1%. Nats are of a "
    "vocabulary: an even guess costs 10.4 of them over TinyLlama's 32,000 tokens, and less over a "
    "lab model's.",
    explains=(
        _printed(DROP_50_50, STAGE_1.symbolic - FIFTY_FIFTY[-1].symbolic, "75% to 75%"),
        _printed_range(CLASS_LOSS, CLASSIFIER_LOSS_RANGE, "'10-13'"),
        _printed(LENS_50_50, FIFTY_FIFTY[-1].classifier, "0.1%"),
    ),
)

CLASS_AT_ANSWER_END = Finding(
    claim="explain/class-at-answer-end",
    source="public source of C and D; C, Dual-Reward Training, Training Dynamics; D, Results",
    evidence=None,
    note="The writeups do not know of it. C prints a classification loss of 0.9689 at step 100 and "
    "of 0.0205 at step 500, D a lens at 0.1% after every training: there after two stages at "
    "20/80, here after C's recipe.",
    explains=(
        _printed(CLASS_FALL, _LAST.classification / _FIRST.classification, "0.9689 to 0.0205"),
        _printed(LENS, TWENTY_EIGHTY[-1].classifier, "0.1%, D at 20/80"),
    ),
)

CLIP_TO_REFERENCE = Finding(
    claim="explain/clip-to-reference",
    source="public source of C; C, GRPO Classifier Emergence, But GRPO Does Improve Arithmetic!",
    evidence=None,
    note="The writeups do not know of it. C prints a rise of the right answer's probability from "
    "0.288 to 0.346 after GRPO.",
    explains=(
        _printed(
            PROBABILITY_RISE,
            round(ANSWER_PROBABILITY[1] - ANSWER_PROBABILITY[0], 10),
            "0.288 to 0.346",
        ),
    ),
)

EVAL_IN_TRAIN = Finding(
    claim="explain/eval-in-train",
    source="public source of the writeups; B, Results: Accuracy",
    evidence=None,
    note="The writeups do not know of it: 2 of 4 to 4 of 10 of the evaluation prompts occur in the "
    "training data of the public source. B prints 6 of 7 right after fine-tuning.",
    explains=(Labelled(label=SFT_ACCURACY, evidence=LORA_ACCURACY),),
)
