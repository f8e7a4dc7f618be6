"""Side by side with what a user would run instead: same weights, data, batch, BLAS and threads.

Arms take turns in one process. Here are the lens beside transformers on torch and the probe beside
scikit-learn; what runs beside mlx-lm is in `mlx_lm_rivals`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from lazarus_bench import backend
from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.analysis.measured import Ints, States
from lazarus_bench.analysis.probe import classifier_for, permutation_null, probe
from lazarus_bench.analysis.probe_prompts import ProbePrompts, in_symbols, permuted, split
from lazarus_bench.analysis.prompts import batches_by_length, prompt_tokens, read_states
from lazarus_bench.benchmark.document import About, Ratio
from lazarus_bench.benchmark.meters import interleaved, timed
from lazarus_bench.judge.rounds import Floats, ratio_of_medians
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import held_out

TOP = 20

ROWS = 32
"""Prompts that transformers reads at once: a tenth faster than all 200, half faster than 8."""

PERMUTATIONS = 4
"""Of the null beside a plain loop, which takes a second and more for each."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """Size of a comparison: `rounds` of every arm, `steps` in a block of training."""

    rounds: int = 15
    steps: int = 12
    prompts: int = 200


def speed(
    name: str,
    seconds: Mapping[str, Floats],
    theirs: str,
    unit: str,
    at_least: float | None,
    about: About,
    units: float = 1.0,
) -> Ratio:
    """How many times as fast the arm "ours" is: seconds of `theirs` over ours."""
    arms = ("ours", theirs)
    rates = {arm: f"{units / np.median(seconds[arm]):,.0f} {unit}" for arm in arms}
    return Ratio(
        name=name,
        found=ratio_of_medians(seconds[theirs], seconds["ours"]),
        rounds=len(seconds["ours"]),
        at_least=at_least,
        about={**about, **rates},
    )


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
        RuntimeError: the two lenses differ.
    """
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(backend.set_threads())
    loaded = load(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    prompts = prompt_tokens(loaded, [p.symbols for p in held_out(effort.prompts, 0)])
    gold = [int(t) for t in np.random.default_rng(0).integers(3, 1000, len(prompts))]
    targets = np.array(gold, dtype=np.int64)[:, None]
    ours, theirs = read_lens(loaded, prompts, targets, TOP), transformers_lens(model, prompts, gold)
    pairs = ((ours.probability[:, :, 0], theirs[0]), (ours.top_probability, theirs[1]))
    worst = max(float(np.abs(one - other).max()) for one, other in pairs)
    if not worst < 1e-4:
        raise RuntimeError(f"the two lenses differ by {worst:.2g}: not the same is compared")
    arms: dict[str, Callable[[], object]] = {
        "ours": lambda: read_lens(loaded, prompts, targets, TOP),
        "transformers": lambda: transformers_lens(model, prompts, gold),
    }
    found = interleaved({name: timed(work) for name, work in arms.items()}, effort.rounds)
    about: About = {
        "model": what,
        "prompts": len(prompts),
        "layers": loaded.depth,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    name = f"lens over transformers on torch: {what}"
    return [speed(name, found, "transformers", "prompts/s", 1.0, about, float(len(prompts)))]


def sklearn_accuracy(states: States, prompts: ProbePrompts, labels: Ints) -> Floats:
    """Held-out accuracy `[layer]` by a plain loop over the layers with scikit-learn.

    The product's classifier with scikit-learn's own solver, so that both find the same minimum.
    """
    from sklearn.model_selection import PredefinedSplit, cross_val_predict

    folds = PredefinedSplit(split(prompts, "pairs").folds)
    predicted = [
        cross_val_predict(classifier_for("pairs"), states[:, layer], labels, cv=folds)
        for layer in range(states.shape[1])
    ]
    return np.array([(p == labels).mean() for p in predicted])


def sklearn_null(states: States, prompts: ProbePrompts, permutations: int) -> Floats:
    """The same under permuted labels `[permutation, layer]`, one labelling after the other."""
    gold, rng = np.array(prompts.labels), np.random.default_rng(0)
    drawn = permuted(gold, split(prompts, "pairs"), permutations, rng)
    return np.array([sklearn_accuracy(states, prompts, labels) for labels in drawn])


def probe_against_sklearn(base: Path, *, what: str, effort: Effort) -> list[Ratio]:
    """The probe of every layer, and its null, beside a plain scikit-learn loop over both."""
    loaded, prompts = load(base), in_symbols(held_out(effort.prompts, 0))
    states, gold = read_states(loaded, prompts.texts), np.array(prompts.labels)
    # scikit-learn's OpenMP too: on one core, two of its threads wait for each other by spinning.
    with threadpool_limits(limits=backend.set_threads()):
        once = interleaved(
            {
                "ours": timed(lambda: probe(states, prompts)),
                "loop": timed(lambda: sklearn_accuracy(states, prompts, gold)),
            },
            effort.rounds,
        )
        null = interleaved(
            {
                "ours": timed(lambda: permutation_null(states, prompts, permutations=PERMUTATIONS)),
                "loop": timed(lambda: sklearn_null(states, prompts, PERMUTATIONS)),
            },
            max(3, effort.rounds // 3),
            warm=0,
        )
    about: About = {"model": what, "prompts": len(prompts), "layers": loaded.depth}
    fits, many = float(loaded.depth), float(loaded.depth) * PERMUTATIONS
    name = f"probe's null over a plain loop, {PERMUTATIONS} permutations"
    return [
        speed("probe over a plain loop", once, "loop", "layers/s", 1.0, about, fits),
        speed(name, null, "loop", "fits/s", 1.0, about, many),
    ]
