"""`lazarus-bench generate`: what a model goes on with after each prompt."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lazarus_bench.cli import subject, terminal
from lazarus_bench.cli.prompts import read_prompts
from lazarus_bench.cli.results import check_output, give
from lazarus_bench.cli.tokens import following
from lazarus_bench.errors import UserError
from lazarus_bench.report.printed import cut

if TYPE_CHECKING:
    from lazarus_bench.analysis.answers import Continuation


def run(options: argparse.Namespace) -> int:
    """Continue `options.prompts` and show what came.

    Raises:
        UserError: a flag cannot be honoured, or the model cannot be read.
    """
    check_output(options)
    _check(options)
    prompts = read_prompts(options.prompts)
    found = subject.find(options.model, options.adapter)
    loaded = found.load()
    from lazarus_bench.analysis.answers import continuations

    encoded, start = subject.encode(loaded, prompts), time.perf_counter()
    with terminal.busy(f"continuing {len(prompts)} prompts"):
        followed = continuations(
            loaded, encoded, options.max_tokens, options.temperature, options.seed or 0
        )
    seconds = time.perf_counter() - start
    pairs = zip(encoded, followed, strict=True)
    texts = [following(loaded, before, found.tokens) for before, found in pairs]
    result = _result(options, prompts, texts, followed, seconds)
    give(options, found, result, _shown(found.label, prompts, texts))
    return 0


def _check(options: argparse.Namespace) -> None:
    if options.max_tokens < 1:
        raise UserError(f"--max-tokens {options.max_tokens} leaves nothing to say: give 1 or more")
    if not (math.isfinite(options.temperature) and options.temperature >= 0):
        raise UserError(
            f"--temperature {options.temperature:g} is none: give a finite number, 0 or more"
        )
    if options.seed is not None and options.temperature == 0:
        raise UserError(
            "--seed has nothing to draw at temperature 0: give --temperature as well, such as 1"
        )
    if options.seed is not None and options.seed < 0:
        raise UserError(f"--seed {options.seed} is no seed: give 0 or more")


def _result(
    options: argparse.Namespace,
    prompts: Sequence[str],
    texts: Sequence[str],
    followed: Sequence[Continuation],
    seconds: float,
) -> dict[str, Any]:
    """A list entry a prompt; `tokens` counts those kept, `ended` says which met the end of text."""
    amount = sum(len(f.tokens) + f.ended for f in followed)
    return {
        "prompts": prompts,
        "texts": texts,
        "tokens": [len(f.tokens) for f in followed],
        "ended": [f.ended for f in followed],
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "seed": options.seed,
        "seconds": round(seconds, 3),
        "tokens_per_second": round(amount / max(seconds, 1e-9), 1),
    }


def _shown(label: str, prompts: Sequence[str], texts: Sequence[str]) -> str:
    said = [_harmless(prompt + text) for prompt, text in zip(prompts, texts, strict=True)]
    return "\n".join([cut(label, terminal.width()), "", *said])


def _harmless(text: str) -> str:
    """What a model says, with escapes for characters that would command the terminal."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii")
        for c in text
    )
