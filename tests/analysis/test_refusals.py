"""What no instrument can read is refused in one sentence that names it and the remedy."""

from dataclasses import replace

import numpy as np
import pytest
from families import made

from lazarus_bench.analysis.ablation import Removal, ablate, mean_contributions, means_of
from lazarus_bench.analysis.ablation import read_without as without
from lazarus_bench.analysis.answers import continuations
from lazarus_bench.analysis.engrams import bootstrap, cluster, silhouettes
from lazarus_bench.analysis.expert_use import specialisation_null
from lazarus_bench.analysis.expert_weights import read_weights
from lazarus_bench.analysis.geometry import (
    class_silhouettes,
    cluster_separation,
    mean_difference,
    permuted_separation,
)
from lazarus_bench.analysis.logits import last_logits
from lazarus_bench.analysis.operations import read_operations, read_synonyms
from lazarus_bench.analysis.patching import patch, patch_pairs
from lazarus_bench.analysis.probe import (
    class_weights,
    control_task,
    permutation_null,
    probe,
    probe_directions,
    transfer,
)
from lazarus_bench.analysis.probe_prompts import in_symbols
from lazarus_bench.analysis.prompts import last_states
from lazarus_bench.analysis.router import project_gates, project_random, routed_layers
from lazarus_bench.analysis.routing import read_routing
from lazarus_bench.analysis.steering import contrast, read_steered, steer
from lazarus_bench.analysis.vocabulary import (
    known_words,
    strongest,
    unit_directions,
    unit_rows,
)
from lazarus_bench.backend import mx
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.models.anatomy import blocks, holder
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import Operation, held_out

P = held_out(12, 3)
PROBED = in_symbols(held_out(80, 0))
NO_ADD = in_symbols([p for p in held_out(80, 0) if p.operation is not Operation.ADD])
ONES, NANS = np.ones(48), np.full(48, np.nan)
READ = {"targets": np.array([5]), "top": 1, "length": 1}


def states(prompts=PROBED, value=0.0):
    """Random states of two layers `[prompt, layer, d]`, one number of them `value` if not 0."""
    found = np.random.default_rng(0).normal(size=(len(prompts), 2, 6)).astype(np.float32)
    found[3, 0, 2] = value or found[3, 0, 2]
    return found


BROKEN, PLAIN, NONE = states(value=np.nan), states(), states(NO_ADD)
EVEN = np.ones((5, 1, 4)) / 4


def spoilt(loaded, path, value=np.nan):
    """`loaded`, with some weights at `path`, in its second block if it has it, exchanged."""
    block = blocks(loaded.model, loaded.anatomy)[1]
    module, name = holder(block if path.startswith("mlp") else loaded.model, path)
    module[name].weight[1] = value
    return loaded


def homeless():
    """A mixture whose experts are nowhere."""
    loaded = made("olmoe")
    del blocks(loaded.model, loaded.anatomy)[1].mlp["switch_mlp"]
    return loaded


def unsound(name):
    """A mixture with weights of its second block that are no numbers."""
    return spoilt(made("olmoe"), f"mlp.{name}")


def engrams(*labels, of=np.eye):
    return of(len(labels)), list(labels)


