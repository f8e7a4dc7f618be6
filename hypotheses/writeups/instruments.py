"""What the writeups print that a defect of an instrument or a loader might have produced.

The tables themselves stand with their writeups. Each finding `explains` printed numbers, labelled
by what they measure, so that the claim puts the same number with the defect and without it beside
them; whether the defect was at work in the printed one is for the reader to judge.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from lazarus_bench.claims.finding import Finding, Labelled
from lazarus_bench.judge import SHARE, Exact, Hits, Means, Reported

from .classifier_emergence_cli import LORA_ACCURACY
from .emergence_results.dual import DUAL_REWARD_LLAMA_BASE, PROMPTS
from .emergence_results.grpo import GRPO_DUAL_TRAINED
from .emergence_results.lens import (
    LENS_GRANITE,
    LENS_LLAMA_BASE,
)
from .emergence_results.probes import (
    WORDS_GRANITE,
    WORDS_LLAMA,
    WORDS_TINYLLAMA,
    LayerAccuracy,
)
from .records import LensTable, operation_of
from .task_classifier_emergence import MEAN_PEAK_PROBABILITY

PROBE_PROMPTS = 16


def in_bfloat16(values: Sequence[float]) -> np.ndarray:
    """The nearest bfloat16 numbers, ties to even: the upper half of a float32's 32 bits."""
    bits = np.asarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + (bits >> np.uint64(16) & np.uint64(1))) & np.uint64(0xFFFF0000)
    return rounded.astype(np.uint32).view(np.float32).astype(np.float64)


def prints_no_bfloat16(values: Sequence[float], decimals: int) -> tuple[float, ...]:
    """1 where a probability, as a percentage of so many decimals, prints otherwise in bfloat16."""
    exact = np.round(100 * np.asarray(values, dtype=np.float64), decimals)
    moved = np.round(100 * in_bfloat16(values), decimals) != exact
    return tuple(moved.astype(float).tolist())


def _top(table: LensTable) -> Means:
    return Means(values=(tuple(row.probability for row in table.rows),), bounds=SHARE)


TOP = "top token's probability at the classifier layer, the writeups' eight prompts"
APART = "difference of the top token's probability between two readings of a prompt"

_READINGS = zip(
    (row.probability for row in LENS_LLAMA_BASE.rows),
    DUAL_REWARD_LLAMA_BASE.baseline_probability,
    strict=True,
)

NON_CAUSAL_LENS = Finding(
    claim="explain/non-causal-lens",
    source="C, Results: Logit Lens Analysis; Results: Llama 3.2 1B Base",
    evidence=None,
    note="No writeup says whether its lens had a mask. C reads the same eight prompts of the same "
    "model at the same layer twice and prints 1.3% to 12.1% for the top token once and 0.00% to "
    "0.03% the other time, so the two readings were not taken alike.",
    explains=(
        Labelled(
            label=APART,
            evidence=Means(values=(tuple(abs(a - b) for a, b in _READINGS),), bounds=SHARE),
        ),
    ),
)

GRANITE_FORWARD = Finding(
    claim="explain/granite-forward",
    source="C, Results: Logit Lens Analysis, Granite 3.1 2B at Layer 22",
    evidence=None,
    note="56% to 100% for the top token of Granite 3.1 2B at L22 of 40, where two llamas have 0.5% "
    "to 12%; there is no reading of it with the right multipliers.",
    explains=(Labelled(label=TOP, evidence=_top(LENS_GRANITE)),),
)

SFT_RIGHT = "prompts answered right after LoRA fine-tuning"
DUAL_LENS = "probability of the operation's name after V/O dual reward, classifier layer"

ADAPTER_RELOAD = Finding(
    claim="explain/adapter-reload",
    source="B, Analyze with Logit Lens",
    evidence=None,
    note="B loads its adapters again to read them and prints nothing of the same adapter before it "
    "was saved; nor does C of its own adapters.",
    explains=(
        Labelled(label=SFT_RIGHT, evidence=LORA_ACCURACY),
        Labelled(label=DUAL_LENS, evidence=DUAL_REWARD_LLAMA_BASE.gold_probability),
    ),
)

AVERAGE_PEAK = "average peak probability of the untrained model"

