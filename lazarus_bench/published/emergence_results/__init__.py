"""Writeup C, "Classifier Emergence Experiment Results" (January 7, 2026).

`lens` holds the untrained models, `dual` the dual-reward runs, `probes` the linear probes, `grpo`
the tables on reinforcement learning with and without the classification loss, `reinforcement` what
they offer for the claims, `router` the mixture-of-experts gates. Disagreements inside the writeup
are noted where the numbers are.
"""

from lazarus_bench.published.emergence_results.dual import (
    ANSWERS_SURVIVE,
    BASE_BEATS_INSTRUCT,
    BEATS_SFT,
    DUAL_LOSS_FALLS,
    DUAL_REWARD_DYNAMICS,
    DUAL_REWARD_LLAMA_BASE,
    DUAL_REWARD_LLAMA_INSTRUCT,
    PARAMS,
    VO_36,
    VO_ALL_RIGHT,
    VO_IS_THE_KEY,
)
from lazarus_bench.published.emergence_results.grpo import CLASSIFICATION_WORDS
from lazarus_bench.published.emergence_results.lens import (
    BASE_NO_HIT,
    BASE_NO_LAYER,
    BASE_NO_MASS,
    LENS_GRANITE,
    LENS_LLAMA_BASE,
    LENS_TINYLLAMA,
)
from lazarus_bench.published.emergence_results.reinforcement import (
    DRIFTS,
    GRPO_DUAL_LOSS_FALLS,
    GRPO_NO_CLUSTERS,
    GRPO_NO_LENS,
    GRPO_NO_WORDS_IN_PROBE,
    GRPO_PROBE_UNCHANGED,
    REWARD_DIES,
    STAGED_WORKS,
    STILL_COLLAPSES_BALANCED,
    STILL_COLLAPSES_CLASS_WEIGHT,
    STILL_COLLAPSES_ENTROPY,
    STILL_COLLAPSES_LOW_RATE,
    VO_SUPERIOR,
    collapses,
    improves_answers,
)
from lazarus_bench.published.emergence_results.router import (
    ROUTER_ALL_GENERAL,
    ROUTER_CONTEXT,
    ROUTER_LIKE_RANDOM,
    ROUTER_NO_CLASS_WORDS,
    ROUTER_WEAK,
)

__all__ = [
    "ANSWERS_SURVIVE",
    "BASE_BEATS_INSTRUCT",
    "BASE_NO_HIT",
    "BASE_NO_LAYER",
    "BASE_NO_MASS",
    "BEATS_SFT",
    "CLASSIFICATION_WORDS",
    "DRIFTS",
    "DUAL_LOSS_FALLS",
    "DUAL_REWARD_DYNAMICS",
    "DUAL_REWARD_LLAMA_BASE",
    "DUAL_REWARD_LLAMA_INSTRUCT",
    "GRPO_DUAL_LOSS_FALLS",
    "GRPO_NO_CLUSTERS",
    "GRPO_NO_LENS",
    "GRPO_NO_WORDS_IN_PROBE",
    "GRPO_PROBE_UNCHANGED",
    "LENS_GRANITE",
    "LENS_LLAMA_BASE",
    "LENS_TINYLLAMA",
    "PARAMS",
    "REWARD_DIES",
    "ROUTER_ALL_GENERAL",
    "ROUTER_CONTEXT",
    "ROUTER_LIKE_RANDOM",
    "ROUTER_NO_CLASS_WORDS",
    "ROUTER_WEAK",
    "STAGED_WORKS",
    "STILL_COLLAPSES_BALANCED",
    "STILL_COLLAPSES_CLASS_WEIGHT",
    "STILL_COLLAPSES_ENTROPY",
    "STILL_COLLAPSES_LOW_RATE",
    "VO_36",
    "VO_ALL_RIGHT",
    "VO_IS_THE_KEY",
    "VO_SUPERIOR",
    "collapses",
    "improves_answers",
]
