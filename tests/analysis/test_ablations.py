"""Ablations on any prompts: the same as the instruments of claims, and planted parts are found."""

import numpy as np
import pytest

from lazarus_bench.analysis.ablations import (
    Removal,
    means_of,
    read_next,
    read_without,
    removed,
)
from lazarus_bench.analysis.answers import read_likelihood
from lazarus_bench.analysis.interventions import ablate, mean_contributions
from lazarus_bench.analysis.tokens import first_answer_tokens
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import blocks
from lazarus_bench.models.heads import head_values, written_by
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import held_out

PROBLEMS = held_out(8, 3)
OTHERS = held_out(8, 5)


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


def test_what_cannot_be_removed_is_refused(tiny_model):
    prompts, answers = asked(tiny_model)
    with pytest.raises(UserError, match="layer 9 is not in this model"):
        read_without(tiny_model, prompts, answers, [Removal(layer=9)])
    with pytest.raises(UserError, match="head 7 is not in this model"):
        read_without(tiny_model, prompts, answers, [Removal(layer=0, head=7)])
    for removal in (Removal(layer=0, head=1), Removal(layer=0)):
        with pytest.raises(UserError, match="two tokens or more"):
            means_of(tiny_model, [[3]], [removal])
    with removed(tiny_model, Removal(layer=0)):
        pass
