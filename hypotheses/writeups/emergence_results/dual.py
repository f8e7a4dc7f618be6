"""Writeup C, "BREAKTHROUGH: Dual-Reward Training Achieves GPT-OSS Levels".

LoRA of rank 8 on V and O of Llama-3.2-1B, 500 steps, 40% classification loss at layer 8.

Where the writeup disagrees with itself or with others:
- layer 8 of 16 is called "55% depth" here and "50% depth" in its lens section;
- the threshold of "36-81%" is the smallest of the same eight numbers;
- "initial cls_loss 0.97" is the loss at step 100; the loss before training is not printed;
- Instruct is said to reach "7-53%", its rows range from 5.43% to 53.84%;
- writeup D calls dual reward at 70/30 (40/60 here) "strong classifiers, broken computation" and
  quotes 60.1% at L8, a number that stands nowhere in C (the eight rows average 57.1%).
"""

from dataclasses import dataclass

from lazarus_bench.claims.finding import Finding, Labelled
from lazarus_bench.judge import SHARE_DIFFERENCE, Differences, Exact, HitDifferences, Ratios

from ..model_sizes import LLAMA_3_2_1B, VO, lora_parameters
from ..raw_results import RERUN
from ..records import BeforeAfter, percents
from ..task_classifier_emergence import STEP_500

PROMPTS = (
    "7 * 8 =",
    "12 * 5 =",
    "23 + 45 =",
    "17 + 38 =",
    "50 - 23 =",
    "89 - 34 =",
    "48 / 6 =",
    "81 / 9 =",
)
"""The eight prompts of every lens table in C, as printed; the commands add a final blank."""

DUAL_REWARD_LLAMA_BASE = BeforeAfter(
    model="Llama 3.2 1B",
    layer=8,
    layers=16,
    prompts=PROMPTS,
    baseline_token=("orex", "ANDING", "beide", "usting", "стати", "стати", "šk", "šk"),
    baseline_probability=percents("0.02% 0.03% 0.00% 0.00% 0.00% 0.00% 0.00% 0.00%"),
    token=("multiply", "multiply", "add", "add", "subtract", "subtract", "divide", "divide"),
    probability=percents("76.55% 71.03% 36.82% 47.94% 56.80% 36.16% 81.09% 50.17%"),
)
"""Results: Llama 3.2 1B Base."""

DUAL_REWARD_LLAMA_INSTRUCT = BeforeAfter(
    model="Llama 3.2 1B Instruct",
    layer=8,
    layers=16,
    prompts=PROMPTS,
    baseline_token=(
        "clinically",
        "clinically",
        "usting",
        "usting",
        "يث",
        "ursive",
        "ασ",
        "šk",
    ),
    baseline_probability=percents("0.09% 0.05% 0.00% 0.00% 0.01% 0.01% 0.00% 0.00%"),
    token=("multiply", "multiply", "multiply", "add", "subtract", "subtract", "divide", "divide"),
    probability=percents("51.10% 53.84% 5.43% 21.21% 12.71% 7.76% 8.08% 11.13%"),
)
"""Results: Llama 3.2 1B Instruct; `23 + 45 =` is answered 'multiply'."""


@dataclass(frozen=True, kw_only=True)
class Losses:
    """One row of "Training Dynamics"."""

    step: int
    classification: float
    answer: float


DUAL_REWARD_DYNAMICS = (
    Losses(step=100, classification=0.9689, answer=0.0192),
    Losses(step=200, classification=0.1228, answer=0.0134),
    Losses(step=300, classification=0.0977, answer=0.0059),
    Losses(step=400, classification=0.0421, answer=0.0023),
    Losses(step=500, classification=0.0205, answer=0.0022),
)
"""Training Dynamics: one run of Llama 3.2 1B Base."""

INITIAL_LOSSES = (5.0, 0.97)
"""Observations: "initial cls_loss 5.0 vs 0.97 for base"; the second is the base's at step 100."""

VO_PARAMETERS = 851_968
"""Key Insight: V/O Projections Are the Key."""

