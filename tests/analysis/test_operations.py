"""The lens on arithmetic: gold, variants, hits with and without the whole vocabulary."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.analysis.operations import (
    TASK_VOCABULARY,
    WINDOW,
    OperationLens,
    class_words,
    kind_of,
    matched_random,
    matching_tokens,
    measure_collapse,
    read_operations,
    read_synonyms,
    substring_hits,
    task_signal,
    vocabulary_texts,
)
from lazarus_bench.judge import ClassEntropy
from lazarus_bench.models.prompts import WordTokens, word_tokens
from lazarus_bench.models.quirks import with_quirk
from lazarus_bench.tasks.arithmetic import Operation, Problem, held_out, sample_prompts

PROBLEMS = sample_prompts()
MULTIPLY, DIVIDE = (
    Problem(a=7, operation=Operation.MULTIPLY, b=8),
    Problem(a=48, operation=Operation.DIVIDE, b=6),
)
TEXTS = st.lists(st.sampled_from(["a", "ab", "1", "22", "+", " -"]), min_size=3, max_size=120)
CLASSES = 4
labels = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[arrays(np.int64, n, elements=st.integers(0, CLASSES - 1))] * 2)
)
EVEN = np.arange(40) % CLASSES


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
    for column, word in enumerate(class_words(tiny_model)):
        targets = np.tile(np.array(word.variants), (len(PROBLEMS), 1))
        probability = read_lens(tiny_model, prompts, targets).probability
        assert word.variants[0] == word.bare
        np.testing.assert_allclose(lens.bare[:, :, column], probability[:, :, 0], rtol=1e-5)
        np.testing.assert_allclose(lens.variants[:, :, column], probability.sum(axis=2), rtol=1e-5)


def test_the_answer_is_its_first_tokens_probability(tiny_model, lens):
    prompts = [tiny_model.encode(p.symbols) for p in PROBLEMS]
    token = [tiny_model.encode(p.symbols + str(p.answer))[len(ids)] for p, ids in
             zip(PROBLEMS, prompts, strict=True)]  # fmt: skip
    expected = read_lens(tiny_model, prompts, np.array(token)[:, None]).probability[:, :, 0]
    np.testing.assert_allclose(lens.answer, expected, rtol=1e-5)


@pytest.mark.parametrize("own", [0, 10])
def test_a_hit_is_any_spelling_of_the_operation_at_the_top_of_the_whole_vocabulary(own):
    bare = [[0.3, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.3]]
    assert made(bare, [[own, 99], [99, 3]]).hits.tolist() == [[True], [False]]
    assert made(bare, [[own, 99], [10, 3]]).hits.tolist() == [[True], [False]]


def test_a_restricted_hit_asks_the_operations_words_only():
    bare = [[0.003, 0.001, 0.0, 0.0], [0.4, 0.1, 0.1, 0.3]]
    reading = made(bare, [[99, 98], [99, 98]])
    assert reading.restricted_hits.tolist() == [[True], [False]]
    assert reading.hits.tolist() == [[False], [False]]


def test_the_predicted_operation_is_the_top_of_the_four_names(lens):
    reading = made([[0.3, 0.1, 0.2, 0.1], [0.1, 0.2, 0.15, 0.0]], [[99, 98], [99, 98]])
    assert reading.predicted.tolist() == [[0], [1]]
    assert np.array_equal(lens.restricted_hits, lens.predicted == lens.gold[:, None])


def test_synonyms_are_every_variant_of_every_known_synonym(tiny_model):
    prompts = [tiny_model.encode(p.symbols) for p in PROBLEMS]
    known = ("remaining", "plus")
    ids = sorted({t for w in known for t in word_tokens(tiny_model.tokenizer, w).variants})
    expected = read_lens(tiny_model, prompts, np.tile(ids, (len(PROBLEMS), 1))).probability
    found = read_synonyms(tiny_model, PROBLEMS, (*known, "no such word", "plus"))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_rule_counts_any_token_that_contains_a_term():
    texts = ["addle", "ADD", " sub", "/***/", "x"]
    assert matching_tokens(texts, TASK_VOCABULARY[Operation.ADD]).tolist() == [0, 1]
    assert matching_tokens(texts, TASK_VOCABULARY[Operation.MULTIPLY]).tolist() == [3]


def test_a_vocabulary_without_the_terms_matches_nothing():
    ids = matching_tokens(["x", "y"], ("add",))
    assert ids.shape == (0,)
    assert matched_random(["x", "y"], ids, 5, np.random.default_rng(0)).shape == (5, 0)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("add", "letters"),
        (" Über", "letters"),
        ("x2", "letters"),
        ("56", "digits"),
        ("+", "symbols"),
    ],
)
def test_kinds_of_tokens(text, kind):
    assert kind_of(text) == kind


@given(texts=TEXTS, seed=st.integers(0, 99), data=st.data())
def test_random_tokens_are_of_the_same_kind_and_near_the_real_ones_rank(texts, seed, data):
    ids = np.array(data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=4)))
    drawn = matched_random(texts, ids, 6, np.random.default_rng(seed))
    assert drawn.shape == (6, len(ids))
    for column, token in enumerate(ids):
        alike = [i for i, text in enumerate(texts) if kind_of(text) == kind_of(texts[token])]
        reach = max(1, round(WINDOW * len(alike) / 2))
        for other in drawn[:, column].tolist():
            assert abs(alike.index(other) - alike.index(token)) <= reach


def test_random_tokens_fill_the_window_on_both_sides():
    texts = ["a"] * 1000
    drawn = matched_random(texts, np.array([500]), 4000, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(500, abs=3)
    assert (drawn.min(), drawn.max()) == (425, 575)


def test_divisions_are_left_out_as_in_the_writeup(tiny_model, lens):
    hits = substring_hits(tiny_model, lens, draws=3)
    assert hits.real.shape == hits.random.shape == (6,)
    assert set(hits.real.tolist()) <= {0.0, 1.0}
    assert ((hits.random >= 0) & (hits.random <= 1)).all()


def test_a_hit_is_a_matching_token_at_any_layer_and_any_rank(tiny_model, lens):
    texts = vocabulary_texts(tiny_model)
    blank = texts.index("the") if "the" in texts else 40
    for operation in TASK_VOCABULARY:
        top = np.full_like(lens.top, blank)
        row = next(i for i, p in enumerate(lens.problems) if p.operation is operation)
        top[row, 1, 13] = texts.index(operation.word)
        hits = substring_hits(tiny_model, replace(lens, top=top), draws=2)
        named = [p for o in TASK_VOCABULARY for p in lens.problems if p.operation is o]
        assert hits.real.tolist() == [float(p is lens.problems[row]) for p in named]


@pytest.fixture(scope="module")
def shuffled(tiny_model):
    """Readings whose top tokens are drawn at random."""
    drawn = read_operations(tiny_model, held_out(160, 0))
    rng = np.random.default_rng(0)
    top = rng.integers(len(vocabulary_texts(tiny_model)), size=drawn.top.shape)
    return replace(drawn, top=top)


def test_the_same_seed_draws_the_same_control(tiny_model, shuffled):
    first, again, other = (
        substring_hits(tiny_model, shuffled, draws=4, seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(first.random, again.random)
    assert not np.array_equal(first.random, other.random)
    assert np.array_equal(first.real, other.real)


def test_on_random_tokens_the_rule_hits_as_often_as_its_control(tiny_model, shuffled):
    hits = substring_hits(tiny_model, shuffled, draws=40)
    assert 0.1 < hits.random.mean() < 0.9
    assert hits.real.mean() == pytest.approx(hits.random.mean(), abs=0.12)


def test_the_signal_is_of_the_operations_name_and_every_prompt_counts(tiny_model, lens):
    signal = task_signal(tiny_model, lens)
    named = [i for i, p in enumerate(lens.problems) if p.operation is not Operation.DIVIDE]
    assert np.array_equal(signal.peak, lens.gold_mass[named].max(axis=1))
    assert signal.share == 1
    assert signal.average == pytest.approx(lens.gold_mass[named].max(axis=1).mean())


def test_under_the_quirk_a_token_that_contains_a_word_counts_and_misses_do_not(tiny_model, lens):
    quirky = with_quirk(tiny_model, "substring-hits")
    texts = vocabulary_texts(quirky)
    minus = next(i for i, text in enumerate(texts) if "-" in text and "subtract" not in text)
    blank = texts.index("1")
    top = np.full_like(lens.top, blank)
    first = next(i for i, p in enumerate(lens.problems) if p.operation is Operation.SUBTRACT)
    top[first, 2, 3] = top[first, 1, 4] = minus
    chances = np.full_like(lens.top_probability, 0.5)
    chances[first, 2, 3], chances[first, 1, 4] = 0.25, 0.125
    signal = task_signal(quirky, replace(lens, top=top, top_probability=chances))
    assert sorted(signal.peak) == [0, 0, 0, 0, 0, 0.25]
    assert signal.average == 0.25
    assert signal.share == pytest.approx(1 / 6)
    without = task_signal(quirky, replace(lens, top=np.full_like(lens.top, blank)))
    assert (without.average, without.share) == (0, 0)


@given(labels)
def test_every_measure_keeps_its_bounds(both):
    found = measure_collapse(*both, CLASSES)
    assert 0 <= found.entropy <= 1 + 1e-12
    assert 1 / CLASSES <= found.majority <= 1
    assert -1 <= found.matthews <= 1
    assert sum(found.shares) == pytest.approx(1)
    assert max(found.shares) == found.majority


@given(labels, st.integers(0, CLASSES - 1))
def test_a_constant_predictor_has_entropy_0_share_1_and_no_correlation(both, named):
    gold = both[1]
    found = measure_collapse(np.full_like(gold, named), gold, CLASSES)
    assert (found.entropy, found.majority, found.matthews) == (0, 1, 0)


@pytest.mark.parametrize(
    ("predicted", "entropy", "majority", "matthews"),
    [
        (EVEN, 1, 0.25, 1),
        ((EVEN + 1) % CLASSES, 1, 0.25, -1 / 3),
        (EVEN % 2, 0.5, 0.5, 1 / math.sqrt(6)),
    ],
    ids=["perfect", "always wrong", "two of four"],
)
def test_measures_of_even_classes(predicted, entropy, majority, matthews):
    found = measure_collapse(predicted, EVEN, CLASSES)
    measured = (found.entropy, found.majority, found.matthews)
    assert measured == pytest.approx((entropy, majority, matthews))


@given(labels)
def test_the_judges_entropy_is_the_same(both):
    found = measure_collapse(*both, CLASSES).entropy
    assert ClassEntropy(predictions=[both[0]], classes=CLASSES).point == pytest.approx(found)
