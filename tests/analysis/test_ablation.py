"""Ablation: planted parts are found where they are, and a mean is not nothing."""

import numpy as np
import pytest

from lazarus_bench.analysis.ablation import (
    Removal,
    Sweep,
    ablate,
    mean_contributions,
    means_of,
    read_without,
)
from lazarus_bench.analysis.answers import read_likelihood, read_next
from lazarus_bench.analysis.behaviour import Behaviour, behaviour
from lazarus_bench.analysis.prompts import first_answer_tokens
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import blocks
from lazarus_bench.models.heads import head_values, written_by
from lazarus_bench.models.load import load
from lazarus_bench.models.taps import contributions
from lazarus_bench.tasks.arithmetic import held_out

PROBLEMS = held_out(12, 3)
OTHERS = held_out(12, 8)
WRITER = 2  # As in conftest.
NOT_FINITE = np.where(np.arange(48) == 5, np.nan, 1.0)


def sweep_of(loaded, problems, part="layer"):
    after = [ablate(loaded, problems, layer, part) for layer in range(loaded.depth)]
    return Sweep(before=behaviour(loaded, problems), after=tuple(after))


def test_only_the_layer_that_writes_the_answer_is_needed(writer, fifty_six):
    for part, needed in {"layer": {WRITER}, "mlp": {WRITER}, "attention": set()}.items():
        sweep = sweep_of(writer, fifty_six, part)
        assert sweep.before.correct.all()
        assert (sweep.before.rank == 1).all()
        for layer in range(4):
            assert sweep.correct[layer].all() == (layer not in needed)
            assert (sweep.lost[layer] == (layer in needed)).all()
            assert (sweep.after[layer].rank > 1).all() == (layer in needed)
            assert (sweep.after[layer].probability < 0.5).all() == (layer in needed)
    assert sweep_of(writer, fifty_six).excess(WRITER).tolist() == [1.0] * 4
    assert sweep_of(writer, fifty_six).excess(1).tolist() == [-1.0] * 4


def test_what_the_writer_always_writes_is_as_good_as_the_writer(writer, fifty_six):
    """Its mean over prompts carries nothing of the prompt, and this answer needs nothing of it."""
    own = contributions(writer.model, writer.anatomy, mx.array([writer.encode("1 * 1 = ")]), "mlp")
    given_back = ablate(writer, fifty_six, WRITER, "mlp", np.array(own[WRITER][0, -1]))
    assert (given_back.rank == 1).all()


@pytest.mark.parametrize("part", ["layer", "attention", "mlp"])
def test_below_an_ablated_layer_nothing_changes(tiny_model, part):
    sweep = sweep_of(tiny_model, PROBLEMS, part)
    before = sweep.before.naming()
    for layer, edited in enumerate(sweep.after):
        after = edited.naming()
        np.testing.assert_allclose(after[:, :layer], before[:, :layer], rtol=1e-6)
        assert not np.allclose(after[:, layer:], before[:, layer:], rtol=1e-3)


def test_mean_contributions_are_those_of_every_position_but_the_first(tiny_model):
    prompts = [mx.array([tiny_model.encode(problem.symbols)]) for problem in PROBLEMS]
    for part in ("layer", "mlp"):
        each = [contributions(tiny_model.model, tiny_model.anatomy, p, part) for p in prompts]
        for layer, mean in enumerate(mean_contributions(tiny_model, PROBLEMS, part)):
            values = np.concatenate([np.array(one[layer])[0, 1:] for one in each])
            np.testing.assert_allclose(mean, values.mean(axis=0), rtol=1e-4, atol=1e-6)


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
    sweep = Sweep(before=planted_behaviour((1, 1)), after=tuple(map(planted_behaviour, kept)))
    assert sweep.excess(2).tolist() == [1.0, 0.5]
    assert sweep.excess(3).tolist() == [-0.5, -1.0]
    for layer in (-1, 5):
        with pytest.raises(UserError, match=f"layer {layer} was not ablated: choose 0 to 4"):
            sweep.excess(layer)
    assert sweep.lost.tolist() == [[1, 1], [0, 1], [1, 1], [0, 0], [1, 1]]


def test_a_model_of_three_layers_has_no_middle_to_compare():
    sweep = Sweep(before=planted_behaviour((1,)), after=(planted_behaviour((0,)),) * 3)
    with pytest.raises(UserError, match="3 layers has no other middle layer to compare layer 1"):
        sweep.excess(1)


