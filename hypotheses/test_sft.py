"""Standard fine-tuning: the task is learned, and the lens stays weak.

Source: writeups A (*Training Progression*, *After 500 Steps*) and B (*Results: Classifier
Emergence*).
"""

import numpy as np

from lazarus_bench import (
    OPERATION_NAMES,
    Above,
    AtLeast,
    AtMost,
    beside,
    best_layer,
    claim,
    difference,
    mean,
    ratio,
    trained,
    trend,
)
from lazarus_bench.session.controls import room_to_gain
from lazarus_bench.session.shown import lens_heatmap, training_curves
from lazarus_bench.tasks.arithmetic import Operation
from lazarus_bench.training import Sft

from .writeups import classifier_emergence_cli as cli
from .writeups import task_classifier_emergence as writeup

sft = trained(Sft())
tenfold = trained(Sft(learning_rate=1e-3))
"""The writeups' recipe at ten times their learning rate, shown beside it: a lab base has learned
the task already, and 500 steps at 1e-4 hardly move it."""


def gold(runs, problems):
    """Probability of the operation's name, [seed, prompt, layer]."""
    return runs.lens(problems).gold_probability


def peak(runs, problems):
    """Each prompt's highest probability of the operation's name over layers."""
    return gold(runs, problems).max("layers")


def course(runs, problems):
    """The same at each checkpoint, a mean over prompts."""
    return [peak(runs.checkpoint(at), problems).mean("prompts") for at in Sft().checkpoints]


def only(problems, *operations):
    return tuple(p for p in problems if p.operation in operations)


@claim("sft/loss-falls", AtMost(0.5), finding=writeup.LOSS_FALLS)
def test_validation_loss_falls(sft):
    """LoRA fine-tuning learns the task.

    validation loss at the last over the first checkpoint.
    """
    return ratio(sft.validation[:, -1], sft.validation[:, 0])


@beside(test_validation_loss_falls)
def _(sft):
    yield training_curves("Standard LoRA fine-tuning", sft, ["loss"])


@claim("sft/lens-stays-weak", AtMost(0.02), finding=writeup.LENS_STAYS_WEAK)
def test_lens_stays_weak(sft, held_out):
    """Without a classification loss the lens stays near 1%.

    maximum over layers of the mean probability of the operation's name.
    """
    return best_layer(gold(sft, held_out))


@beside(test_lens_stays_weak)
def _(sft, tenfold, held_out, writeup_prompts):
    yield "the writeups' eight prompts", best_layer(gold(sft, writeup_prompts))
    yield "at ten times the learning rate", best_layer(gold(tenfold, held_out))
    yield "control: before training", best_layer(gold(sft.before, held_out))
    yield lens_heatmap("Standard LoRA fine-tuning", sft, writeup_prompts, held_out)


@claim("sft/lens-grows", Above(0.0), finding=writeup.LENS_GROWS)
def test_lens_grows_with_steps(sft, held_out):
    """More steps make the signal stronger.

    rank correlation of checkpoint (0/100/300/500) and mean peak probability, over seeds.
    """
    return trend(course(sft, held_out))


@beside(test_lens_grows_with_steps)
def _(sft, held_out):
    first, *_, last = course(sft, held_out)
    yield "mean peak probability, step 0", mean(first)
    yield "... last step", mean(last)


@claim(
    "sft/peak-at-56",
    Above(0.0),
    finding=writeup.PEAK_AT_56,
    binary=True,
    words=OPERATION_NAMES,
    difference=True,
)
def test_signal_peaks_at_56_percent(sft, held_out):
    """The signal concentrates at about 56% depth.

    share of prompts peaking within one layer of 0.56 · layers, minus chance.
    """
    middle = round(0.56 * sft.depth)
    near = abs(np.arange(sft.depth) - middle) <= 1
    peaks = gold(sft, held_out).argmax("layers")
    return mean(abs(peaks - middle) <= 1, minus=near.mean())


@claim("sft/sub-weakest", Above(0.0), finding=writeup.SUB_WEAKEST)
def test_subtraction_is_weakest(sft, held_out):
    """Subtraction is weaker than multiplication and addition.

    peak probability of the operation's name, multiplication and addition minus subtraction, paired
    by seed.
    """
    others = only(held_out, Operation.MULTIPLY, Operation.ADD)
    return difference(peak(sft, others), peak(sft, only(held_out, Operation.SUBTRACT)))


def remaining(runs, problems):
    """Mass of subtraction's synonyms, [seed, prompt, layer]."""
    return runs.synonym_mass(only(problems, Operation.SUBTRACT))


@claim("sft/remaining-token", AtLeast(0.4), finding=cli.REMAINING_TOKEN)
def test_subtraction_decodes_to_remaining(sft, held_out):
    """Fine-tuning makes subtraction decode to remaining/remainder at about 62.5% depth.

    mean probability of remaining/remainder/... at layer round(0.625 · layers).
    """
    return mean(remaining(sft, held_out).at(round(0.625 * sft.depth)))


@beside(test_subtraction_decodes_to_remaining)
def _(sft, held_out):
    yield "best layer instead", best_layer(remaining(sft, held_out))
    before = remaining(sft.before, held_out).at(round(0.625 * sft.depth))
    yield "control: before training", mean(before)


@claim(
    "sft/learns-arithmetic",
    AtLeast(0.1),
    finding=cli.LEARNS_ARITHMETIC,
    binary=True,
    difference=True,
)
def test_fine_tuning_learns_arithmetic(sft, held_out):
    """Fine-tuning answers correctly, beyond the base.

    exact-match accuracy on held-out operands, after minus before.
    """
    after, before = sft.answers(held_out).correct, sft.before.answers(held_out).correct
    return mean(after - before), room_to_gain(sft.before, held_out, by=0.1)


@beside(test_fine_tuning_learns_arithmetic)
def _(sft, tenfold, held_out):
    before = sft.before.answers(held_out).correct
    yield "after", mean(sft.answers(held_out).correct)
    yield "before", mean(before)
    yield "gain at ten times the learning rate", mean(tenfold.answers(held_out).correct - before)
    for operation in Operation:
        own = only(held_out, operation)
        yield f"before, {operation}", mean(sft.before.answers(own).correct)
