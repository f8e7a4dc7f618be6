"""Writeup C, "Classifier Emergence Experiment Results" (January 7, 2026).

`lens` holds the untrained models, `dual` the dual-reward runs, `probes` the linear probes, `grpo`
reinforcement learning with and without the classification loss, `router` the mixture-of-experts
gates. Disagreements inside the writeup are noted where the numbers are.
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
from lazarus_bench.published.emergence_results.lens import (
    BASE_NO_HIT,
    BASE_NO_LAYER,
    BASE_NO_MASS,
    LENS_GRANITE,
    LENS_LLAMA_BASE,
    LENS_TINYLLAMA,
)

__all__ = [
    "ANSWERS_SURVIVE",
    "BASE_BEATS_INSTRUCT",
    "BASE_NO_HIT",
    "BASE_NO_LAYER",
    "BASE_NO_MASS",
    "BEATS_SFT",
    "DUAL_LOSS_FALLS",
    "DUAL_REWARD_DYNAMICS",
    "DUAL_REWARD_LLAMA_BASE",
    "DUAL_REWARD_LLAMA_INSTRUCT",
    "LENS_GRANITE",
    "LENS_LLAMA_BASE",
    "LENS_TINYLLAMA",
    "PARAMS",
    "VO_36",
    "VO_ALL_RIGHT",
    "VO_IS_THE_KEY",
]
