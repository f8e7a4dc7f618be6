"""Short names for this package's instruments, as claims use them: `runs.lens(problems)`.

A convenience, and no registry: `runs.read` takes any function, whoever wrote it. Each is imported
when it is first used, so that a claim file costs no mlx at collection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

NAMES: Mapping[str, str] = {
    "lens": "operations.read_operations",
    "lens_moved": "operations.lens_moved",
    "synonyms": "operations.read_synonyms",
    "synonym_mass": "operations.synonym_mass",
    "collapse": "operations.collapse",
    "constant_predictor": "operations.constant_collapse",
    "substring": "operations.substring",
    "task_signal": "operations.signal",
    "answers": "answers.answer",
    "word_answers": "answers.answer_in_words",
    "likelihood": "answers.read_likelihood",
    "logits": "logits.last_logits",
    "probe": "probe.probe",
    "probe_null": "probe.permutation_null",
    "probe_control": "probe.control_task",
    "probe_transfer": "probe.probe_transfer",
    "probe_confidence": "probe.probe_confidence",
    "untrained_accuracy": "probe.untrained_accuracy",
    "directions": "geometry.directions",
    "separation": "geometry.separation",
    "separation_null": "geometry.permuted_separation",
    "silhouettes": "geometry.class_silhouettes",
    "words_along_probe": "vocabulary.words_along_probe",
    "behaviour": "behaviour.behaviour",
    "ablated": "ablation.ablated",
    "ablation": "ablation.ablation",
    "patched": "patching.patched",
    "steered": "steering.steered",
    "router_projection": "router.project_gates",
    "random_projection": "router.project_random",
    "random_gates": "router.random_gates",
    "router_chance": "router.router_null",
    "experts_naming": "router.experts_naming",
    "routing": "routing.routing",
    "routes": "routing.routes",
    "token_experts": "routing.token_experts",
    "engrams": "engrams.engrams",
    "clusters": "engrams.engram_clusters",
    "engram_cosines": "engrams.engram_cosines",
    "engram_silhouettes": "engrams.engram_silhouettes",
    "cluster_draws": "engrams.cluster_draws",
}


def instrument_named(name: str) -> Callable[..., Any]:
    """Our instrument with the short name `name`.

    Raises:
        AttributeError: there is none.
    """
    if name not in NAMES:
        near = get_close_matches(name, NAMES, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"a run has no {name!r}, and no instrument is called so{hint}")
    module, function = NAMES[name].split(".")
    found: Callable[..., Any] = getattr(import_module(f"lazarus_bench.analysis.{module}"), function)
    return found
