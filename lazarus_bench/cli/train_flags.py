"""What each training can be given: its flags with the fields that they set.

No recipe is imported, for the help must not wait; a test holds the defaults against the specs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lazarus_bench.cli.train_setting import (
    ANSWER_WEIGHT,
    EXAMPLES,
    LAYER,
    QUIRK,
    Flag,
    batch,
    lora,
    rate,
    steps,
    weight,
)

_TUNED = (
    Flag(
        field="validation",
        help="held-out problems of the validation loss; with --data as --examples",
        default=200,
        keys=("val_samples", "valid_samples"),
    ),
    Flag(
        field="checkpoints",
        help="steps after which the adapter and the validation loss are kept",
        kind="integers",
        default="0,100,300,500 as far as they come, and the last",
        metavar="N,N",
    ),
    Flag(
        field="mask_prompt",
        help="score the answer alone, not the prompt's tokens",
        kind="switch",
        default=True,
    ),
    QUIRK,
)

TEXTS = Flag(
    field="texts",
    help="train on a file of your own, or a folder with train.jsonl and valid.jsonl, in place of "
    "generated arithmetic: rows of prompt and completion, of text or of messages (docs/train.md)",
    kind="text",
    name="data",
    metavar="FILE.jsonl|DIR",
)

_OWN_EXAMPLES = replace(
    EXAMPLES, help="training problems drawn; with --data, rows that are read (all of them)"
)

SFT = (
    TEXTS,
    steps(500),
    batch(8),
    rate(1e-4),
    *lora(8, "20 · rank", "all"),
    _OWN_EXAMPLES,
    *_TUNED,
)
FULL = (
    TEXTS,
    steps(500),
    batch(8),
    rate(1e-5),
    _OWN_EXAMPLES,
    *(
        replace(flag, default="0 and the last") if flag.field == "checkpoints" else flag
        for flag in _TUNED
    ),
)
DUAL = (
    weight(0.4),
    ANSWER_WEIGHT,
    LAYER,
    steps(500),
    batch(16),
    rate(1e-3),
    *lora(16, "2 · rank", "vo", scaled=False),
    EXAMPLES,
    QUIRK,
)

_REINFORCED = (
    Flag(
        field="answers",
        help="sampled answers to a prompt",
        default=8,
        keys=("group_size", "num_generations"),
    ),
    rate(3e-4),
    Flag(
        field="clip",
        help="the ratio to the sampling policy is clipped to 1 ± this",
        kind="number",
        default=0.2,
        keys=("clip_epsilon", "epsilon"),
        metavar="X",
    ),
    Flag(
        field="kl",
        help="weight of the divergence from the base",
        kind="number",
        default=0.04,
        keys=("kl_coef", "kl_coeff", "kl_coefficient", "beta"),
        metavar="X",
    ),
    Flag(
        field="answer_tokens",
        help="most tokens of a sampled answer",
        default=6,
        keys=("max_tokens", "max_completion_length"),
    ),
    Flag(
        field="reward",
        help="right-integer, none, or module:function of your own",
        kind="text",
        default="right-integer",
        metavar="NAME",
    ),
    Flag(
        field="full",
        help="train every block; --no-full trains LoRA",
        kind="switch",
        default=True,
    ),
    *lora(16, "2 · rank", "all"),
    EXAMPLES,
    QUIRK,
)


def _prompts(default: int) -> Flag:
    return Flag(
        field="prompts",
        help="prompts an iteration",
        default=default,
        keys=("batch_size", "prompts_per_iteration"),
    )


def _iterations(default: int) -> Flag:
    return Flag(
        field="iterations",
        help="iterations: answers are sampled, then one step is taken",
        default=default,
        keys=("num_iterations", "max_steps", "steps", "iters"),
    )


GRPO = (_prompts(64), _iterations(140), *_REINFORCED)
GRPO_DUAL = (
    _prompts(8),
    _iterations(100),
    weight(0.4),
    LAYER,
    Flag(
        field="balanced",
        help="each operation equally often in a batch",
        kind="switch",
        default=False,
        keys=("balanced_sampling",),
    ),
    Flag(
        field="entropy",
        help="weight of the entropy bonus in the classification loss",
        kind="number",
        default=0.0,
        keys=("entropy_bonus", "diversity_weight"),
        metavar="X",
    ),
    Flag(
        field="shared_target",
        help="the first prompt's operation is the whole batch's target, as the writeup began",
        kind="switch",
        default=False,
    ),
    *_REINFORCED,
)


def staged(stage: str, flags: Sequence[Flag], defaults: Mapping[str, Any]) -> tuple[Flag, ...]:
    """The flags of one stage: `--stage1-rank`, in a file `stage1: {rank: ...}`."""
    return tuple(
        replace(
            flag,
            field=f"{stage}.{flag.field}",
            name=f"{stage}_{flag.key}",
            keys=tuple(f"{stage}.{key}" for key in (flag.key, *flag.keys)),
            default=defaults.get(flag.field, flag.default),
        )
        for flag in flags
    )


STAGE_1 = {"rank": 16}
STAGE_2 = {"rank": 8, "weight": 0.5, "learning_rate": 5e-5}
"""Writeup D, *Config Used*; the learning rate of stage 1, which it leaves open, is that of sft."""

_TOLD_1 = {**STAGE_1, "alpha": "2 · rank", "checkpoints": "0 and the last"}
TWO_STAGE = (*staged("stage1", SFT, _TOLD_1), *staged("stage2", DUAL, STAGE_2))

ENGRAM = (
    Flag(
        field="data",
        help="sentiment or topics, which are generated, or sst2=DIR or ag_news=DIR (docs/data.md)",
        kind="text",
        default="sentiment",
        keys=("dataset",),
        metavar="NAME",
    ),
    Flag(
        field="examples",
        help="training examples at most; generated ones are drawn",
        default="4000, 20,000 of a file; on lab:blank 120 of sentiment, 40 of topics",
    ),
    Flag(
        field="validation",
        help="evaluation examples at most",
        default="500, 10,000 of a file",
    ),
    Flag(
        field="engram",
        help="feed the compressed state back as a prefix (model 3 of the writeup)",
        kind="switch",
        default=True,
    ),
    Flag(
        field="lm_weight",
        help="of the next token's loss, 0 to 1; 0 without an engram is the writeup's model 1",
        kind="number",
        default=0.5,
        metavar="W",
    ),
    Flag(
        field="labels",
        help="true, or shuffled for the control",
        kind="text",
        default="true",
        choices=("true", "shuffled"),
        metavar="true|shuffled",
    ),
    Flag(
        field="epochs",
        help="passes over the examples; 0 leaves the untrained control",
        default="3; on lab:blank 24 of sentiment, 30 of topics",
        keys=("num_epochs",),
    ),
    batch(16, "texts a step; 32 on lab:blank with a file"),
    Flag(
        field="learning_rate",
        help="AdamW's learning rate",
        kind="number",
        default="2e-4; on lab:blank 1e-3",
        keys=("lr",),
        metavar="X",
    ),
    Flag(
        field="warm_up",
        help="share of the steps in which the rate rises",
        kind="number",
        default=0.1,
        keys=("warmup_ratio",),
        metavar="X",
    ),
    Flag(field="weight_decay", help="of matrices", kind="number", default=0.01, metavar="X"),
    Flag(
        field="full",
        help="train every weight in place of LoRA",
        kind="switch",
        default="off; on lab:blank on",
    ),
    *(flag for flag in lora(16, "2 · rank", "all") if flag.field != "targets"),
    Flag(
        field="bits",
        help="quantise the blocks' linears to 2, 3, 4, 5, 6 or 8 bits below LoRA",
        default="none",
    ),
    Flag(field="classifier_width", help="of the classifier's hidden layer", default=256),
    Flag(
        field="engram_width",
        help="of the bottleneck",
        default=128,
        keys=("bottleneck", "engram_dim"),
    ),
    Flag(field="dropout", help="in the classifier", kind="number", default=0.1, metavar="X"),
    Flag(
        field="max_length",
        help="tokens of a text that are read",
        default="128; all on lab:blank with generated data",
    ),
)

FLAGS: Mapping[str, tuple[Flag, ...]] = {
    "sft": SFT,
    "full": FULL,
    "dual-reward": DUAL,
    "grpo": GRPO,
    "grpo-dual": GRPO_DUAL,
    "two-stage": TWO_STAGE,
    "engram": ENGRAM,
}
