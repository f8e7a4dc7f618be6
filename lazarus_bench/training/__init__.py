"""Training: one recipe per file on one shared loop.

A recipe is a frozen spec (`specs.py`, which claim files import, so it needs no mlx) and the module
that its `kind` names, whose `run` makes an artifact directory from it. `loop.fit` takes the steps,
goes on where a killed attempt stopped (`resume.py`) and shares batches among ranks (`ranks.py`).
Not here: where artifacts are kept and when they are made (jobs), and what is read from them
(analysis).
"""

from lazarus_bench.training.specs import (
    Blank,
    DualReward,
    Engram,
    FinetuneCost,
    Fuse,
    Grpo,
    GrpoDual,
    Instruct,
    Pretrain,
    Recipe,
    Sft,
    SftTexts,
)

__all__ = [
    "Blank",
    "DualReward",
    "Engram",
    "FinetuneCost",
    "Fuse",
    "Grpo",
    "GrpoDual",
    "Instruct",
    "Pretrain",
    "Recipe",
    "Sft",
    "SftTexts",
]
