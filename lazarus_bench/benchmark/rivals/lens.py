"""The lens beside transformers' hidden states through final norm and head, on torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench import backend
from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.analysis.prompts import batches_by_length, prompt_tokens
from lazarus_bench.benchmark.document import Ratio
from lazarus_bench.benchmark.rivals.compared import Effort, speed
from lazarus_bench.benchmark.stopwatch import interleaved, timed
from lazarus_bench.judge.rounds import Floats
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import held_out

TOP = 20

ROWS = 32
"""Prompts that transformers reads at once: a tenth faster than all 200, half faster than 8."""


def transformers_lens(
    model: Any, prompts: Sequence[Sequence[int]], targets: Sequence[int], top: int = TOP
) -> tuple[Floats, Floats]:
    """Every layer's lens by transformers: hidden states through final norm and head, in torch.

    Prompts of one length share a forward without a cache, `ROWS` at a time, and each layer's
    softmax is taken and reduced before the next one's, as a careful user would write it; of a
    llama, whose last hidden state is normed.

    Returns:
        Probabilities of the targets `[prompt, layer]` and of the top tokens `[prompt, layer, k]`.
    """
    import torch

    depth = model.config.num_hidden_layers
    wanted = np.zeros((len(prompts), depth))
    best = np.zeros((len(prompts), depth, top))
    for rows, tokens in batches_by_length(prompts, ROWS):
        with torch.inference_mode():
            ids = torch.tensor(np.array(tokens), dtype=torch.long)
            read = model.model(ids, output_hidden_states=True, use_cache=False)
            hidden = read.hidden_states
            gold = torch.tensor([targets[row] for row in rows])[:, None]
            for layer, states in enumerate(hidden[1:]):
                last = states[:, -1]
                normed = last if layer + 1 == depth else model.model.norm(last)
                p = torch.softmax(model.lm_head(normed).float(), dim=-1)
                wanted[rows, layer] = p.gather(1, gold)[:, 0].numpy()
                best[rows, layer] = p.topk(top, dim=-1).values.numpy()
    return wanted, best


def lens_against_transformers(base: Path, *, what: str, effort: Effort) -> list[Ratio]:
    """The lens of all prompts and layers beside transformers on the CPU, with the same threads.

    Raises:
        ModuleNotFoundError: torch is not installed (`pip install 'lazarus-bench[oracle]'`).
        RuntimeError: the two readings differ.
    """
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(backend.set_threads())
    loaded = load(base)
    theirs = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    prompts = prompt_tokens(loaded, [p.symbols for p in held_out(effort.prompts, 0)])
    gold = [int(t) for t in np.random.default_rng(0).integers(3, 1000, len(prompts))]
    targets = np.array(gold, dtype=np.int64)[:, None]
    _same_lens(read_lens(loaded, prompts, targets, TOP), transformers_lens(theirs, prompts, gold))
    found = interleaved(
        {
            "ours": timed(lambda: read_lens(loaded, prompts, targets, TOP)),
            "transformers": timed(lambda: transformers_lens(theirs, prompts, gold)),
        },
        effort.rounds,
    )
    about: dict[str, str | float] = {
        "model": what,
        "prompts": len(prompts),
        "layers": loaded.depth,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    name = f"lens over transformers on torch: {what}"
    units = float(len(prompts))
    return [speed(name, found, "ours", "transformers", "prompts/s", 1.0, about, units)]


def _same_lens(ours: Any, theirs: tuple[Floats, Floats]) -> None:
    pairs = ((ours.probability[:, :, 0], theirs[0]), (ours.top_probability, theirs[1]))
    worst = max(float(np.abs(one - other).max()) for one, other in pairs)
    if not worst < 1e-4:
        raise RuntimeError(f"the two lenses differ by {worst:.2g}: not the same is compared")
