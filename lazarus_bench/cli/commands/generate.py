"""Continue prompts, greedily or by sampling.

Each prompt is continued until the end-of-text token or --max-tokens. Prompts are used verbatim,
without a chat template.

Examples:
    lazarus-bench generate lab:llama '7 * 8 = |23 + 45 = '
    lazarus-bench generate MODEL @prompts.txt --adapter adapters --json
    lazarus-bench generate MODEL '7 * 8 = ' --temperature 1 --seed 3 --max-tokens 8
"""

from __future__ import annotations

import math
import time
from typing import Annotated

from cyclopts import Parameter

from lazarus_bench.cli import inputs
from lazarus_bench.cli.flags import Line, Model, Prompts, Reading, number
from lazarus_bench.cli.outputs import check_output, show
from lazarus_bench.cli.terminal import busy
from lazarus_bench.errors import UserError


def run(
    model: Model,
    prompts: Prompts,
    /,
    *,
    max_tokens: Annotated[int, number("maximum number of new tokens (default: 32)")] = 32,
    temperature: Annotated[
        float,
        Parameter(
            metavar="T",
            help="sample from softmax(logits / T); 0 is greedy (default: 0)",
        ),
    ] = 0.0,
    seed: Annotated[int | None, number("random seed, with --temperature (default: 0)")] = None,
    output: Reading = Reading(),
    line: Line,
) -> int:
    """Continue `prompts` and show what came."""
    check_output(output)
    if max_tokens < 1:
        raise UserError(f"--max-tokens {max_tokens} must be at least 1")
    if not (math.isfinite(temperature) and temperature >= 0):
        raise UserError(
            f"--temperature {temperature:g} is not a temperature: give a finite number, 0 or more"
        )
    if seed is not None and temperature == 0:
        raise UserError(
            "--seed has no effect at temperature 0: give --temperature as well, such as 1"
        )
    if seed is not None and seed < 0:
        raise UserError(f"--seed {seed} is not a seed: give 0 or more")
    asked = inputs.read_prompts(prompts)
    found = inputs.find(model, output.adapter, store=output.store, dtype=output.dtype)
    loaded = found.load()
    from lazarus_bench.analysis.answers import generate

    start = time.perf_counter()
    with busy(f"continuing {len(asked)} prompts"):
        result = generate(loaded, inputs.texts(loaded, asked), max_tokens, temperature, seed or 0)
    seconds = time.perf_counter() - start
    amount = sum(len(each.tokens) + each.ended for each in result.followed)
    return show(
        result,
        found,
        line,
        output,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        seconds=round(seconds, 3),
        tokens_per_second=round(amount / max(seconds, 1e-9), 1),
    )
