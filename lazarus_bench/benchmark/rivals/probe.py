"""The probe and its null beside a plain loop with scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from lazarus_bench import backend
from lazarus_bench.analysis.measured import Ints, States
from lazarus_bench.analysis.probe import classifier_for, permutation_null, probe
from lazarus_bench.analysis.probe_prompts import ProbePrompts, in_symbols, permuted, split
from lazarus_bench.analysis.prompts import read_states
from lazarus_bench.benchmark.document import Ratio
from lazarus_bench.benchmark.rivals.compared import Effort, speed
from lazarus_bench.benchmark.stopwatch import interleaved, timed
from lazarus_bench.judge.rounds import Floats
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import held_out


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


PERMUTATIONS = 4
"""Of the null beside a plain loop, which takes a second and more for each."""


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
    about: dict[str, str | float] = {"model": what, "prompts": len(prompts), "layers": loaded.depth}
    fits = float(loaded.depth)
    return [
        speed("probe over a plain loop", once, "ours", "loop", "layers/s", 1.0, about, fits),
        speed(
            f"probe's null over a plain loop, {PERMUTATIONS} permutations",
            null,
            "ours",
            "loop",
            "fits/s",
            1.0,
            about,
            fits * PERMUTATIONS,
        ),
    ]
