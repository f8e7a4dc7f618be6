"""Writeup D, "Two-Stage Classifier Training Experiment" (January 10, 2026), TinyLlama-1.1B.

Percentages in steps of 25 suggest four prompts; their number is not printed. Both experiments
print the same baseline and the same first stage.
"""

from dataclasses import dataclass

from lazarus_bench.claims.finding import Finding, Labelled
from lazarus_bench.judge import Reported

from .records import percents


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One row of a results table: accuracies on symbols and words, and the lens probability."""

    name: str
    symbolic: float
    semantic: float
    classifier: float


def _stage(name: str, printed: str) -> Stage:
    symbolic, semantic, classifier = percents(printed)
    return Stage(name=name, symbolic=symbolic, semantic=semantic, classifier=classifier)


BASELINE = _stage("Baseline", "75% 50% 0.1%")
STAGE_1 = _stage("Stage 1 (SFT)", "75% 75% 0.1%")

TWENTY_EIGHTY = (BASELINE, STAGE_1, _stage("Stage 2 (20/80)", "25% 25% 0.1%"))
"""Experiment 1: 20/80 balance (200 steps)."""

FIFTY_FIFTY = (BASELINE, STAGE_1, _stage("Stage 2 (50/50)", "75% 75% 0.1%"))
"""Experiment 2: 50/50 balance (500 steps, very low LR)."""

CLASSIFIER_LOSS_RANGE = (10.0, 13.0)
"""Key Findings, 2: "stayed high (10-13) throughout training"."""

QUOTED_LLAMA_PROBABILITY = 0.601
"""Key Findings, 3: "60.1% at L8" of Llama-3.2-1B, which writeup C does not print."""

RESULTS = "D, TinyLlama-1.1B Results"


def _change(before: float, after: float, change: float, table: str) -> Reported:
    note = f"{before:.0%} to {after:.0%}, {table}; the number of prompts is not printed"
    return Reported(value=change, note=note)


def _drop(table: str, before: float, after: float) -> Reported:
    return _change(before, after, before - after, table)


def _classifier(stage: Stage) -> Reported:
    return Reported(value=stage.classifier, note=f"0.1%, {stage.name}; of unstated prompts")


FUSE_EXACT = Finding(
    claim="two-stage/fuse-exact",
    source="D, Approach: Two-Stage Training",
    evidence=None,
    note="Assumed: no logits of the fused model are compared with those of base and adapter.",
)

TWENTY_EIGHTY_DESTROYS = Finding(
    claim="two-stage/20-80-destroys",
    source=f"{RESULTS}, Experiment 1",
    evidence=_drop("symbols", STAGE_1.symbolic, TWENTY_EIGHTY[-1].symbolic),
    note="75% to 25% of one run, after 200 steps at a learning rate that is not printed; steps of "
    "25 points suggest four prompts.",
    others=(
        Labelled(
            label="word problems, 75% to 25%",
            evidence=_drop("words", STAGE_1.semantic, TWENTY_EIGHTY[-1].semantic),
        ),
    ),
)

FIFTY_FIFTY_PRESERVES = Finding(
    claim="two-stage/50-50-preserves",
    source=f"{RESULTS}, Experiment 2",
    evidence=_drop("symbols", STAGE_1.symbolic, FIFTY_FIFTY[-1].symbolic),
    note="75% to 75% of one run; with four prompts no change below 25 points could be seen, and at "
    "a learning rate of 5e-5 little changes at all.",
    others=(
        Labelled(
            label="word problems, 75% to 75%",
            evidence=_drop("words", STAGE_1.semantic, FIFTY_FIFTY[-1].semantic),
        ),
    ),
)

NO_CLASSIFIER = Finding(
    claim="two-stage/no-classifier",
    source=f"{RESULTS}, Experiment 2",
    evidence=_classifier(FIFTY_FIFTY[-1]),
    note="0.1% before, between and after, at 50/50 as at 20/80; which prompts and which layer is "
    "not printed.",
    others=(Labelled(label="at 20/80", evidence=_classifier(TWENTY_EIGHTY[-1])),),
)

SFT_HELPS_WORDS = Finding(
    claim="two-stage/sft-helps-words",
    source=RESULTS,
    evidence=_change(
        BASELINE.semantic, STAGE_1.semantic, STAGE_1.semantic - BASELINE.semantic, "words"
    ),
    note="50% to 75% of one run: one prompt, if there were four.",
    others=(
        Labelled(
            label="symbols, 75% to 75%",
            evidence=_change(
                BASELINE.symbolic, STAGE_1.symbolic, STAGE_1.symbolic - BASELINE.symbolic, "symbols"
            ),
        ),
    ),
)