NOT_FINITE = "hidden states are not finite"
REFUSED = [
    # Prompts and tokens.
    ("at least one token each", lambda m, _: last_states(m, [])),
    ("at least one token each", lambda m, _: last_states(m, [(0, 5), ()])),
    ("no token -1: choose 0 to", lambda m, _: last_states(m, [[1, -1]])),
    ("no token 1048576: choose 0 to", lambda m, _: last_states(m, [[1, 1 << 20]])),
    ("routing needs prompts of at least one", lambda *_: read_routing(made("olmoe"), [])),
    ("routing needs prompts of at least one", lambda *_: read_routing(made("olmoe"), [[1], []])),
    ("no token 61: choose 0 to 60", lambda *_: read_routing(made("olmoe"), [[1, 61]])),
    ("no token 99999", lambda m, _: read_steered(m, [[99999]], 1, ONES, 1.0, **READ)),
    ("no token 99999", lambda m, _: patch_pairs(m, [[99999, 4]], [[3, 7]], [(5, 9)], (0,))),
    ("reads 128 tokens, and a prompt of 1 leaves", lambda m, _: continuations(m, [[1]], 128)),
    ("behaviour is read on problems: give", lambda m, _: ablate(m, [], 1)),
    ("behaviour is read on problems: give", lambda m, _: steer(m, [], 1, ONES)),
    # Weights and what is made of them.
    ("its hidden .* not finite", lambda _, own: last_states(spoilt(own, "mlp.up_proj"), [[5, 9]])),
    ("its gates are not finite", lambda *_: read_routing(unsound("gate"), [[3, 1]])),
    ("weights of layer 1 are not finite", lambda *_: read_weights(unsound("gate"), 1)),
    ("layer 1 are not finite", lambda *_: read_weights(unsound("switch_mlp.up_proj"), 1)),
    ("where 'olmoe' keeps its experts is not", lambda *_: read_weights(homeless(), 1)),
    ("layer 1 has no router: choose 0, 2", lambda *_: read_weights(made("qwen3_moe"), 1)),
    ("its unembedding is not finite", lambda _, own: unit_rows(spoilt(own, "model.embed_tokens"))),
    # Directions, states and parts.
    *(
        ("48 finite numbers, not all zero", lambda m, _, v=v: unit_directions(m, v))
        for v in (np.ones(49), np.zeros(48), NANS, np.inf * ONES)
    ),
    ("at least 1 token, not 0", lambda *_: strongest(np.eye(3), np.eye(3), 0)),
    ("layer 9 is not in this model", lambda m, _: patch(m, P, 9, np.ones((12, 48)))),
    ("12 prompts need as many states, not 3", lambda m, _: patch(m, P, 1, np.ones((3, 48)))),
    ("a state of shape .* does not fit", lambda m, _: patch(m, P, 1, np.ones((12, 7)))),
    ("a state has numbers .* not finite", lambda m, _: patch(m, P, 1, NANS)),
    (r"a direction of shape \[7\] does not", lambda m, _: steer(m, P, 1, np.ones(7))),
    ("12 prompts need as many directions", lambda m, _: steer(m, P, 1, np.ones((3, 48)))),
    ("a direction has numbers .* not finite", lambda m, _: steer(m, P, 1, NANS)),
    ("strength inf is not finite", lambda m, _: steer(m, P, 1, ONES, np.inf)),
    ("give both", lambda *_: contrast(np.ones((1, 3)), P[:1], P[0].operation)),
    ("layer 4 is not in this model: choose 0", lambda m, _: ablate(m, P, 4)),
    ("part 'head' of a layer is unknown", lambda m, _: ablate(m, P, 1, "head")),
    ("a contribution has numbers", lambda m, _: ablate(m, P, 1, contribution=NANS)),
    ("needs prompts of two tokens or more", lambda m, _: mean_contributions(m, [], "mlp")),
    *(
        ("two tokens or more", lambda m, _, one=one: means_of(m, [[3]], [one]))
        for one in (Removal(layer=0, head=1), Removal(layer=0))
    ),
    ("layer 9 is not in", lambda m, _: without(m, [[3]], [1], [Removal(layer=9)])),
    ("head 7 is not in", lambda m, _: without(m, [[3]], [1], [Removal(layer=0, head=7)])),
    # Probes, geometry, nulls.
    *(
        (NOT_FINITE, lambda *_, ask=ask: ask(BROKEN, PROBED))
        for ask in (probe, permutation_null, control_task, class_silhouettes)
    ),
    (NOT_FINITE, lambda *_: transfer(PLAIN, PROBED.labels, BROKEN)),
    (NOT_FINITE, lambda *_: transfer(BROKEN, PROBED.labels, PLAIN)),
    (NOT_FINITE, lambda *_: class_weights(BROKEN[:, 0], PROBED.labels)),
    (NOT_FINITE, lambda *_: mean_difference(BROKEN, PROBED.labels, 0, 1)),
    *(
        (NOT_FINITE, lambda *_, v=v, on=on: cluster_separation(states(value=v), PROBED.labels, on))
        for v in (np.nan, np.inf)
        for on in (False, True)
    ),
    *(
        ("draws at least 1 .*, not 0", lambda *_, ask=ask, none=none: ask(BROKEN, PROBED, *none))
        for ask, *none in (
            *((each, "pairs", 0) for each in (control_task, permutation_null)),
            (permuted_separation, "pairs", True, 0),
        )
    ),
    *(
        (r"class 1 \(there are \[0, 2, 3\]\)", lambda *_, ask=ask: ask(NONE, NO_ADD.labels, 0, 1))
        for ask in (probe_directions, mean_difference)
    ),
    *(
        ("two classes of two prompts", lambda *_, one=one: cluster_separation(PLAIN[:9], one))
        for one in ([0] * 9, [0] * 8 + [1])
    ),
    *(
        (said, lambda *_, ask=ask, given=given: ask(*given))
        for ask in (cluster, silhouettes)
        for said, given in (
            ("two classes of two texts each", engrams(0, 0, 0, 0)),
            ("two classes of two texts each", engrams(0, 0, 0, 1)),
            ("two classes of two texts each", engrams(0, 0, 2, 2)),
            ("fewer than 2 different values", engrams(0, 0, 1, 1, of=lambda n: np.ones((n, 2)))),
            ("an engram is not finite", engrams(0, 0, 1, 1, of=lambda n: np.full((n, 2), np.nan))),
        )
    ),
    ("takes 10 of each", lambda *_: bootstrap(*engrams(*[0] * 9, *[1] * 20))),
    ("two prompts of every class", lambda *_: specialisation_null(EVEN, [0] * 4 + [1], 9)),
    ("at least 1 labelling, not 0", lambda *_: specialisation_null(EVEN, [0, 0, 1, 1, 1], 0)),
]


