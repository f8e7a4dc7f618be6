"""Two stages: fine-tune, fuse the adapter, then train a light dual reward on the fused model.

Source: writeup D, *TinyLlama-1.1B Results* and *Config Used*.
"""

from lazarus_bench import (
    OPERATION_NAMES,
    Above,
    AtLeast,
    AtMost,
    Control,
    beside,
    claim,
    mean,
    trained,
)
from lazarus_bench.session.controls import room_to_gain, room_to_lose
from lazarus_bench.session.shown import lens_table, training_curves
from lazarus_bench.training import DualReward, Fuse, Sft

from .writeups import two_stage_classifier as writeup

SFT = Sft(rank=16, scale=2.0, checkpoints=(0, 500))
"""Stage 1: rank 16, alpha 32. Its learning rate, which D leaves open, is the other writeups' 1e-4,
and of those tried on development seeds the best (`docs/search-two-stage.md`)."""

sft = trained(SFT)
fused = trained(SFT, Fuse())
twenty_eighty = trained(SFT, Fuse(), DualReward(rank=8, weight=0.8, steps=200, learning_rate=1e-3))
"""Experiment 1, whose learning rate D leaves open too: that of the family dual, and of those tried
on development seeds none kept computation."""

fifty_fifty = trained(SFT, Fuse(), DualReward(rank=8, weight=0.5, learning_rate=5e-5))
"""Experiment 2, every number as printed."""


def gold(runs, problems):
    """Probability of the operation's name at the classifier layer, [seed, prompt]."""
    return runs.lens(problems).at("classifier").gold_probability


def in_symbols(runs, problems):
    return runs.answers(problems).correct


def in_words(runs, problems):
    return runs.word_answers(problems).correct


def largest_change(runs, others, problems):
    """Each prompt's largest change of a logit over its largest logit."""
    from lazarus_bench.analysis.logits import relative_difference

    def largest(run, other):
        return relative_difference(run.logits(problems), other.logits(problems)).max()

    return runs.each(largest, others)


def accuracies(second, problems):
    """Accuracy on symbols and words at every stage of the runs `second`."""
    stage_1 = second.before
    stages = {"baseline": stage_1.before.before, "stage 1": stage_1, "stage 2": second}
    for name, runs in stages.items():
        yield f"symbols, {name}", mean(in_symbols(runs, problems))
        yield f"words, {name}", mean(in_words(runs, problems))


@claim("two-stage/fuse-exact", AtMost(1e-4), finding=writeup.FUSE_EXACT)
def test_fusing_changes_nothing(fused, held_out):
    """Fusing the adapter changes nothing.

    largest difference of a logit, fused minus unfused, over the largest logit of its prompt
    (float32), maximum over prompts.
    """
    moved = largest_change(fused.before, fused.before.before, held_out).min()
    return mean(largest_change(fused, fused.before, held_out)), Control(
        name="largest relative change of a logit by the adapter itself, least of all seeds",
        value=float(moved),
        expectation="above 0.01, so that there is something to fuse",
        passed=moved > 0.01,
    )


@beside(test_fusing_changes_nothing)
def _(fused, held_out):
    moved = largest_change(fused.before, fused.before.before, held_out)
    yield "by the adapter itself", mean(moved)


@claim(
    "two-stage/20-80-destroys",
    AtLeast(0.25),
    finding=writeup.TWENTY_EIGHTY_DESTROYS,
    binary=True,
    words=OPERATION_NAMES,
    difference=True,
)
def test_20_80_destroys_computation(twenty_eighty, held_out):
    """A 20/80 balance destroys computation.

    exact-match accuracy on held-out operands in symbols, stage 1 minus stage 2.
    """
    drop = in_symbols(twenty_eighty.before, held_out) - in_symbols(twenty_eighty, held_out)
    return mean(drop), room_to_lose(twenty_eighty.before, held_out, by=0.25)


@beside(test_20_80_destroys_computation)
def _(twenty_eighty, held_out):
    drop = in_words(twenty_eighty.before, held_out) - in_words(twenty_eighty, held_out)
    yield "drop on word problems", mean(drop)
    yield from accuracies(twenty_eighty, held_out)


@claim(
    "two-stage/50-50-preserves",
    AtMost(0.1),
    finding=writeup.FIFTY_FIFTY_PRESERVES,
    binary=True,
    words=OPERATION_NAMES,
    difference=True,
)
def test_50_50_preserves_computation(fifty_fifty, held_out):
    """A 50/50 balance at a very low learning rate preserves computation.

    exact-match accuracy on held-out operands in symbols, stage 1 minus stage 2.
    """
    drop = in_symbols(fifty_fifty.before, held_out) - in_symbols(fifty_fifty, held_out)
    return mean(drop), room_to_lose(fifty_fifty.before, held_out, by=0.1)


@beside(test_50_50_preserves_computation)
def _(fifty_fifty, held_out):
    drop = in_words(fifty_fifty.before, held_out) - in_words(fifty_fifty, held_out)
    yield "drop on word problems", mean(drop)
    yield from accuracies(fifty_fifty, held_out)


@claim("two-stage/no-classifier", AtMost(0.01), finding=writeup.NO_CLASSIFIER)
def test_50_50_induces_no_classifier(fifty_fifty, held_out):
    """... and induces no classifier.

    mean probability of the operation's name, classifier layer, after stage 2 at 50/50.
    """
    return mean(gold(fifty_fifty, held_out))


@beside(test_50_50_induces_no_classifier)
def _(fifty_fifty, twenty_eighty, held_out, writeup_prompts):
    stage_1, loss = fifty_fifty.before, fifty_fifty.log("class")
    yield "at 20/80", mean(gold(twenty_eighty, held_out))
    yield "the writeups' eight prompts", mean(gold(fifty_fifty, writeup_prompts))
    yield "stage 1", mean(gold(stage_1, held_out))
    yield "control: before training", mean(gold(stage_1.before.before, held_out))
    yield "classification loss at the first step", mean(loss[:, 0])
    yield "... over the last ten", mean(loss[:, -1])
    yield lens_table("Two stages, 50/50, seed 0", fifty_fifty[0], writeup_prompts)
    yield training_curves("Stage 2, 50/50", fifty_fifty, ("class", "answer"))
    yield training_curves("Stage 2, 20/80", twenty_eighty, ("class", "answer"))


@claim(
    "two-stage/sft-helps-words",
    Above(0.0),
    finding=writeup.SFT_HELPS_WORDS,
    binary=True,
    difference=True,
)
def test_fine_tuning_helps_word_problems(sft, held_out):
    """Stage 1 improves word problems.

    exact-match accuracy on held-out operands in words, after stage 1 minus before it.
    """
    gain = in_words(sft, held_out) - in_words(sft.before, held_out)
    return mean(gain), room_to_gain(sft.before, held_out, by=0.1, read=in_words)


@beside(test_fine_tuning_helps_word_problems)
def _(sft, held_out):
    yield "after, words", mean(in_words(sft, held_out))
    yield "before, words", mean(in_words(sft.before, held_out))
    gain = in_symbols(sft, held_out) - in_symbols(sft.before, held_out)
    yield "gain in symbols", mean(gain)
