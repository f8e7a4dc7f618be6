"""Generated examples as rows: the trainings' own problems, split, in mlx-lm's forms."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.arithmetic import held_out, training_problems
from lazarus_bench.tasks.example_rows import generate, rows
from lazarus_bench.tasks.labelled_data import DataSource, read_data

KINDS = ["arithmetic", "words", "sentiment", "topics"]


@settings(max_examples=20)
@given(st.sampled_from(KINDS), st.integers(1, 60), st.integers(0, 40), st.integers(0, 9))
def test_splits_share_nothing_and_have_the_asked_sizes(kind, count, validation, seed):
    examples = generate(kind, count, validation, seed)
    assert (len(examples.train), len(examples.valid)) == (count, validation)
    assert examples.overlap == 0
    assert len({(e.prompt, e.completion) for e in examples.valid}) == validation
    assert sum(train for train, _ in examples.balance.values()) == count
    assert examples == generate(kind, count, validation, seed)
    assert count < 9 or examples.train != generate(kind, count, validation, seed + 1).train


def test_arithmetic_is_what_a_training_draws_for_itself():
    examples = generate("arithmetic", 30, 12, 3)
    drawn = training_problems(np.random.default_rng((3, 1)), 30)
    assert [e.prompt for e in examples.train] == [p.symbols for p in drawn]
    assert [e.completion for e in examples.valid] == [str(p.answer) for p in held_out(12, 3)]


def test_sentences_of_seed_0_are_those_that_recipes_read():
    examples = generate("topics", 40, 60, 0)
    read = read_data(DataSource(name="topics", train=40, validation=60))
    assert {e.completion for e in examples.train} == {t.text for t in read.train}
    assert [e.completion for e in examples.valid] == [t.text for t in read.validation]
    assert [e.label for e in examples.valid] == [read.classes[t.label] for t in read.validation]


def test_more_than_can_be_balanced_takes_all_of_the_rare_ones():
    examples = generate("arithmetic", 8, 500, 0)
    counts = sorted(valid for _, valid in examples.balance.values())
    assert sum(counts) == len({e.prompt for e in examples.valid}) == 500
    assert counts[0] < 125 < counts[-1]
    assert examples.overlap == 0


def test_overlap_and_repetition_are_counted_and_not_assumed():
    examples = generate("arithmetic", 2000, 8, 0)
    assert examples.different == len({e.prompt for e in examples.train}) < 2000
    assert replace(examples, valid=examples.train[:3]).overlap == len(
        {e.key for e in examples.train[:3]}
    )


def test_the_forms_are_mlx_lms():
    chosen = generate("arithmetic", 1, 0, 0).train
    prompt, answer = chosen[0].prompt, chosen[0].completion
    about = {"class": chosen[0].label, "split": "train"}
    assert rows(chosen, "train", "completion") == [
        {"prompt": prompt, "completion": answer, **about}
    ]
    assert rows(chosen, "train", "text") == [{"text": prompt + answer, **about}]
    (row,) = rows(chosen, "train", "messages")
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    assert json.loads(json.dumps(row)) == row


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("arithmetic", 0, 8, 0), "--count 0 must be at least 1"),
        (("arithmetic", 8, -1, 0), "--validation -1"),
        (("words", 8, 8, -2), "--seed -2"),
        (("arithmetic", 8, 4000, 0), "problems are held out: give fewer"),
        (("poems", 8, 8, 0), "choose arithmetic, words, sentiment, topics"),
        (("topics", 8, 3000, 0), "ask for fewer"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        generate(*arguments)


def test_a_sentence_has_no_prompt_to_answer():
    with pytest.raises(UserError, match="give text"):
        rows(generate("topics", 1, 0, 0).train, "train", "messages")