SUBSTRING_HITS = Finding(
    claim="explain/substring-hits",
    source="A, Results, Baseline (Untrained); Summary Table",
    evidence=None,
    note="0.4% is the average over prompts with a match; the matches printed are ' TimeSpan', "
    "'/***/', 'addle' and '-gun'. What the operations' own names had is not printed.",
    explains=(
        Labelled(
            label=AVERAGE_PEAK,
            evidence=Reported(
                value=MEAN_PEAK_PROBABILITY[0], note="the Summary Table's baseline, no prompts"
            ),
        ),
    ),
)

OFF_GRID = "share of printed probabilities that no bfloat16 number prints as"
OFF_GRID_DUAL = f"{OFF_GRID}: the operation's name after dual reward, two decimals"
OFF_GRID_GRANITE = f"{OFF_GRID}: one decimal, Granite's lens"
OFF_GRID_BASE = f"{OFF_GRID}: the top token of an untrained model, two decimals"


def _off_grid(table: LensTable, decimals: int) -> Hits:
    return Hits(values=(prints_no_bfloat16([r.probability for r in table.rows], decimals),))


BF16_LENS = Finding(
    claim="explain/bf16-lens",
    source="C, Results: Logit Lens Analysis; Results: Llama 3.2 1B Base",
    evidence=Hits(values=(prints_no_bfloat16(DUAL_REWARD_LLAMA_BASE.probability, 2),)),
    note="All eight probabilities after dual reward (36.16% to 81.09%) print as no bfloat16 number "
    "does, so these were read in a wider type; all 24 top probabilities of the lens tables print "
    "as one. Below 1.56% every percentage of two decimals does; 5.22%, 12.11% and Granite's five "
    "below 100% do tell.",
    explains=(
        Labelled(
            label=OFF_GRID_DUAL,
            evidence=Hits(values=(prints_no_bfloat16(DUAL_REWARD_LLAMA_BASE.probability, 2),)),
        ),
        Labelled(label=OFF_GRID_GRANITE, evidence=_off_grid(LENS_GRANITE, 1)),
        Labelled(label=OFF_GRID_BASE, evidence=_off_grid(LENS_LLAMA_BASE, 2)),
    ),
    others=(
        Labelled(
            label="TinyLlama 1.1B after GRPO and dual reward",
            evidence=_off_grid(GRPO_DUAL_TRAINED, 2),
        ),
    ),
)


def _best(table: LayerAccuracy) -> Hits:
    right = round(table.peak * PROBE_PROMPTS)
    return Hits(values=((1.0,) * right + (0.0,) * (PROBE_PROMPTS - right),))


BEST_LAYER = "best layer's accuracy, sixteen prompts in words"

RANDOM_INIT_PROBE = Finding(
    claim="explain/random-init-probe",
    source="C, True Classifier Emergence: Word-Based Prompts",
    evidence=None,
    note="81.2%, 13 of 16, at the best of 16 layers of Llama-3.2-1B, and as much of TinyLlama; no "
    "model with random weights was probed.",
    explains=(Labelled(label=BEST_LAYER, evidence=_best(WORDS_LLAMA)),),
    others=(
        Labelled(label="TinyLlama 1.1B", evidence=_best(WORDS_TINYLLAMA)),
        Labelled(label="Granite 3.1 2B", evidence=_best(WORDS_GRANITE)),
    ),
)


def _constant_accuracy(prompts: Sequence[str]) -> float:
    """Restricted accuracy of naming one operation on every prompt, the best such operation."""
    return max(Counter(map(operation_of, prompts)).values()) / len(prompts)


ALWAYS_ONE = "accuracy of one operation named on every prompt"
ALWAYS_ONE_OF_SIX = f"{ALWAYS_ONE}, six prompts without division"

CONSTANT_PREDICTOR = Finding(
    claim="explain/constant-predictor",
    source="C, Test prompts of every lens table",
    evidence=Exact(
        value=_constant_accuracy(PROMPTS), note="two of the eight prompts ask for each operation"
    ),
    note="Whichever name is on top of the four on every prompt is right on two of the eight. C's "
    "GRPO with dual reward names 'add' on all of six prompts and scores 2/6; a rerun of the V/O "
    "dual reward on TinyLlama, in the results kept beside C, names 'subtract' on all eight, 2/8.",
    explains=(
        Labelled(label=ALWAYS_ONE, evidence=Hits(values=((1.0,) * 2 + (0.0,) * 6,))),
        Labelled(label=ALWAYS_ONE_OF_SIX, evidence=GRPO_DUAL_TRAINED.hits),
    ),
)
