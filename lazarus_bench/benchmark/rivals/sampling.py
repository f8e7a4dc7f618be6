"""GRPO's sampling beside mlx-lm's batched generation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lazarus_bench.analysis.prompts import prompt_tokens
from lazarus_bench.benchmark.document import Ratio
from lazarus_bench.benchmark.rivals.compared import Effort, speed
from lazarus_bench.benchmark.rivals.shipped import as_shipped
from lazarus_bench.benchmark.stopwatch import interleaved, timed
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training.arithmetic_data import end_tokens
from lazarus_bench.training.sampling import sample

ANSWERS, ANSWER_TOKENS = 8, 6


def sampling_against_mlx_lm(base: Path, *, what: str, effort: Effort) -> list[Ratio]:
    """GRPO's sampling beside `mlx_lm.batch_generate`: as many answers to the same prompts.

    Eight answers of at most six tokens each, temperature 1, all at once in one batch for mlx-lm
    (its default of 32 at a time is an arm too). Ours also keeps the log-probabilities that GRPO
    needs; mlx-lm is not asked for them.
    """
    from mlx_lm import batch_generate
    from mlx_lm.sample_utils import make_sampler

    ours, theirs = load(base), load(base)
    prompts = prompt_tokens(ours, [p.symbols for p in held_out(64, 0)])
    repeated = [prompt for prompt in prompts for _ in range(ANSWERS)]
    draws = iter(range(10**9))

    def own() -> object:
        return sample(
            ours.model,
            ours.anatomy,
            prompts,
            group=ANSWERS,
            tokens=ANSWER_TOKENS,
            ends=end_tokens(ours),
            seed=(100, next(draws)),
        )

    def other(sizes: Mapping[str, Any]) -> Callable[[], object]:
        def generate() -> object:
            with as_shipped():
                return batch_generate(
                    theirs.model,
                    theirs.tokenizer,
                    repeated,
                    max_tokens=ANSWER_TOKENS,
                    sampler=make_sampler(temp=1.0),
                    **sizes,
                )

        return generate

    whole = {"completion_batch_size": len(repeated), "prefill_batch_size": len(repeated)}
    found = interleaved(
        {"ours": timed(own), "one batch": timed(other(whole)), "as shipped": timed(other({}))},
        effort.rounds,
    )
    about: dict[str, str | float] = {
        "model": what,
        "prompts": len(prompts),
        "answers": ANSWERS,
        "tokens": ANSWER_TOKENS,
    }
    units = float(len(repeated))
    names = {"one batch": "all in one batch", "as shipped": "its default batch of 32"}
    return [
        speed(
            f"sampling over mlx-lm's batched generation, {words}: {what}",
            {arm: found[arm] for arm in ("ours", rival)},
            "ours",
            rival,
            "answers/s",
            1.0,
            about,
            units,
        )
        for rival, words in names.items()
    ]
