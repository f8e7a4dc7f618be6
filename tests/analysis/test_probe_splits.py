"""Splits: nothing that a split holds out is on both sides, and nulls move what moves together."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from wordings import in_every_wording, sixteen_symbols, sixteen_words

from lazarus_bench.analysis.probe_prompts import (
    ProbePrompts,
    by_pair,
    by_template,
    in_order,
    in_symbols,
    permuted,
    random_by_type,
    stated,
    words_in_turn,
)
from lazarus_bench.analysis.probe_prompts import split as split_of
from lazarus_bench.errors import UserError
from lazarus_bench.tasks.arithmetic import Operation, Problem, held_out


@st.composite
def asked(draw) -> ProbePrompts:
    """Any prompts: pairs of any number of prompts and templates, all of one class or mixed."""
    classes = draw(st.integers(2, 4))
    mixed = draw(st.booleans())
    rows = []
    for pair in range(draw(st.integers(10, 30))):
        label = draw(st.integers(0, classes - 1))
        for _ in range(draw(st.integers(1, 4))):
            own = draw(st.integers(0, classes - 1)) if mixed else label
            rows.append((own, ("x", pair, pair % 7), draw(st.integers(0, 3))))
    labels, pairs, templates = zip(*rows, strict=True)
    assume(len(set(labels)) == classes)
    return ProbePrompts(
        texts=("",) * len(rows),
        labels=labels,
        classes=tuple("abcd"[:classes]),
        pairs=pairs,
        templates=templates,
    )


def sides(split, of):
    """For each fold, the values of `of` in training and in test."""
    of = np.array([hash(value) for value in of])
    for fold in np.unique(split.folds):
        tested = split.folds == fold
        yield set(of[~tested].tolist()), set(of[tested].tolist())


SPLITS = {
    "pairs": (lambda prompts: by_pair(prompts, folds=3), "pairs"),
    "templates": (by_template, "templates"),
    "in order": (in_order, None),
}


@pytest.mark.parametrize(("splitter", "held"), SPLITS.values(), ids=SPLITS)
@settings(max_examples=40)
@given(prompts=asked())
def test_nothing_held_out_crosses_a_split_and_every_class_is_trained_on(splitter, held, prompts):
    try:
        split = splitter(prompts)
    except UserError:
        assert held or min(prompts.labels.count(i) for i in range(len(prompts.classes))) < 4
        return
    assert (split.folds >= 0).all()
    for training, test in sides(split, getattr(prompts, held)) if held else ():
        assert test
        assert not training & test
        assert len(test) == 1 or splitter is not by_template
    for training, test in sides(split, prompts.labels) if held != "pairs" else ():
        assert len(training) == len(prompts.classes)
        assert len(test) == len(prompts.classes) or splitter is not in_order


@settings(max_examples=40)
@given(prompts=asked(), seed=st.integers(0, 99))
def test_a_permutation_keeps_blocks_whole_and_strata_in_balance(prompts, seed):
    try:
        split = by_pair(prompts, folds=3)
    except UserError:
        return
    labels = np.array(prompts.labels)
    drawn = permuted(labels, split, 5, np.random.default_rng(seed))
    for labelling in drawn:
        for block in np.unique(split.blocks):
            assert len(set(labelling[split.blocks == block].tolist())) == 1
        for stratum in np.unique(split.strata):
            inside = np.flatnonzero(split.strata == stratum)
            _, first = np.unique(split.blocks[inside], return_index=True)
            was, now = labels[inside][first], labelling[inside][first]
            assert sorted(was.tolist()) == sorted(now.tolist())


def test_symbols_are_split_evenly_by_class():
    prompts = in_symbols(held_out(200, 0))
    split, labels = by_pair(prompts), np.array(prompts.labels)
    for fold in range(5):
        counts = np.bincount(labels[split.folds == fold], minlength=4)
        assert counts.min() >= 9
        assert counts.max() <= 11


def test_phrases_swap_their_classes_inside_a_template():
    prompts = in_every_wording(held_out(20, 0))
    split, labels = by_template(prompts), np.array(prompts.labels)
    (drawn,) = permuted(labels, split, 1, np.random.default_rng(3))
    assert (drawn != labels).any()
    for template in range(4):
        inside = split.folds == template
        swaps = {(a, b) for a, b in zip(labels[inside], drawn[inside], strict=True)}
        assert len(swaps) == 4


def test_right_and_wrong_answers_to_a_problem_stay_together_and_swap():
    prompts = stated(held_out(20, 0))
    split, labels = by_pair(prompts), np.array(prompts.labels)
    assert prompts.classes == ("incorrect", "correct")
    for training, test in sides(split, prompts.pairs):
        assert not training & test
    (drawn,) = permuted(labels, split, 1, np.random.default_rng(0))
    assert 0 < (drawn != labels).sum() < len(labels)
    assert (drawn.reshape(-1, 2).sum(axis=1) == 1).all()


def test_a_stated_answer_is_right_or_off_by_one():
    for problem, right, wrong in zip(
        problems := held_out(20, 0), *(stated(problems).texts[i::2] for i in (0, 1)), strict=True
    ):
        assert right == f"{problem.symbols}{problem.answer}"
        assert abs(int(wrong.removeprefix(problem.symbols)) - problem.answer) == 1


def test_folds_in_order_leave_one_wording_of_sixteen_prompts_out():
    prompts = sixteen_words()
    split = in_order(prompts)
    assert len(prompts) == 16
    assert np.array_equal(split.folds, prompts.templates)
    assert np.array_equal(in_order(sixteen_symbols()).folds, split.folds)


def test_templates_in_turn_hold_out_wording_and_pair():
    prompts = words_in_turn(held_out(80, 0))
    split = by_template(prompts)
    assert len(set(prompts.texts)) == 80
    assert np.bincount(split.blocks).min() >= 3
    assert len(np.unique(split.blocks)) == 16
    for training, test in sides(split, prompts.pairs):
        assert not training & test
    for training, test in sides(split, split.types.tolist()):
        assert training & test


def test_control_labels_are_one_a_type_and_even():
    prompts = in_every_wording(held_out(40, 0))
    split = by_template(prompts)
    (drawn,) = random_by_type(4, split, 1, np.random.default_rng(0))
    chosen = [set(drawn[split.types == kind].tolist()) for kind in np.unique(split.types)]
    assert all(len(labels) == 1 for labels in chosen)
    assert np.ptp(np.bincount([label for labels in chosen for label in labels])) <= 1


def test_control_types_recur_on_both_sides_or_there_is_nothing_to_memorise():
    for prompts, split in (
        (words := in_every_wording(held_out(40, 0)), by_template(words)),
        (symbols := in_symbols(held_out(200, 0)), by_pair(symbols)),
    ):
        shares = []
        for fold in np.unique(split.folds):
            tested = split.folds == fold
            shares.append(np.isin(split.types[tested], split.types[~tested]).mean())
        assert len(prompts) > 0
        assert np.mean(shares) > 0.8


def without(operation):
    return [p for p in held_out(20, 0) if p.operation != operation]


ADDED = Problem(a=2, operation=Operation.ADD, b=4)
FEW = [
    Problem(a=a, operation=operation, b=b)
    for a, operation, b in [
        (2, Operation.MULTIPLY, 3),
        (2, Operation.MULTIPLY, 4),
        (2, Operation.ADD, 3),
        (6, Operation.DIVIDE, 3),
    ]
]


@pytest.mark.parametrize(
    ("splitter", "prompts", "remedy"),
    [
        (by_pair, in_symbols(held_out(16, 0)), "5 pairs a class, and one class has 4"),
        (by_template, in_symbols(held_out(40, 0)), "ask in words"),
        (
            in_order,
            in_symbols(held_out(8, 0)),
            "and 'multiply' has 2: ask for more problems of it",
        ),
        (in_order, in_symbols(without("add")), "4 prompts a class, and 'add' has 0: ask for"),
        (by_template, words_in_turn(FEW), "'add' is in one: ask for more problems of it"),
        (by_template, words_in_turn([*FEW, ADDED]), "'divide' is in one: ask for more"),
        (lambda asked: split_of(asked, "pair"), in_symbols(FEW), "split 'pair' is unknown"),
    ],
)
def test_too_few_to_split_says_what_is_missing(splitter, prompts, remedy):
    with pytest.raises(UserError, match=remedy):
        splitter(prompts)


def test_prompts_of_one_class_are_no_probe():
    with pytest.raises(UserError, match="at least two classes"):
        in_symbols([p for p in held_out(20, 0) if p.operation == "add"])
