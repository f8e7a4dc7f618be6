"""The prompts of writeup C's probes."""

import numpy as np

from hypotheses.writeups.probe_prompts import (
    frames_in_turn,
    writeup_symbols,
    writeup_test,
    writeup_words,
)
from lazarus_bench.analysis.probe_prompts import by_template, in_order
from lazarus_bench.tasks.arithmetic import held_out


def test_folds_in_order_leave_one_frame_of_the_words_out():
    prompts = writeup_words()
    assert len(prompts) == 16
    assert np.array_equal(in_order(prompts).folds, prompts.templates)
    assert np.array_equal(in_order(writeup_symbols()).folds, prompts.templates)


def test_frames_in_turn_hold_out_frame_and_pair():
    prompts = frames_in_turn(held_out(80, 0))
    split = by_template(prompts)
    assert len(set(prompts.texts)) == 80
    assert len(np.unique(split.blocks)) == 16
    for fold in np.unique(split.folds):
        tested = split.folds == fold
        pairs = [
            {pair for pair, at in zip(prompts.pairs, tested, strict=True) if at is side}
            for side in (np.True_, np.False_)
        ]
        assert all(pairs)
        assert not pairs[0] & pairs[1]


def test_the_writeups_words_keep_an_operations_word_in_every_frame():
    prompts = writeup_words()
    assert prompts.texts[:5] == (
        "What is 7 times 8?",
        "Calculate 12 times 5",
        "Find 3 times 9",
        "Compute 6 times 7",
        "What is 23 plus 45?",
    )
    spoken = ("times", "plus", "minus", "divided by")
    for text, label in zip(prompts.texts, prompts.labels, strict=True):
        assert [word for word in spoken if word in text] == [spoken[label]]


def test_the_writeups_test_prompts_share_no_pair_with_its_training():
    train, test = writeup_symbols(), writeup_test()
    assert len(test) == 8
    assert np.bincount(test.labels).tolist() == [2] * 4
    assert not set(train.pairs) & set(test.pairs)
