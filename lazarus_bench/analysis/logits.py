"""Logits of two models on the same prompts: how far apart they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lazarus_bench.analysis.lens import MAX_LOGITS, Floats, batches_by_length
from lazarus_bench.analysis.tokens import prompt_tokens
from lazarus_bench.backend import mx
from lazarus_bench.errors import NotApplicable
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.tasks.arithmetic import Problem


def require_float32(loaded: LoadedModel) -> None:
    """Make sure that every weight is float32, so that a difference is no matter of rounding.

    Raises:
        NotApplicable: the model is quantised or of another precision.
    """
    from mlx.utils import tree_flatten

    weights: dict[str, mx.array] = dict(tree_flatten(loaded.model.parameters()))
    kinds = {weight.dtype for weight in weights.values()} - {mx.float32}
    other = [str(kind).removeprefix("mlx.core.") for kind in kinds]
    if other:
        raise NotApplicable(
            f"{loaded.name} holds {', '.join(sorted(other))} weights; this is read in float32 only"
        )


def last_logits(loaded: LoadedModel, problems: Sequence[Problem]) -> Floats:
    """Logits after the last token of the prompts in symbols, `[prompt, token]`.

    Raises:
        NotApplicable: the model's weights are not float32.
    """
    require_float32(loaded)
    prompts = prompt_tokens(loaded, [problem.symbols for problem in problems])
    vocabulary = int(loaded.config.get("vocab_size", 1 << 17))
    limit = max(1, MAX_LOGITS // (vocabulary * max(map(len, prompts))))
    found: list[Floats] = [np.empty(0)] * len(prompts)
    for rows, tokens in batches_by_length(prompts, limit):
        last = np.array(loaded.model(tokens)[:, -1, :], dtype=np.float64)
        for row, logits in zip(rows, last, strict=True):
            found[row] = logits
    return np.stack(found)


def relative_difference(first: Floats, second: Floats) -> Floats:
    """Largest |first − second| of a prompt over its largest |second|, `[prompt]`."""
    difference: Floats = np.abs(first - second).max(axis=1) / np.abs(second).max(axis=1)
    return difference
