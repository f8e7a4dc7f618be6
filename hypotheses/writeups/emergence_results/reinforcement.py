"""What writeup C offers for the claims on GRPO, alone and with the classification loss.

The tables are in `grpo`. Two findings are functions of how their parts are judged together,
because the regions of a conjunction belong to the claim.
"""

from collections.abc import Callable, Sequence

from lazarus_bench.claims.finding import Finding, Labelled
from lazarus_bench.judge import (
    SHARE_DIFFERENCE,
    Differences,
    Evidence,
    HitDifferences,
    Hits,
    Ratios,
    Reported,
    Summary,
    SummaryDifferences,
)

from ..records import OPERATIONS
from .dual import DUAL_REWARD_LLAMA_BASE
from .grpo import (
    ANSWER_PROBABILITY,
    ANSWER_RANK,
    ATTEMPT_LOSSES,
    CLASSIFICATION_WORDS_FOUND,
    CLUSTER_SEPARATION,
    GRPO_DUAL_ANSWERS,
    GRPO_DUAL_ATTEMPTS,
    GRPO_DUAL_DYNAMICS,
    GRPO_DUAL_TRAINED,
    PROBE_BASE,
    PROBE_GRPO,
    VALIDATION_BASE,
    VALIDATION_GRPO,
    Validation,
)

ANSWERS_AN_ITERATION = GRPO_DUAL_ANSWERS[1] * GRPO_DUAL_ANSWERS[2]
PREDICTED = tuple(float(OPERATIONS.index(row.token)) for row in GRPO_DUAL_TRAINED.rows)
"""Index of the operation that each of the six prompts got."""


def _summary(trials: Validation) -> Summary:
    return Summary(mean=trials.mean, sd=trials.deviation, n=trials.trials)


def _rewards(row: int) -> tuple[float, ...]:
    """Rewards of one printed iteration: its mean is of so few answers that it tells each one."""
    right = round(GRPO_DUAL_DYNAMICS[row].reward * ANSWERS_AN_ITERATION)
    return (1.0,) * right + (0.0,) * (ANSWERS_AN_ITERATION - right)


GRPO_NO_LENS = Finding(
    claim="grpo/no-lens",
    source="C, GRPO Classifier Emergence, Key Insight; GRPO + Dual-Reward, Comparison Table",
    evidence=Reported(value=0.0, note="'0% classifier probability', no prompts and no layers"),
    note="'0%', without its prompts, its layers or a table.",
)

GRPO_PROBE_UNCHANGED = Finding(
    claim="grpo/probe-unchanged",
    source="C, GRPO Classifier Emergence, Results: Linear Probe Accuracy",
    evidence=SummaryDifferences(first=_summary(VALIDATION_GRPO), second=_summary(VALIDATION_BASE)),
    note="54.0 ± 5.8% against 54.0 ± 8.8% over 5 trials each, of one trained model; what a trial "
    "varies and which layer it reads is not printed, and the table above them averages 49.4% "
    "against 58.1%.",
    others=(
        Labelled(
            label="the eight printed layers, paired",
            evidence=Differences(
                first=(PROBE_GRPO,), second=(PROBE_BASE,), paired="prompts", bounds=SHARE_DIFFERENCE
            ),
        ),
    ),
)


def improves_answers(judged: Callable[[Evidence, Evidence], Evidence]) -> Finding:
    """The finding on answers, `judged` from the fall of the rank and the rise of probability."""
    fall = ANSWER_RANK[0] - ANSWER_RANK[1]
    rise = ANSWER_PROBABILITY[1] - ANSWER_PROBABILITY[0]
    return Finding(
        claim="grpo/improves-answers",
        source="C, GRPO Classifier Emergence, But GRPO Does Improve Arithmetic!",
        evidence=judged(
            Reported(value=round(fall, 10), note="averages 2.8 and 2.6"),
            Reported(value=round(rise, 10), note="averages 0.288 and 0.346"),
        ),
        note="Mean rank 2.8 to 2.6 and mean probability 0.288 to 0.346 in one run, over prompts "
        "whose number is not printed.",
    )


GRPO_NO_CLUSTERS = Finding(
    claim="grpo/no-clusters",
    source="C, GRPO Classifier Emergence, Geometric Analysis",
    evidence=Reported(value=CLUSTER_SEPARATION, note="one score"),
    note="−0.003, one number without its layer, its statements or the base model's score.",
)

GRPO_NO_WORDS_IN_PROBE = Finding(
    claim="grpo/no-words-in-probe",
    source="C, GRPO Classifier Emergence, Results: Vocabulary Mapping (Layer 10)",
    evidence=Reported(
        value=float(CLASSIFICATION_WORDS_FOUND),
        note="none of 14 words in the top or bottom 30, no random direction beside it",
    ),
    note="None of 14 words among the top and bottom 30 tokens of one direction; 60 tokens drawn at "
    "random from 32,000 would hold 0.03 of them.",
)


