"""Flags and help of `lazarus-bench train`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from lazarus_bench.cli.train_flags import FLAGS
from lazarus_bench.cli.train_setting import Flag

_Commands = Callable[..., argparse.ArgumentParser]
_Examples = Callable[..., dict[str, Any]]

MODEL = (
    "a Hugging Face id, a directory, or a lab name such as lab:llama (seed 0's artifact in the "
    "store)"
)

_CODES = """exit code:
  0  trained, or found trained already
  2  bad input: one sentence says what to mend, and nothing is trained
  130, 141  interrupted (the same command goes on from there), or the pipe was closed"""

_ABOUT: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "sft": (
        "fine-tune on `a op b = answer`, by LoRA",
        "Supervised fine-tuning, next-token cross-entropy on the answer, with LoRA. The defaults "
        "are those of writeups A and B.",
        (
            "lazarus-bench train sft lab:llama --output adapters",
            "lazarus-bench train sft lab:llama --steps 20 --rank 4 --plot loss.svg",
            "lazarus-bench train sft MODEL --config config.yaml --learning-rate 3e-4",
        ),
    ),
    "full": (
        "the same, training every block",
        "Supervised fine-tuning of every weight of every block; embeddings and the final norm stay "
        "as they are. The defaults are those of writeup B.",
        ("lazarus-bench train full lab:llama --output full_finetune",),
    ),
    "dual-reward": (
        "train a middle layer's lens beside the answer",
        "weight · CE(lens at --layer, last prompt position → operation) + (1 − weight) · "
        "CE(answer), with LoRA on attention's values and outputs (writeup C).",
        (
            "lazarus-bench train dual-reward lab:llama --weight 0.4 --output adapters",
            "lazarus-bench lens lab:llama '7 * 8 = ' --adapter adapters --targets multiply",
        ),
    ),
    "grpo": (
        "reinforcement learning from right answers",
        "GRPO: answers are sampled, the right ones rewarded, each compared with its group "
        "(writeup C). Sizes and rate were searched for on development seeds "
        "(docs/search-grpo.md).",
        (
            "lazarus-bench train grpo lab:llama --iterations 30 --output grpo",
            "lazarus-bench train grpo lab:llama --no-full --rank 16 --reward my_rewards:short",
        ),
    ),
    "grpo-dual": (
        "GRPO and the classification loss together",
        "(1 − weight) · GRPO + weight · CE(lens at --layer → operation) (writeup C); its fixes are "
        "--balanced, --entropy 0.5, a lower --learning-rate with --kl 0.001, and --weight 0.9 "
        "--kl 0.",
        (
            "lazarus-bench train grpo-dual lab:llama --shared-target --output collapsed",
            "lazarus-bench train grpo-dual lab:llama --balanced --entropy 0.5 --output mended",
        ),
    ),
    "two-stage": (
        "sft, fuse, then a light dual reward on the fused model",
        "Fine-tune, fuse the adapter into the weights, and train a light dual reward on the fused "
        "model (writeup D, whose second experiment gives the defaults). --output gets stage1, "
        "fused and stage2: read the last with `lens DIR/fused ... --adapter DIR/stage2`.",
        (
            "lazarus-bench train two-stage lab:llama --output two_stage",
            "lazarus-bench train two-stage lab:llama --stage2-steps 200 --stage2-weight 0.8 \\",
            "    --stage2-learning-rate 1e-3",
        ),
    ),
    "engram": (
        "a classifier, a language model and a bottleneck on one backbone",
        "(1 − lm_weight) · CE(class) + lm_weight · CE(next token), with a bottleneck that is fed "
        "back as a prefix (writeup E). lab:blank is an untrained backbone of E's small scale.",
        (
            "lazarus-bench train engram lab:blank --output engram",
            "lazarus-bench train engram lab:llama --data topics --no-engram --lm-weight 0",
            "lazarus-bench train engram MODEL --data sst2=GLUE/SST-2 --bits 4 --output engram",
        ),
    ),
}


def add_train(add: _Commands, examples: _Examples) -> None:
    """Add the parsers; `examples` makes the end of a command's help."""
    train = add(
        "train",
        help="train a model: sft, full, dual-reward, grpo, grpo-dual, two-stage, engram",
        description="Train by one of the writeups' recipes. What a training with the same model, "
        "seed and settings left in the store is found again, whoever made it; an interrupted one "
        "goes on.",
        **examples(
            "lazarus-bench train dual-reward lab:llama --output adapters",
            "lazarus-bench train two-stage lab:llama --config config.yaml",
            "lazarus-bench train RECIPE --help",
            after=_CODES,
        ),
    )
    recipes = train.add_subparsers(dest="recipe", required=True, metavar="RECIPE")
    common = _common()
    for name, (short, long, lines) in _ABOUT.items():
        recipe = recipes.add_parser(
            name,
            parents=[common],
            help=short,
            description=long,
            **examples(*lines, after=f"{_config(name)}\n\n{_CODES}"),
        )
        settings = recipe.add_argument_group("settings")
        for flag in FLAGS[name]:
            _add(settings, flag)
        # The folder is not the result file of the commands that read.
        recipe.set_defaults(output=None)


def _config(name: str) -> str:
    """How --config names things, with this recipe's names from the writeups."""
    others = sorted({key for flag in FLAGS[name] for key in flag.keys})
    return (
        "--config FILE.yaml takes the settings' names (learning_rate: 1e-4), model, seed and "
        "output, and\nalso: " + _wrapped(others) + ".\n"
        "Levels may be nested (lora: {rank: 8}). A flag on the command line wins over the file."
    )


def _wrapped(words: list[str]) -> str:
    lines, line = [], "also: "
    for word in words:
        if len(line) + len(word) > 96:
            lines.append(line.rstrip())
            line = ""
        line += f"{word}, "
    return "\n".join([*lines, line.removesuffix(", ")]).removeprefix("also: ")


def _common() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "model", metavar="MODEL", nargs="?", help=f"{MODEL}; may stand in --config instead"
    )
    parser.add_argument(
        "--config", metavar="FILE.yaml", help="settings from a file; flags given here win"
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        dest="folder",
        help="copy what was trained there, with its manifest and log (default: it stays in the "
        "store); a folder that is not empty is refused, unless it holds the same training",
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, help="of data, order and initial weights (default: 0)"
    )
    parser.add_argument(
        "--lab-seed",
        metavar="N",
        type=int,
        help="which of a lab model's bases to start from (default: 0, as in all commands; a "
        "claim's training with seed S starts from base S)",
    )
    parser.add_argument(
        "--plot", metavar="FILE.svg|FILE.png", help="draw the training curves: loss and its parts"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")
    return parser


def _add(group: Any, flag: Flag) -> None:
    about: dict[str, Any] = {"dest": f"set.{flag.field}", "default": None, "help": flag.told}
    if flag.kind == "switch":
        group.add_argument(flag.flag, action=argparse.BooleanOptionalAction, **about)
        return
    if flag.choices:
        about["choices"] = flag.choices
    if flag.many:
        about["action"] = "append"
    kinds: dict[str, Any] = {"integer": int, "number": float, "integers": _integers, "text": str}
    group.add_argument(flag.flag, metavar=flag.metavar, type=kinds[flag.kind], **about)


def _integers(text: str) -> tuple[int, ...]:
    """Integers with commas between them."""
    try:
        return tuple(int(part) for part in text.split(",") if part)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list such as 0,100,300") from None
