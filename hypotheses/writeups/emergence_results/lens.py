"""Writeup C: the logit lens of untrained models.

The same prompts were read twice on Llama-3.2-1B at layer 8, and the two tables disagree: `7 * 8 =`
gives 'palindrome' with 2.04% under "Logit Lens Analysis" and 'orex' with 0.02% as the baseline of
the dual-reward run, a hundredfold apart (`dual.DUAL_REWARD_LLAMA_BASE`). So were six of them on
TinyLlama at layer 12: '≡' with 0.48% here, '政' with 0.00% there (`grpo.GRPO_DUAL_BASELINE`).
"""

from dataclasses import dataclass

from lazarus_bench.claims.finding import Finding, Labelled
from lazarus_bench.judge import Reported

from ..raw_results import UNTRAINED_QWEN
from ..records import LensTable, percent, reading
from .dual import (
    DUAL_REWARD_LLAMA_BASE,
    DUAL_REWARD_LLAMA_INSTRUCT,
)
from .grpo import GRPO_DUAL_BASELINE

LENS_LLAMA_BASE = LensTable(
    model="Llama 3.2 1B",
    layer=8,
    layers=16,
    rows=(
        reading("7 * 8 =", "palindrome", "2.04% 0.005% 0.00002% 0.014% 0.001%"),
        reading("12 * 5 =", "palindrome", "1.86% 0.006% 0.00004% 0.015% 0.001%"),
        reading("23 + 45 =", "orex", "1.70% 0.002% 0.000002% 0.002% 0.0001%"),
        reading("17 + 38 =", "orex", "2.60% 0.001% 0.000001% 0.001% 0.00008%"),
        reading("50 - 23 =", "ặn", "5.22% 0.004% 0.00001% 0.014% 0.0001%"),
        reading("89 - 34 =", "ặn", "12.11% 0.004% 0.00002% 0.011% 0.0001%"),
        reading("48 / 6 =", ".TabIndex", "1.32% 0.005% 0.000005% 0.005% 0.0009%"),
        reading("81 / 9 =", "ặn", "1.51% 0.004% 0.000003% 0.007% 0.0005%"),
    ),
)
"""Results: Logit Lens Analysis, "Llama 3.2 1B at Layer 8 (50% depth)"."""

LENS_TINYLLAMA = LensTable(
    model="TinyLlama 1.1B",
    layer=12,
    layers=22,
    rows=(
        reading("7 * 8 =", "≡", "0.48% 0.011% 0.002% 0.0007% 0.002%"),
        reading("12 * 5 =", "≡", "0.49% 0.007% 0.003% 0.0006% 0.003%"),
        reading("23 + 45 =", "≥", "0.92% 0.023% 0.003% 0.001% 0.004%"),
        reading("17 + 38 =", "≥", "0.69% 0.033% 0.004% 0.002% 0.004%"),
        reading("50 - 23 =", "&=", "0.53% 0.018% 0.004% 0.001% 0.006%"),
        reading("89 - 34 =", "Bbb", "0.56% 0.020% 0.005% 0.002% 0.011%"),
        reading("48 / 6 =", "≠", "0.82% 0.006% 0.004% 0.002% 0.009%"),
        reading("81 / 9 =", "≠", "0.58% 0.006% 0.004% 0.003% 0.007%"),
    ),
)
"""Results: Logit Lens Analysis, "TinyLlama 1.1B at Layer 12 (55% depth)"."""

