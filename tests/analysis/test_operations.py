"""The lens on arithmetic: gold, variants, hits with and without the whole vocabulary."""

from dataclasses import replace

import numpy as np
import pytest

from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.analysis.operations import (
    OperationLens,
    operation_words,
    read_operations,
    read_synonyms,
)
from lazarus_bench.errors import NotApplicable
from lazarus_bench.models.load import load
from lazarus_bench.models.prompts import WordTokens, word_tokens
from lazarus_bench.tasks.arithmetic import Operation, Problem, sample_prompts

PROBLEMS = sample_prompts()
MULTIPLY, DIVIDE = (
    Problem(a=7, operation=Operation.MULTIPLY, b=8),
    Problem(a=48, operation=Operation.DIVIDE, b=6),
)


@pytest.fixture(scope="module")
def lens(tiny_model) -> OperationLens:
    return read_operations(tiny_model, PROBLEMS)


def made(bare, top, gold=(0, 3)) -> OperationLens:
    """Two prompts, one layer; words' bare tokens are 0..3 and their capitalised ones 10..13."""
    words = tuple(
        WordTokens(word=o.word, bare=i, variants=(i, 10 + i)) for i, o in enumerate(Operation)
    )
    bare = np.array(bare)[:, None, :]
    return OperationLens(
        problems=(MULTIPLY, DIVIDE),
        words=words,
        gold=np.array(gold),
        bare=bare,
        variants=2 * bare,
        answer=np.zeros((2, 1)),
        top=np.array(top)[:, None, :],
        top_probability=np.zeros((2, 1, 2)),
    )


def test_gold_is_the_prompts_own_operation(lens):
    order = list(Operation)
    assert [order[g] for g in lens.gold] == [p.operation for p in PROBLEMS]
    for row, problem in enumerate(PROBLEMS):
        column = order.index(problem.operation)
        assert np.array_equal(lens.gold_probability[row], lens.bare[row, :, column])
        assert np.array_equal(lens.gold_mass[row], lens.variants[row, :, column])


def test_bare_and_variants_are_the_probabilities_of_their_tokens(tiny_model, lens):
    prompts = [tiny_model.encode(p.symbols) for p in PROBLEMS]
    for column, word in enumerate(operation_words(tiny_model)):
        targets = np.tile(np.array(word.variants), (len(PROBLEMS), 1))
        probability = read_lens(tiny_model, prompts, targets).probability
        assert word.variants[0] == word.bare
        np.testing.assert_allclose(lens.bare[:, :, column], probability[:, :, 0], rtol=1e-5)
        np.testing.assert_allclose(lens.variants[:, :, column], probability.sum(axis=2), rtol=1e-5)


def test_masses_stay_within_one(lens):
    assert (lens.variants >= lens.bare).all()
    assert (lens.variants.sum(axis=2) <= 1 + 1e-6).all()


def test_the_answer_is_its_first_tokens_probability(tiny_model, lens):
    prompts = [tiny_model.encode(p.symbols) for p in PROBLEMS]
    token = [tiny_model.encode(p.symbols + str(p.answer))[len(ids)] for p, ids in
             zip(PROBLEMS, prompts, strict=True)]  # fmt: skip
    expected = read_lens(tiny_model, prompts, np.array(token)[:, None]).probability[:, :, 0]
    np.testing.assert_allclose(lens.answer, expected, rtol=1e-5)


def test_an_unrestricted_hit_is_the_top_of_the_whole_vocabulary():
    bare = [[0.3, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.3]]
    assert made(bare, [[0, 99], [99, 3]]).hits.tolist() == [[True], [False]]


def test_a_declared_variant_counts_as_a_hit_and_another_operation_does_not():
    bare = [[0.3, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.3]]
    assert made(bare, [[10, 99], [10, 3]]).hits.tolist() == [[True], [False]]


def test_a_restricted_hit_asks_the_operations_words_only():
    bare = [[0.003, 0.001, 0.0, 0.0], [0.4, 0.1, 0.1, 0.3]]
    reading = made(bare, [[99, 98], [99, 98]])
    assert reading.restricted_hits.tolist() == [[True], [False]]
    assert reading.hits.tolist() == [[False], [False]]


def test_the_predicted_operation_is_the_top_of_the_four_names(lens):
    reading = made([[0.3, 0.1, 0.2, 0.1], [0.1, 0.2, 0.15, 0.0]], [[99, 98], [99, 98]])
    assert reading.predicted.tolist() == [[0], [1]]
    assert np.array_equal(lens.restricted_hits, lens.predicted == lens.gold[:, None])


def test_a_constant_predictor_scores_one_in_four_restricted(lens):
    constant = np.zeros_like(lens.bare)
    constant[:, :, 2] = 0.9
    assert replace(lens, bare=constant).restricted_hits.mean() == 0.25


def test_a_vocabulary_without_the_words_does_not_apply(shared):
    loaded = load(shared / "models" / "stories260K")
    with pytest.raises(NotApplicable, match="single token"):
        read_operations(loaded, PROBLEMS)
    with pytest.raises(NotApplicable, match="none of remaining, remainder"):
        read_synonyms(loaded, PROBLEMS)


def test_synonyms_are_every_variant_of_every_known_synonym(tiny_model):
    prompts = [tiny_model.encode(p.symbols) for p in PROBLEMS]
    known = ("remaining", "plus")
    ids = sorted({t for w in known for t in word_tokens(tiny_model.tokenizer, w).variants})
    expected = read_lens(tiny_model, prompts, np.tile(ids, (len(PROBLEMS), 1))).probability
    found = read_synonyms(tiny_model, PROBLEMS, (*known, "no such word", "plus"))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