def asked(loaded, problems=PROBLEMS):
    return [loaded.encode(p.symbols) for p in problems], first_answer_tokens(loaded, problems)


def test_the_next_token_is_the_models_own(tiny_model):
    prompts, answers = asked(tiny_model)
    found = read_next(tiny_model, prompts, answers)
    expected = read_likelihood(tiny_model, PROBLEMS)
    np.testing.assert_allclose(found.probability, expected.probability, rtol=1e-5)
    for row, prompt in enumerate(prompts):
        logits = np.array(tiny_model.model(mx.array([prompt]))[0, -1], dtype=np.float64)
        assert found.top[row] == logits.argmax()
        chance = np.exp(logits - logits.max())
        assert found.top_probability[row] == pytest.approx((chance / chance.sum()).max(), rel=1e-4)


@pytest.mark.parametrize("part", ["layer", "attention", "mlp"])
@pytest.mark.parametrize("mean", [False, True])
def test_without_a_part_it_is_what_claims_read(tiny_model, part, mean):
    prompts, answers = asked(tiny_model)
    removal = Removal(layer=2, part=part)
    means = means_of(tiny_model, asked(tiny_model, OTHERS)[0], [removal]) if mean else None
    found = read_without(tiny_model, prompts, answers, [removal], means)
    instead = mean_contributions(tiny_model, OTHERS, part)[2] if mean else None
    expected = ablate(tiny_model, PROBLEMS, 2, part, instead)
    np.testing.assert_allclose(found.probability, expected.probability, rtol=1e-4)
    plain = read_next(tiny_model, prompts, answers)
    assert not np.allclose(found.probability, plain.probability, rtol=1e-3)
    np.testing.assert_array_equal(plain.top, read_next(tiny_model, prompts, answers).top)


def test_the_one_head_that_writes_is_the_one_that_is_needed(tiny):
    loaded = load(tiny)
    for block in blocks(loaded.model, loaded.anatomy):
        for name in ("self_attn.o_proj", "mlp.down_proj"):
            home, _, leaf = name.partition(".")
            module = getattr(getattr(block, home), leaf)
            module.weight = mx.zeros_like(module.weight)
    writer = blocks(loaded.model, loaded.anatomy)[1].self_attn.o_proj
    writer.weight[:, 16:32] = 9 * mx.random.normal((48, 16), key=mx.random.key(4))
    prompts, answers = asked(loaded)
    plain = read_next(loaded, prompts, answers)
    for layer in range(4):
        for head in range(3):
            found = read_without(loaded, prompts, answers, [Removal(layer=layer, head=head)])
            needed = (layer, head) == (1, 1)
            assert np.allclose(found.probability, plain.probability, rtol=1e-4) != needed


def test_the_mean_of_a_head_is_over_every_position_but_the_first(tiny_model):
    prompts, _ = asked(tiny_model)
    removal = Removal(layer=1, head=2)
    mean = means_of(tiny_model, prompts, [removal])[removal]
    each = [
        np.array(written_by(tiny_model, 1, 2, head_values(tiny_model, mx.array([prompt]))[1]))
        for prompt in prompts
    ]
    expected = np.concatenate([one[0, 1:] for one in each]).mean(axis=0)
    np.testing.assert_allclose(mean, expected, atol=1e-5)


def test_several_removals_hold_at_once(tiny_model):
    prompts, answers = asked(tiny_model)
    both = [Removal(layer=1, part="attention"), Removal(layer=1, part="mlp")]
    found = read_without(tiny_model, prompts, answers, both)
    layer = read_without(tiny_model, prompts, answers, [Removal(layer=1)])
    np.testing.assert_allclose(found.probability, layer.probability, rtol=1e-4)
    heads = [Removal(layer=1, head=head) for head in range(3)]
    every = read_without(tiny_model, prompts, answers, heads)
    attention = read_without(tiny_model, prompts, answers, both[:1])
    np.testing.assert_allclose(every.probability, attention.probability, rtol=1e-4)


def test_removals_are_named():
    named = [Removal(layer=3), Removal(layer=3, part="mlp"), Removal(layer=3, head=0)]
    assert [*map(str, named)] == ["L3", "L3 mlp", "L3 head 0"]