LENS_GRANITE = LensTable(
    model="Granite 3.1 2B",
    layer=22,
    layers=40,
    rows=(
        reading("7 * 8 =", "MZQ", "100% 0% 0% 0% 0%"),
        reading("12 * 5 =", "҆", "95.7% ~0% ~0% ~0% ~0%"),
        reading("23 + 45 =", "y", "100% ~0% ~0% ~0% ~0%"),
        reading("17 + 38 =", "҆", "56.2% ~0% ~0% ~0% ~0%"),
        reading("50 - 23 =", "MZQ", "98.4% 0% 0% 0% 0%"),
        reading("89 - 34 =", "MZQ", "100% 0% 0% 0% 0%"),
        reading("48 / 6 =", "MZQ", "95.7% 0% 0% 0% 0%"),
        reading("81 / 9 =", "MZQ", "95.7% 0% 0% 0% 0%"),
    ),
)
"""Results: Logit Lens Analysis, "Granite 3.1 2B at Layer 22 (55% depth)"."""


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One row of "Logit Lens at Multiple Layers": top token, and all operation words together."""

    layer: int
    prompt: str
    token: str
    probability: float
    words: float


def _row(layer: int, prompt: str, token: str, top: str, words: str) -> LayerRow:
    return LayerRow(
        layer=layer, prompt=prompt, token=token, probability=percent(top), words=percent(words)
    )


LENS_BY_LAYER = (
    _row(0, "45*45=", "=", "100.0%", "0.0%"),
    _row(0, "23+45=", "=", "100.0%", "0.0%"),
    _row(4, "45*45=", "oad", "1.89%", "0.0%"),
    _row(4, "23+45=", "ackle", "1.54%", "0.0%"),
    _row(8, "45*45=", "ENERGY", "0.82%", "0.0%"),
    _row(8, "23+45=", "ặn", "4.81%", "0.0%"),
    _row(8, "100-37=", "avez", "2.47%", "0.0%"),
    _row(8, "48/6=", ".TabIndex", "0.99%", "0.0%"),
)
"""Base Model Logit Lens Analysis: three of Llama-3.2-1B's 16 layers, prompts without blanks."""

BASE_NO_HIT = Finding(
    claim="lens/base-no-hit",
    source="C, Results: Logit Lens Analysis",
    evidence=LENS_LLAMA_BASE.hits,
    note="0 of 8 on Llama-3.2-1B at L8, and none on the other models; the same eight prompts each "
    "time, so they are shown beside it and not pooled.",
    others=(
        Labelled(label="TinyLlama 1.1B at L12", evidence=LENS_TINYLLAMA.hits),
        Labelled(label="Granite 3.1 2B at L22", evidence=LENS_GRANITE.hits),
        Labelled(
            label="Llama 3.2 1B at L8, second table", evidence=DUAL_REWARD_LLAMA_BASE.baseline_hits
        ),
        Labelled(
            label="Llama 3.2 1B Instruct at L8", evidence=DUAL_REWARD_LLAMA_INSTRUCT.baseline_hits
        ),
        Labelled(label="TinyLlama 1.1B at L12, GRPO section", evidence=GRPO_DUAL_BASELINE.hits),
    ),
)

BASE_NO_MASS = Finding(
    claim="lens/base-no-mass",
    source="C, Results: Logit Lens Analysis",
    evidence=LENS_LLAMA_BASE.gold_probability,
    note="Eight prompts on Llama-3.2-1B at L8, printed to one or two digits; the two lens "
    "tables of this model disagree a hundredfold on the top token of 7 * 8 ('palindrome' with "
    "2.04%, 'orex' with 0.02%), and so do TinyLlama's at L12 ('≡' with 0.48%, '政' with 0.00%).",
    others=(
        Labelled(label="TinyLlama 1.1B at L12", evidence=LENS_TINYLLAMA.gold_probability),
        Labelled(
            label="Granite 3.1 2B at L22 ('~0%' read as 0)", evidence=LENS_GRANITE.gold_probability
        ),
        Labelled(
            label="TinyLlama 1.1B at L12, GRPO section ('0.00%' read as 0)",
            evidence=GRPO_DUAL_BASELINE.gold_probability,
        ),
    ),
)

BASE_NO_LAYER = Finding(
    claim="lens/base-no-layer",
    source="C, Base Model Logit Lens Analysis",
    evidence=Reported(
        value=0.0,
        low=0.0,
        high=0.0005,
        note="0.0% 'at all layers (L0-L15)', printed for three of 16 layers, two to four prompts",
    ),
    note="'0% at all layers (L0-L15)' on Llama-3.2-1B; numbers are printed for L0, L4 and L8 only, "
    "with two prompts at the first two, so the maximum over layers has no sample.",
    others=(
        Labelled(
            label="an untrained Qwen3-0.6B, by the authors' raw results: 'classifiers' of up to",
            evidence=Reported(value=UNTRAINED_QWEN, note="not in the writeup"),
        ),
    ),
)
