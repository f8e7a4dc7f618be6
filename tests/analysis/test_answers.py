"""Answers: greedy decoding equal to one token at a time, and the first integer."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lazarus_bench.analysis import answers, lens
from lazarus_bench.analysis.answers import Answers, answer, first_integer, greedy
from lazarus_bench.backend import mx
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import Operation, Problem, held_out

prompt = st.lists(st.integers(3, 900), min_size=1, max_size=5).map(lambda ids: [0, *ids])


def one_by_one(loaded, ids, tokens) -> list[int]:
    """Greedy decoding without a cache or a batch."""
    ids, end = list(ids), loaded.tokenizer.eos_token_id
    start = len(ids)
    for _ in range(tokens):
        token = int(np.array(loaded.model(mx.array([ids])))[0, -1].argmax())
        if token == end:
            break
        ids.append(token)
    return ids[start:]


@settings(max_examples=10)
@given(prompts=st.lists(prompt, min_size=1, max_size=5))
def test_batches_and_caches_change_nothing(tiny_model, prompts):
    found = greedy(tiny_model, prompts, 4)
    assert found == [one_by_one(tiny_model, ids, 4) for ids in prompts]


@settings(max_examples=5)
@given(data=st.data(), prompts=st.lists(prompt, min_size=2, max_size=6))
def test_the_order_of_prompts_and_a_small_limit_change_nothing(tiny_model, prompts, data):
    order = data.draw(st.permutations(range(len(prompts))))
    whole = greedy(tiny_model, prompts, 3)
    kept, lens.MAX_LOGITS = lens.MAX_LOGITS, 1
    try:
        found = greedy(tiny_model, [prompts[i] for i in order], 3)
    finally:
        lens.MAX_LOGITS = kept
    assert found == [whole[i] for i in order]


def test_a_continuation_ends_before_the_end_of_text(tiny):
    loaded = load(tiny)
    ids = loaded.encode("7 * 8 = ")
    free = greedy(loaded, [ids], 6)[0]
    loaded.tokenizer.eos_token_ids = {free[3]}
    stopped = greedy(loaded, [ids], 6)[0]
    assert stopped == free[: free.index(free[3])]


REFERENCE = (
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
)


def test_stories260k_tells_its_reference_story(shared):
    loaded = load(shared / "models" / "stories260K")
    ids = greedy(loaded, [[loaded.tokenizer.bos_token_id]], 80)[0]
    assert loaded.tokenizer.decode(ids).strip().startswith(REFERENCE)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("56", 56),
        (" 56.", 56),
        ("-12 apples, 3 pears", -12),
        ("is 7 or 8", 7),
        ("none", None),
        ("", None),
        ("- 5", 5),
        ("56\n7 * 9 = 63", 56),
    ],
)
def test_first_integer(text, number):
    assert first_integer(text) == number


@given(number=st.integers(-(10**6), 10**6), tail=st.text("abc .,\n", max_size=6))
@example(number=0, tail="")
def test_the_first_integer_survives_what_follows(number, tail):
    assert first_integer(f" {number}{tail}") == number


def test_an_answer_is_right_when_its_first_integer_is():
    problem = Problem(a=7, operation=Operation.MULTIPLY, b=8)
    texts = ("56", "56 and 57", "57", "", "5 6")
    given_answers = Answers(problems=(problem,) * 5, texts=texts)
    assert given_answers.correct.tolist() == [True, True, False, False, False]


def test_the_model_answers_the_prompts_in_symbols(tiny_model):
    problems = held_out(8, 0)
    found = answer(tiny_model, problems)
    for problem, text in zip(problems, found.texts, strict=True):
        ids = one_by_one(tiny_model, tiny_model.encode(problem.symbols), answers.ANSWER_TOKENS)
        assert text == tiny_model.tokenizer.decode(ids)
    assert found.problems == tuple(problems)
    assert found.correct.shape == (8,)


def test_a_model_that_puts_all_its_mass_on_the_answer_is_right(tiny):
    loaded = load(tiny)
    problem = Problem(a=7, operation=Operation.MULTIPLY, b=8)
    wanted = loaded.encode(problem.symbols + "56")[-1]

    class Certain:
        """The model with one token's logit raised."""

        layers = loaded.model.layers

        def __call__(self, tokens, cache=None):
            raised = mx.arange(loaded.config["vocab_size"]) == wanted
            return loaded.model(tokens, cache=cache) + 1e6 * raised

    from dataclasses import replace

    text = loaded.tokenizer.decode([wanted] * answers.ANSWER_TOKENS)
    found = answer(replace(loaded, model=Certain()), [problem])
    assert found.texts == (text,)
    assert found.correct.tolist() == [first_integer(text) == 56]


def test_the_same_problems_can_be_asked_in_other_words(tiny_model):
    problems = held_out(8, 0)
    texts = [problem.words for problem in problems]
    found = answer(tiny_model, problems, texts)
    ids = greedy(tiny_model, [tiny_model.encode(text) for text in texts], answers.ANSWER_TOKENS)
    assert found.texts == tuple(tiny_model.tokenizer.decode(row) for row in ids)
    assert found.problems == tuple(problems)
    assert answer(tiny_model, problems, [p.symbols for p in problems]) == answer(
        tiny_model, problems
    )
