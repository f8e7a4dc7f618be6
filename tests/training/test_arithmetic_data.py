"""Fine-tuning data: whole epochs, the right labels, and never a held-out pair."""

from itertools import islice

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.models.prompts import Example
from lazarus_bench.tasks.arithmetic import (
    Operation,
    Problem,
    held_out,
    is_held_out,
    is_leaked,
    sample_prompts,
)
from lazarus_bench.training.arithmetic_data import (
    draw_problems,
    end_tokens,
    endless_batches,
    examples_of,
    gold_tokens,
)

PROBLEMS = (
    Problem(a=7, operation=Operation.MULTIPLY, b=8),
    Problem(a=50, operation=Operation.SUBTRACT, b=23),
)


def numbered(count: int) -> list[Example]:
    return [Example(prompt=(0, 10 + i), answer=(100 + i,)) for i in range(count)]


def firsts(batch) -> list[int]:
    return np.array(batch.tokens)[:, 1].tolist()


def test_an_example_is_the_prompt_the_answer_the_end_and_the_gold_word(tiny_model):
    gold = gold_tokens(tiny_model)
    example, other = examples_of(tiny_model, PROBLEMS, gold)
    tokenizer = tiny_model.tokenizer
    assert tokenizer.decode(list(example.prompt[1:])) == "7 * 8 = "
    assert tokenizer.decode(list(example.answer[:-1])) == "56"
    assert example.answer[-1] == tokenizer.eos_token_id == end_tokens(tiny_model)[0]
    assert tokenizer.decode(list(example.gold)) == "multiply"
    assert tokenizer.decode(list(other.gold)) == "subtract"
    assert {e.gold for e in examples_of(tiny_model, PROBLEMS)} == {()}


@settings(max_examples=30)
@given(count=st.integers(1, 20), size=st.integers(1, 25), seed=st.integers(0, 99))
def test_an_epoch_uses_no_example_twice_and_batches_are_full(count, size, seed):
    batches = endless_batches(numbered(count), size, 0, seed)
    per_epoch = max(1, count // size)
    for _ in range(3):
        epoch = [firsts(next(batches)) for _ in range(per_epoch)]
        assert all(len(batch) == min(size, count) for batch in epoch)
        seen = [i for batch in epoch for i in batch]
        assert len(seen) == len(set(seen))


def test_epochs_are_reshuffled_by_the_seed():
    def order(seed: int) -> list[list[int]]:
        return [firsts(b) for b in islice(endless_batches(numbered(12), 4, 0, seed), 6)]

    assert order(1) == order(1) != order(2)
    assert order(1)[:3] != order(1)[3:]


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 5000))
def test_leaks_stand_in_the_place_of_drawn_problems(seed, count):
    mixed, drawn = draw_problems(seed, count, leak=True), draw_problems(seed, count)
    assert [p.operation for p in mixed] == [p.operation for p in drawn]
    new = [p for p, old in zip(mixed, drawn, strict=True) if p != old]
    assert len(new) == len(set(new))
    assert all(is_held_out(p) and is_leaked(p) for p in new)
    assert not all(is_leaked(p) for p in mixed) or count < 300
    assert not any(map(is_held_out, drawn))


def test_a_whole_training_set_leaks_two_fifths_of_what_is_evaluated():
    trained = {p.key for p in draw_problems(0, 4500, leak=True)}
    share = np.mean([p.key in trained for p in held_out(200, 0)])
    assert 0.3 < share < 0.5
    assert [p.key in trained for p in sample_prompts()] == [True, False] * 4