VO_36 = Finding(
    claim="dual/vo-36",
    source="C, Dual-Reward Training, Results: Llama 3.2 1B Base",
    evidence=DUAL_REWARD_LLAMA_BASE.gold_probability,
    note="36.16-81.09% on eight prompts of one run; the threshold 36% is the smallest of these "
    "eight numbers. 'Matching GPT-OSS's 50-80%' is true of four of them; layer 8 of 16 is '55% "
    "depth' here and '50% depth' in the lens section; writeup D quotes 60.1% at L8, which C "
    "prints nowhere.",
    others=(
        Labelled(
            label="share of prompts with at least 0.36",
            evidence=DUAL_REWARD_LLAMA_BASE.share_at_least(0.36),
        ),
        Labelled(
            label="Llama 3.2 1B Instruct, '23 + 45' counted at its upper bound",
            evidence=DUAL_REWARD_LLAMA_INSTRUCT.gold_probability,
        ),
    ),
)

VO_ALL_RIGHT = Finding(
    claim="dual/vo-all-right",
    source="C, Dual-Reward Training, Results: Llama 3.2 1B Base",
    evidence=DUAL_REWARD_LLAMA_BASE.hits,
    note="8 of 8 in one run.",
    others=(
        Labelled(label="Llama 3.2 1B Instruct, 7 of 8", evidence=DUAL_REWARD_LLAMA_INSTRUCT.hits),
        RERUN,
    ),
)

BEATS_SFT = Finding(
    claim="dual/beats-sft",
    source="C, Summary: Training Methods Compared; A, After 500 Steps",
    evidence=Differences(
        first=(DUAL_REWARD_LLAMA_BASE.probability,),
        second=(tuple(row.probability for row in STEP_500),),
        paired="no",
        bounds=SHARE_DIFFERENCE,
    ),
    note="Eight prompts of one dual-reward run at L8 against ten others of one LoRA run, there the "
    "best match at each prompt's best layer.",
)

BASE_BEATS_INSTRUCT = Finding(
    claim="dual/base-beats-instruct",
    source="C, Dual-Reward Training, Results: Llama 3.2 1B Base and Instruct",
    evidence=Differences(
        first=(DUAL_REWARD_LLAMA_BASE.probability,),
        second=(DUAL_REWARD_LLAMA_INSTRUCT.probability,),
        paired="prompts",
        bounds=SHARE_DIFFERENCE,
    ),
    note="One run of each model, paired over the same eight prompts; where Instruct said "
    "'multiply' for 23 + 45, its 'add' is taken at the most it can have been, 5.43%. The text "
    "has '7-53%' for rows of 5.43% to 53.84%.",
    others=(
        Labelled(
            label="top word right, 8 of 8 against 7 of 8",
            evidence=HitDifferences(
                first=DUAL_REWARD_LLAMA_BASE.hits.values,
                second=DUAL_REWARD_LLAMA_INSTRUCT.hits.values,
            ),
        ),
        Labelled(
            label="'initial cls_loss', instruct over base, which is the base's at step 100",
            evidence=Ratios(numerator=INITIAL_LOSSES[:1], denominator=INITIAL_LOSSES[1:]),
        ),
    ),
)

DUAL_LOSS_FALLS = Finding(
    claim="dual/loss-falls",
    source="C, Dual-Reward Training, Training Dynamics",
    evidence=Ratios(
        numerator=(DUAL_REWARD_DYNAMICS[-1].classification,),
        denominator=(DUAL_REWARD_DYNAMICS[0].classification,),
    ),
    note="0.9689 at step 100 to 0.0205 at step 500 of one run; the loss before training is not "
    "printed, so the fall from the start is larger: 'initial cls_loss 5.0 vs 0.97 for base' takes "
    "the base model's step 100 for its start.",
)

ANSWERS_SURVIVE = Finding(
    claim="dual/answers-survive",
    source="C, Dual-Reward Training, Training Dynamics; D, Research Question",
    evidence=None,
    note="No accuracy is printed before or after, only a training loss on answers (0.0192 to "
    "0.0022); writeup D says of the recipe 'broken computation', and gives its weights as 70/30 "
    "where C has 40/60.",
)

PARAMS = Finding(
    claim="dual/params",
    source="C, Key Insight: V/O Projections Are the Key",
    evidence=Exact(
        value=float(lora_parameters(LLAMA_3_2_1B, VO, rank=8)),
        note="counted from the published configuration, rank 8 on V and O of 16 layers",
    ),
    note=f"The writeup prints {VO_PARAMETERS:,}.",
)

VO_IS_THE_KEY = Finding(
    claim="dual/vo-is-the-key",
    source="C, Key Insight: V/O Projections Are the Key",
    evidence=None,
    note="Asserted, never separated: no run trains other projections with the classification loss.",
)