@pytest.mark.parametrize(("said", "ask"), REFUSED)
def test_what_cannot_be_read_is_refused(tiny, tiny_model, said, ask):
    with pytest.raises(UserError, match=said) as raised:
        ask(tiny_model, load(tiny) if "its " in said else None)
    assert "\n" not in str(raised.value)


def halved(loaded):
    loaded.model.set_dtype(mx.bfloat16)
    return loaded


NO_ROUTER = "has no router, its 'llama' blocks are dense"
GATELESS = replace(made("llama"), anatomy=replace(made("llama").anatomy, router="mlp.gate"))
STRANGE = replace(made("olmoe"), anatomy=replace(made("olmoe").anatomy, routing=None))
DOES_NOT_APPLY = [
    *((NO_ROUTER, lambda _, ask=ask: ask(GATELESS)) for ask in (project_gates, project_random)),
    *((NO_ROUTER, lambda _, ask=ask: ask(made("llama"))) for ask in (project_gates, routed_layers)),
    (NO_ROUTER, lambda _: read_routing(made("llama"), [[3, 1]])),
    (NO_ROUTER, lambda _: read_weights(made("llama"), 0)),
    (r"weighs its experts.*models/families\.py", lambda _: read_routing(STRANGE, [[3, 1]])),
    ("holds bfloat16 weights", lambda tiny: last_logits(halved(load(tiny)), P)),
    ("none of no such word", lambda tiny: known_words(load(tiny), ("no such word",))),
]


@pytest.mark.parametrize(("said", "ask"), DOES_NOT_APPLY)
def test_what_a_model_does_not_have_does_not_apply(tiny, said, ask):
    with pytest.raises(NotApplicable, match=said):
        ask(tiny)


def test_a_vocabulary_without_the_words_does_not_apply(shared):
    loaded = load(shared / "models" / "stories260K")
    with pytest.raises(NotApplicable, match="single token"):
        read_operations(loaded, P)
    with pytest.raises(NotApplicable, match="none of remaining, remainder"):
        read_synonyms(loaded, P)
