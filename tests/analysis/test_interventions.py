"""Interventions: planted truth is found where it lies; what changes nothing is exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.analysis.behaviour import Behaviour, behaviour
from lazarus_bench.analysis.interventions import (
    Sweep,
    ablate,
    ablation_sweep,
    contrast,
    mean_contributions,
    patch,
    random_direction,
    steer,
)
from lazarus_bench.analysis.operations import operation_words
from lazarus_bench.analysis.states import last_states
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import blocks
from lazarus_bench.models.load import load
from lazarus_bench.models.taps import contributions
from lazarus_bench.tasks.arithmetic import Operation, Problem, held_out

PROBLEMS = held_out(12, 3)
OTHERS = held_out(12, 8)
FIFTY_SIX = [
    Problem(a=a, operation=operation, b=b)
    for a, operation, b in [
        (7, Operation.MULTIPLY, 8),
        (50, Operation.ADD, 6),
        (60, Operation.SUBTRACT, 4),
        (112, Operation.DIVIDE, 2),
    ]
]
WRITER = 2
NOT_FINITE = np.where(np.arange(48) == 5, np.nan, 1.0)


def states_of(loaded, problems):
    return last_states(loaded, [loaded.encode(problem.symbols) for problem in problems])


@pytest.fixture(scope="module")
def writer(tiny):
    """A model in which the MLP of one layer writes "56", then the end, and nothing else writes.

    Attention being silent, each token sees itself alone: the last prompt token asks for the answer,
    and the answer for the end.
    """
    loaded = load(tiny)
    model = loaded.model
    for block in blocks(model, loaded.anatomy):
        block.self_attn.o_proj.weight = mx.zeros_like(block.self_attn.o_proj.weight)
        block.mlp.down_proj.weight = mx.zeros_like(block.mlp.down_proj.weight)
    *_, last = loaded.encode(FIFTY_SIX[0].symbols)
    said = loaded.encode(FIFTY_SIX[0].symbols + "56")[-1]
    end = min(loaded.tokenizer.eos_token_ids)
    embedding = model.model.embed_tokens
    embedding.weight[end] = 3 * embedding.weight[end]
    block = blocks(model, loaded.anatomy)[WRITER]
    normed = block.post_attention_layernorm(embedding(mx.array([last, said])))
    mlp = block.mlp
    active = np.array(mlp.up_proj(normed) * (g := mlp.gate_proj(normed)) * mx.sigmoid(g))
    wanted = 50 * np.array(embedding.weight[mx.array([said, end])])
    mlp.down_proj.weight = mx.array(wanted.T @ np.linalg.pinv(active.T))
    return loaded


def test_only_the_layer_that_writes_the_answer_is_needed(writer):
    for part, needed in {"layer": {WRITER}, "mlp": {WRITER}, "attention": set()}.items():
        sweep = ablation_sweep(writer, FIFTY_SIX, part)
        assert sweep.before.correct.all()
        assert (sweep.before.rank == 1).all()
        for layer in range(4):
            assert sweep.correct[layer].all() == (layer not in needed)
            assert (sweep.lost[layer] == (layer in needed)).all()
            assert (sweep.rank[layer] > 1).all() == (layer in needed)
            assert (sweep.probability[layer] < 0.5).all() == (layer in needed)
    assert ablation_sweep(writer, FIFTY_SIX).excess(WRITER).tolist() == [1.0] * 4
    assert ablation_sweep(writer, FIFTY_SIX).excess(1).tolist() == [-1.0] * 4


def test_what_the_writer_always_writes_is_as_good_as_the_writer(writer):
    """Its mean over prompts carries nothing of the prompt, and this answer needs nothing of it."""
    own = contributions(writer.model, writer.anatomy, mx.array([writer.encode("1 * 1 = ")]), "mlp")
    given_back = ablate(writer, FIFTY_SIX, WRITER, "mlp", np.array(own[WRITER][0, -1]))
    assert (given_back.rank == 1).all()


def test_an_answer_patched_away_is_lost_and_patched_back_returns(writer):
    silent = states_of(writer, FIFTY_SIX)[:, WRITER - 1]
    assert not patch(writer, FIFTY_SIX, WRITER, silent).correct.any()
    spoken = states_of(writer, FIFTY_SIX)[:, WRITER]
    for layer in (0, 1):
        back = patch(writer, FIFTY_SIX, layer, silent)
        assert back.correct.all()
    assert patch(writer, FIFTY_SIX, 3, spoken).correct.all()


@pytest.mark.parametrize("part", ["layer", "attention", "mlp"])
def test_below_an_ablated_layer_nothing_changes(tiny_model, part):
    sweep = ablation_sweep(tiny_model, PROBLEMS, part)
    before = sweep.before.naming()
    assert sweep.naming.shape == (4, 12, 4)
    for layer, after in enumerate(sweep.naming):
        np.testing.assert_allclose(after[:, :layer], before[:, :layer], rtol=1e-6)
        assert not np.allclose(after[:, layer:], before[:, layer:], rtol=1e-3)


def test_own_states_and_no_strength_change_nothing(tiny_model):
    before = behaviour(tiny_model, PROBLEMS)
    states = states_of(tiny_model, PROBLEMS)
    for layer in range(4):
        for after in (
            patch(tiny_model, PROBLEMS, layer, states[:, layer]),
            steer(tiny_model, PROBLEMS, layer, np.ones(48), strength=0.0),
            steer(tiny_model, PROBLEMS, layer, np.zeros((12, 48))),
        ):
            assert after.given == before.given
            np.testing.assert_allclose(after.names, before.names, rtol=1e-5)
            np.testing.assert_allclose(after.probability, before.probability, rtol=1e-5)


def test_a_patched_last_layer_says_what_the_other_prompt_says(tiny_model):
    states = states_of(tiny_model, OTHERS)
    patched = patch(tiny_model, PROBLEMS, 3, states[:, 3])
    other = behaviour(tiny_model, OTHERS)
    np.testing.assert_allclose(patched.names[:, 3], other.names[:, 3], rtol=1e-5)
    assert not np.allclose(patched.names[:, 2], other.names[:, 2], rtol=1e-2)


def test_each_prompt_is_steered_by_its_own_direction(tiny_model):
    words = operation_words(tiny_model)
    rows = np.array(tiny_model.model.model.embed_tokens.weight)[[word.bare for word in words]]
    toward = [list(Operation)[at % 4] for at in range(12)]
    directions = 100 * rows[[list(Operation).index(operation) for operation in toward]]
    steered = steer(tiny_model, PROBLEMS, 2, directions)
    before = behaviour(tiny_model, PROBLEMS)
    assert (steered.naming(toward)[:, 2] > 100 * before.naming(toward)[:, 2]).all()
    one = [at for at in range(12) if toward[at] is Operation.ADD]
    alone = steer(tiny_model, [PROBLEMS[at] for at in one], 2, directions[1])
    np.testing.assert_allclose(alone.names, steered.names[one], rtol=1e-4)


def test_mean_contributions_are_those_of_every_position_but_the_first(tiny_model):
    prompts = [mx.array([tiny_model.encode(problem.symbols)]) for problem in PROBLEMS]
    for part in ("layer", "mlp"):
        each = [contributions(tiny_model.model, tiny_model.anatomy, p, part) for p in prompts]
        for layer, mean in enumerate(mean_contributions(tiny_model, PROBLEMS, part)):
            values = np.concatenate([np.array(one[layer])[0, 1:] for one in each])
            np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-4, atol=1e-6)


def test_a_mean_in_place_of_a_layer_is_not_nothing(tiny_model):
    means = mean_contributions(tiny_model, OTHERS, "layer")
    zero, mean = (
        ablation_sweep(tiny_model, PROBLEMS),
        ablation_sweep(tiny_model, PROBLEMS, means=means),
    )
    for layer in range(4):
        own = ablate(tiny_model, PROBLEMS, layer, contribution=means[layer])
        np.testing.assert_allclose(own.names, mean.after[layer].names, rtol=1e-6)
        assert not np.allclose(mean.naming[layer], zero.naming[layer], rtol=1e-3)


@settings(max_examples=20)
@given(seed=st.integers(0, 1000))
def test_a_planted_direction_is_the_contrast(seed):
    rng = np.random.default_rng(seed)
    own = np.array([problem.operation is Operation.ADD for problem in PROBLEMS])
    planted = rng.normal(size=16)
    noise = rng.normal(size=(12, 16))
    for side in (own, ~own):
        noise[side] -= noise[side].mean(axis=0)
    found = contrast(noise + own[:, None] * planted, PROBLEMS, Operation.ADD)
    np.testing.assert_allclose(found, planted, atol=1e-10)
    control = random_direction(found, seed + 5000)
    assert np.linalg.norm(control) == pytest.approx(np.linalg.norm(found))
    assert abs(control @ found) < 0.99 * (found @ found)


def planted_behaviour(correct):
    empty = np.zeros(len(correct))
    return Behaviour(
        problems=tuple(PROBLEMS[: len(correct)]),
        given=tuple(
            p.answer if right else None for p, right in zip(PROBLEMS, correct, strict=False)
        ),
        probability=empty,
        rank=empty.astype(int),
        names=np.zeros((len(correct), 5, 4)),
    )


def test_excess_is_over_the_other_middle_layers():
    kept = [(0, 0), (1, 0), (0, 0), (1, 1), (0, 0)]
    sweep = Sweep(
        part="layer",
        before=planted_behaviour((1, 1)),
        after=tuple(map(planted_behaviour, kept)),
    )
    assert sweep.excess(2).tolist() == [1.0, 0.5]
    assert sweep.excess(3).tolist() == [-0.5, -1.0]
    for layer in (-1, 5):
        with pytest.raises(UserError, match=f"layer {layer} was not ablated: choose 0 to 4"):
            sweep.excess(layer)
    assert sweep.lost.tolist() == [[1, 1], [0, 1], [1, 1], [0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (lambda m: ablate(m, PROBLEMS, 4), "layer 4 is not in this model: choose 0 to 3"),
        (lambda m: ablation_sweep(m, PROBLEMS, "head"), "part 'head' of a layer is unknown"),
        (lambda m: steer(m, PROBLEMS, 1, np.ones(7)), r"a direction of shape \[7\] does not fit"),
        (lambda m: steer(m, PROBLEMS, 1, np.ones((3, 48))), "12 prompts need as many directions"),
        (lambda m: patch(m, PROBLEMS, 9, np.ones((12, 48))), "layer 9 is not in this model"),
        (
            lambda m: patch(m, PROBLEMS, 1, np.ones((3, 48))),
            "12 prompts need as many states, not 3",
        ),
        (lambda m: patch(m, PROBLEMS, 1, np.ones((12, 7))), "a state of shape .* does not fit"),
        (lambda m: mean_contributions(m, [], "mlp"), "needs prompts of two tokens or more"),
        (lambda m: ablate(m, [], 1), "behaviour is read on problems: give at least one"),
        (lambda m: steer(m, [], 1, np.ones(48)), "behaviour is read on problems"),
        (lambda m: steer(m, PROBLEMS, 1, NOT_FINITE), "a direction has numbers .* not finite"),
        (lambda m: steer(m, PROBLEMS, 1, np.ones(48), np.inf), "strength inf is not finite"),
        (lambda m: patch(m, PROBLEMS, 1, NOT_FINITE), "a state has numbers .* not finite"),
        (
            lambda m: ablate(m, PROBLEMS, 1, contribution=NOT_FINITE),
            "a contribution has numbers .* not finite",
        ),
        (lambda _: contrast(np.ones((2, 3)), FIFTY_SIX[1:2] * 2, Operation.ADD), "give both"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(tiny_model, ask, complaint):
    with pytest.raises(UserError, match=complaint) as raised:
        ask(tiny_model)
    assert "\n" not in str(raised.value)


def test_a_model_of_three_layers_has_no_middle_to_compare():
    sweep = Sweep(
        part="layer",
        before=planted_behaviour((1,)),
        after=tuple(planted_behaviour((0,)) for _ in range(3)),
    )
    with pytest.raises(UserError, match="3 layers has no other middle layer to compare layer 1"):
        sweep.excess(1)
