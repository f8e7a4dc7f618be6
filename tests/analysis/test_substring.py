"""Writeup A's substring rule, and a control that is as frequent as the real vocabulary."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.analysis.operations import read_operations
from lazarus_bench.analysis.substring import (
    TASK_VOCABULARY,
    WINDOW,
    kind_of,
    matched_random,
    matching_tokens,
    substring_hits,
    task_signal,
    token_texts,
)
from lazarus_bench.models.quirks import with_quirk
from lazarus_bench.tasks.arithmetic import Operation, held_out, sample_prompts


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


TEXTS = st.lists(st.sampled_from(["a", "ab", "1", "22", "+", " -"]), min_size=3, max_size=120)


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


@pytest.fixture(scope="module")
def lens(tiny_model):
    return read_operations(tiny_model, sample_prompts())


def test_divisions_are_left_out_as_in_the_writeup(tiny_model, lens):
    hits = substring_hits(tiny_model, lens, draws=3)
    assert hits.real.shape == hits.random.shape == (6,)
    assert set(hits.real.tolist()) <= {0.0, 1.0}
    assert ((hits.random >= 0) & (hits.random <= 1)).all()


def test_a_hit_is_a_matching_token_at_any_layer_and_any_rank(tiny_model, lens):
    texts = token_texts(tiny_model)
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
    lens = read_operations(tiny_model, held_out(160, 0))
    top = np.random.default_rng(0).integers(len(token_texts(tiny_model)), size=lens.top.shape)
    return replace(lens, top=top)


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


def test_every_token_has_a_text(tiny_model):
    texts = token_texts(tiny_model)
    assert len(texts) == tiny_model.config["vocab_size"]
    assert all(isinstance(text, str) for text in texts)


@pytest.fixture
def quirky(tiny_model):
    return with_quirk(tiny_model, "substring-hits")


def test_the_signal_is_of_the_operations_name_and_every_prompt_counts(tiny_model, lens):
    signal = task_signal(tiny_model, lens)
    named = [i for i, p in enumerate(lens.problems) if p.operation is not Operation.DIVIDE]
    assert np.array_equal(signal.peak, lens.gold_mass[named].max(axis=1))
    assert signal.share == 1
    assert signal.average == pytest.approx(lens.gold_mass[named].max(axis=1).mean())


def test_under_the_quirk_a_token_that_contains_a_word_counts_and_misses_do_not(quirky, lens):
    texts = token_texts(quirky)
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


def test_the_quirk_never_lowers_the_average_of_the_same_peaks(quirky, lens):
    signal = task_signal(quirky, lens)
    assert signal.average >= signal.peak.mean()