def collapses(judged: Callable[[Sequence[Sequence[float]], int], Evidence]) -> Finding:
    """The finding on mode collapse, `judged` from predictions `[1][prompt]` and their classes."""
    return Finding(
        claim="grpo-dual/collapses",
        source="C, GRPO + Dual-Reward, Results",
        evidence=judged((PREDICTED,), 3),
        note="'add' with 79-80% on all six prompts of one run, three operations; 2 of 6 are right, "
        "which a constant answer always has here: 'improvement from 0% to 33.3%: some classifier "
        "induction occurred' is the text.",
        others=(Labelled(label="named operation right, 2 of 6", evidence=GRPO_DUAL_TRAINED.hits),),
    )


def _still(fix: str, note: str) -> Finding:
    return Finding(
        claim=f"grpo-dual/still-collapses[{fix}]",
        source="C, Mode Collapse Fix Attempts; Final Results Table",
        evidence=None,
        note=f"{note}; no prompt's prediction is printed, so there is no share to judge.",
    )


STILL_COLLAPSES_BALANCED = _still(
    "balanced", "The table ticks mode collapse and prints one word, 'subtract' with about 10%"
)
STILL_COLLAPSES_ENTROPY = _still(
    "entropy",
    "The table ticks mode collapse and prints one word, 'subtract' with about 10%, and a class "
    "loss of −1.3, in which the bonus outweighs the cross-entropy",
)
STILL_COLLAPSES_LOW_RATE = _still(
    "low-rate",
    "The table ticks mode collapse with about 0% and prints no word (the text says 'subtract'); "
    f"the class loss fell from {ATTEMPT_LOSSES[0].first} to {ATTEMPT_LOSSES[0].last}, so hardly "
    "anything was learned that could collapse",
)
STILL_COLLAPSES_CLASS_WEIGHT = _still(
    "class-weight",
    "The table ticks mode collapse and prints one word, 'subtract' with about 0.08%; the class "
    f"loss fell from {ATTEMPT_LOSSES[1].first} to {ATTEMPT_LOSSES[1].last}",
)

REWARD_DIES = Finding(
    claim="grpo-dual/reward-dies",
    source="C, GRPO + Dual-Reward, Training dynamics",
    evidence=Hits(values=(_rewards(-1),), items="answers"),
    note="0.438 at iteration 1, then 0.000 at iterations 5, 10, 15 and 20 of one run; of the last "
    "fifth only iteration 20 is printed, 16 answers.",
    others=(
        Labelled(
            label="iteration 1, 7 of 16", evidence=Hits(values=(_rewards(0),), items="answers")
        ),
        *(
            Labelled(
                label=f"Final Results Table, {attempt.configuration!r}",
                evidence=Reported(value=attempt.reward, note="one number"),
            )
            for attempt in GRPO_DUAL_ATTEMPTS
            if attempt.reward is not None
        ),
    ),
)

GRPO_DUAL_LOSS_FALLS = Finding(
    claim="grpo-dual/loss-falls",
    source="C, GRPO + Dual-Reward, Training dynamics",
    evidence=Ratios(
        numerator=(GRPO_DUAL_DYNAMICS[-1].classification_loss,),
        denominator=(GRPO_DUAL_DYNAMICS[0].classification_loss,),
    ),
    note="10.31 to 1.07 over 20 iterations of one run.",
    others=tuple(
        Labelled(
            label=f"Attempt {losses.attempt}, {losses.first} to {losses.last}",
            evidence=Ratios(numerator=(losses.last,), denominator=(losses.first,)),
        )
        for losses in ATTEMPT_LOSSES
    ),
)

DRIFTS = Finding(
    claim="grpo-dual/drifts",
    source="C, GRPO + Dual-Reward, Training dynamics",
    evidence=None,
    note="The 'KL penalty' is 0 at iteration 1 and −420 at iteration 20, which no divergence "
    "can be, and none is printed for GRPO alone.",
    others=(
        Labelled(
            label="the printed 'KL penalty' at iteration 20",
            evidence=Reported(value=GRPO_DUAL_DYNAMICS[-1].kl_penalty, note="below 0"),
        ),
    ),
)

VO_SUPERIOR = Finding(
    claim="grpo-dual/vo-superior",
    source="C, Dual-Reward Training, Results: Llama 3.2 1B Base; GRPO + Dual-Reward, Results",
    evidence=HitDifferences(
        first=DUAL_REWARD_LLAMA_BASE.hits.values,
        second=GRPO_DUAL_TRAINED.hits.values,
        paired="no",
    ),
    note="8 of 8 on Llama-3.2-1B with four operations against 2 of 6 on TinyLlama-1.1B-Chat with "
    "three: another model, other prompts, one run each.",
    others=(
        Labelled(
            label="probability of the right word, V/O minus GRPO + dual",
            evidence=Differences(
                first=DUAL_REWARD_LLAMA_BASE.gold_probability.values,
                second=GRPO_DUAL_TRAINED.gold_probability.values,
                paired="no",
                bounds=SHARE_DIFFERENCE,
            ),
        ),
    ),
)

STAGED_WORKS = Finding(
    claim="grpo-dual/staged-works",
    source="C, Conclusion: GRPO + Dual-Reward is Incompatible",
    evidence=None,
    note="Recommended ('train V/O projections with dual-reward first, then fine-tune with GRPO'), "
    "never run there.",
)
