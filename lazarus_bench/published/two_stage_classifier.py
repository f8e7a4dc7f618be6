"""Writeup D, "Two-Stage Classifier Training Experiment" (January 10, 2026), TinyLlama-1.1B.

Percentages in steps of 25 suggest four prompts; their number is not printed. Both experiments
print the same baseline and the same first stage.
"""

from dataclasses import dataclass

from lazarus_bench.published.records import percents


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
