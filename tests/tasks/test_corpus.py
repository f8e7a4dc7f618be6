"""The corpus keeps held-out pairs and the operations' names away from the answers."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.tasks import corpus, labelled
from lazarus_bench.tasks.arithmetic import (
    Operation,
    Problem,
    held_out,
    is_held_out,
    sample_prompts,
)
from lazarus_bench.tasks.labelled import is_held_out as sentence_is_held_out
from lazarus_bench.tasks.words import TEMPLATES, word_problem, word_prompts

SEEDS = st.integers(min_value=0, max_value=2**31)
KINDS = (corpus.symbols, corpus.worded, corpus.questions, corpus.prose)
NAMES = re.compile("multipl|add|subtract|divide(?!d)", re.IGNORECASE)
PHRASES = {
    Operation.MULTIPLY: r"\*| times |product|multiplied|boxes of",
    Operation.ADD: r"\+| plus |sum|together|more",
    Operation.SUBTRACT: r" - | minus |difference|less|break",
    Operation.DIVIDE: r" / |divided|quotient|split|in \d+ boxes",
}


def found_pair(text: str) -> Problem | None:
    """The problem a line asks, read off its text alone; None when it holds no two numbers."""
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    if len(numbers) < 2:
        return None
    asked = [o for o, pattern in PHRASES.items() if re.search(pattern, text)]
    assert len(asked) == 1, text
    return Problem(a=numbers[0], operation=asked[0], b=numbers[1])


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("template", range(4))
def test_the_reader_of_these_tests_finds_held_out_pairs(operation, template):
    problem = next(p for p in held_out(40, 0) if p.operation is operation)
    for text in (problem.symbols, word_problem(problem, template)):
        pair = found_pair(text)
        assert pair is not None
        assert pair.key == problem.key
        assert is_held_out(pair)


@settings(max_examples=30)
@given(seed=SEEDS)
def test_no_held_out_pair_a_right_answer_and_no_operation_named_after_the_equals_sign(seed):
    rng = np.random.default_rng(seed)
    for kind in KINDS:
        for document in kind(rng, 40):
            pair = found_pair(document.whole)
            assert pair is None or not is_held_out(pair), document.whole
            assert not NAMES.search(document.whole.partition("=")[2])
            if kind is not corpus.prose:
                assert document.text == str(pair.answer)
                assert document.given.endswith(" ")


def test_no_template_uses_an_operations_own_name():
    for operation, templates in TEMPLATES.items():
        for template in templates:
            assert not NAMES.search(template.replace("multiplied", "")), (operation, template)


def test_the_first_template_is_the_plain_question():
    asked = [word_problem(problem) for problem in sample_prompts()]
    assert (asked[0], asked[6]) == ("What is 7 times 8? ", "What is 48 divided by 6? ")


def test_prose_uses_every_operation_word_in_every_spelling_and_no_digit():
    whole = "\n".join(d.whole for d in corpus.prose(np.random.default_rng(0), 5000))
    assert not re.search(r"\d", whole)
    for operation in Operation:
        for word in (operation.word, operation.word.capitalize()):
            assert re.search(rf"(^|\n){word}\b", whole), word
        assert f" {operation.word}" in whole
        for synonym in operation.synonyms:
            assert re.search(rf"\b{synonym}\b", whole), synonym


@pytest.mark.parametrize("kind", KINDS)
def test_documents_repeat_for_a_seed_and_differ_between_seeds(kind):
    def draw(seed: int) -> list[corpus.Document]:
        return list(kind(np.random.default_rng(seed), 30))

    assert draw(7) == draw(7)
    assert draw(7) != draw(8)


def sentences(draw, seed, count):
    rng = np.random.default_rng(seed)
    return [draw(rng) for _ in range(count)]


@pytest.mark.parametrize(("draw", "classes"), labelled.GENERATED.values())
def test_sentences_are_balanced_repeatable_and_splittable(draw, classes):
    drawn = sentences(draw, 0, 2000)
    assert drawn == sentences(draw, 0, 2000)
    labels = [s.label for s in drawn]
    share = 1 / len(classes)
    assert all(abs(labels.count(c) / 2000 - share) < 0.05 for c in range(len(classes)))
    assert 0.1 < np.mean([sentence_is_held_out(s) for s in drawn]) < 0.3


def test_a_sentence_has_one_label():
    for draw, _ in labelled.GENERATED.values():
        seen: dict[str, int] = {}
        for s in sentences(draw, 1, 5000):
            assert seen.setdefault(s.text, s.label) == s.label


def test_word_prompts_take_each_operations_templates_in_turn():
    problems = held_out(32, 0)
    prompts = word_prompts(problems)
    for operation in Operation:
        own = [i for i, problem in enumerate(problems) if problem.operation is operation]
        expected = [word_problem(problems[i], turn % 4) for turn, i in enumerate(own)]
        assert [prompts[i] for i in own] == expected
        assert len(own) == 8
