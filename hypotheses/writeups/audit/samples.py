"""Numbers of few prompts, trials, examples or checkpoints: what such a sample can tell at all."""

import math

from lazarus_bench.claims.finding import Finding, Labelled, computed
from lazarus_bench.judge import AtLeast, Evidence, HitDifferences, family_level
from lazarus_bench.judge.chance import order_p, sign_test_p
from lazarus_bench.judge.power import detectable_shift, units_needed

from .. import dual_objective_engram as engram
from ..emergence_results import dual, grpo, reinforcement
from ..raw_results import PEAKS_OF_RECORD, RERUN
from ..task_classifier_emergence import (
    LENS_GROWS,
    MEAN_PEAK_PROBABILITY,
    STEP_500,
)

ALONE = family_level(1)
"""Level of a claim that stands by itself: 5% of error on either side."""

TWO_SIDED = 0.95
"""Level of the usual two-sided test at 5%."""

NINE_IN_TEN = 0.9


def _printed(finding: Finding) -> Evidence:
    if finding.evidence is None:
        raise ValueError(f"{finding.claim} has no printed number to audit")
    return finding.evidence


def _prompts_needed() -> int:
    """How many prompts, all of them right, show nine in ten to a claim that stands by itself."""
    hits = dual.DUAL_REWARD_LLAMA_BASE.hits
    found = units_needed(hits.sampling(), hits.point, AtLeast(NINE_IN_TEN), ALONE)
    assert found is not None
    return found


EIGHT_OF_EIGHT = Finding(
    claim="audit/eight-of-eight",
    source="C, Dual-Reward Training, Results: Llama 3.2 1B Base",
    evidence=dual.DUAL_REWARD_LLAMA_BASE.hits,
    note="'8/8 (100%)' of one run; C concludes 'REPLICATES GPT-OSS', while writeup D calls "
    "dual reward at 70/30 'broken computation'.",
    others=(
        computed(
            "prompts, all of them right, that would support it, judged by itself", _prompts_needed()
        ),
        computed("chance of 8 of 8 where nine in ten are right", NINE_IN_TEN**8),
        RERUN,
    ),
)

_TRIALS = _printed(reinforcement.GRPO_PROBE_UNCHANGED)


def _detectable_d() -> float:
    """Cohen's d that 80% of such trials detect, two-sided at 5%."""
    base, trained = grpo.VALIDATION_BASE.trials, grpo.VALIDATION_GRPO.trials
    error = math.sqrt(1 / base + 1 / trained)
    found = detectable_shift(error, base + trained - 2, TWO_SIDED)
    assert found is not None
    return found


NO_DIFFERENCE_D0 = Finding(
    claim="audit/no-difference-d0",
    source="C, GRPO Classifier Emergence, Results: Linear Probe Accuracy",
    evidence=_TRIALS,
    note="'Effect size (Cohen's d): -0.00 → Negligible', 54.0 ± 5.8% against 54.0 ± 8.8% over 5 "
    "trials each; the table above it has 49.4% against 58.1%.",
    others=(
        computed(
            "smallest margin of equivalence that it shows, judged by itself",
            _TRIALS.limits(ALONE)[1],
        ),
        computed("Cohen's d that 80% of such trials detect", _detectable_d()),
    ),
)

ENGRAM_DELTA = Finding(
    claim="audit/engram-delta",
    source="E, Key Results",
    evidence=engram.ENGRAM_GAIN["two-class"].evidence,
    note="'+0.11%': 843 right of SST-2's 872 after 842, one run a model. " + engram.PAIRING + ".",
    others=(
        computed(
            "examples by which the models differ",
            engram.count(engram.SST2.delta, engram.SST2.examples),
        ),
        *engram.ENGRAM_GAIN["two-class"].others,
        computed("one-sided p-value of the most favourable pairing", sign_test_p(1, 0)),
    ),
)

_BASE, _INSTRUCT = (
    run.hits.values for run in (dual.DUAL_REWARD_LLAMA_BASE, dual.DUAL_REWARD_LLAMA_INSTRUCT)
)
BASE_BEATS_INSTRUCT = Finding(
    claim="audit/base-beats-instruct",
    source="C, Conclusions, 5; Dual-Reward Training, Results",
    evidence=HitDifferences(first=_BASE, second=_INSTRUCT),
    note="'Base models train better than instruct models - Llama base achieves 100% (8/8) vs "
    "instruct's 88% (7/8)': one prompt of eight, one run of each model. The 'initial cls_loss 5.0 "
    "vs 0.97' beside it compares with the loss at step 100 of the base model's own table. What "
    "differs on every prompt is the probability.",
    others=(
        computed("one-sided p-value of one prompt gained and none lost", sign_test_p(1, 0)),
        Labelled(
            label="as independent samples",
            evidence=HitDifferences(first=_BASE, second=_INSTRUCT, paired="no"),
        ),
        Labelled(
            label="probability of the right word, paired",
            evidence=_printed(dual.BASE_BEATS_INSTRUCT),
        ),
    ),
)

STEPS_TREND = Finding(
    claim="audit/steps-trend",
    source="A, Interpretation, 3; Conclusions, Key evidence, 3; Results, Summary Table",
    evidence=_printed(LENS_GROWS),
    note="'Signal strength increases with training steps', 0.4 / 0.8 / 1.2 / 1.0% at steps "
    "0/100/300/500 of one run: not monotone, and no seeds. The ten rows printed for step 500 "
    "average 0.83%, not 1.0%.",
    others=(
        computed(
            "change from step 300 to 500", MEAN_PEAK_PROBABILITY[-1] - MEAN_PEAK_PROBABILITY[-2]
        ),
        computed(
            "chance that four checkpoints in random order rise as steadily",
            order_p(MEAN_PEAK_PROBABILITY),
        ),
        computed(
            "mean of the ten rows of step 500, where the table has 0.010",
            sum(row.probability for row in STEP_500) / len(STEP_500),
        ),
        PEAKS_OF_RECORD,
    ),
)
