"""GRPO: rewarding right answers makes a model compute better and leaves no classifier behind.

Source: writeup C, *NEW EXPERIMENT: GRPO Classifier Emergence*. Its probe and its clusters are of
statements, right and wrong ones; here each held-out problem is stated with its answer and with a
neighbour of it.
"""

import numpy as np

from lazarus_bench import (
    OPERATION_NAMES,
    SHARE,
    SHARE_DIFFERENCE,
    Above,
    AtMost,
    Within,
    all_of,
    beside,
    best_layer,
    claim,
    mean,
    trained,
)
from lazarus_bench.analysis.probe_prompts import stated
from lazarus_bench.session.controls import room_to_gain
from lazarus_bench.session.shown import training_curves
from lazarus_bench.training import Grpo

from .writeups import emergence_results as writeup

grpo = trained(Grpo())


@claim("grpo/no-lens", AtMost(0.01), finding=writeup.GRPO_NO_LENS, words=OPERATION_NAMES)
def test_grpo_induces_no_lens(grpo, held_out):
    """GRPO induces no vocabulary classifier.

    maximum over layers of the mean probability of the operation's name.
    """
    return best_layer(grpo.lens(held_out).gold_probability)


@beside(test_grpo_induces_no_lens)
def _(grpo, held_out, writeup_prompts):
    yield "the writeups' eight prompts", best_layer(grpo.lens(writeup_prompts).gold_probability)
    yield "control: before training", best_layer(grpo.before.lens(held_out).gold_probability)


def improved(fall, rise):
    """Both of the claim's conditions: the rank falls and the probability rises."""
    return all_of(
        {
            "fall of the mean rank": (fall, Above(0.0)),
            "rise of the mean probability": (rise, Above(0.0)),
        }
    )


@claim("grpo/improves-answers", Above(0.0), finding=writeup.improves_answers(improved))
def test_grpo_improves_answers(grpo, held_out):
    """GRPO computes better: the right answer's rank falls and its probability rises.

    the smaller of two changes of the right answer's first token on held-out operands, paired by
    prompt and seed: the fall of its mean rank and the rise of its mean probability.
    """
    after, before = grpo.likelihood(held_out), grpo.before.likelihood(held_out)
    better = improved(mean(before.rank - after.rank), mean(after.probability - before.probability))
    return better, room_to_gain(grpo.before, held_out, by=0.1)


@beside(test_grpo_improves_answers)
def _(grpo, held_out):
    after, before = grpo.likelihood(held_out), grpo.before.likelihood(held_out)
    fall = before.rank - after.rank
    yield "probability, after − before", mean(after.probability - before.probability)
    yield "probability before", mean(before.probability)
    yield "rank, before − after", mean(fall)
    yield "rank before", mean(before.rank)
    better = mean(np.sign(fall).within(SHARE_DIFFERENCE))
    yield "share of prompts whose rank falls minus share whose rank rises", better
    right = grpo.answers(held_out).correct - grpo.before.answers(held_out).correct
    yield "greedy accuracy, after − before", mean(right)
    yield training_curves("GRPO, answers", grpo, ("reward", "zero_advantage"), "fraction")
    yield training_curves("GRPO, drift", grpo, ("kl",))


def right_or_wrong(runs, problems):
    """Hits of probes for right against wrong statements, [seed, statement, layer]."""
    return runs.probe(stated(problems)).hits


@claim("grpo/probe-unchanged", Within(-0.05, 0.05), finding=writeup.GRPO_PROBE_UNCHANGED)
def test_grpo_leaves_the_probe_unchanged(grpo, held_out):
    """Nor does GRPO induce a linear classifier of right and wrong statements.

    held-out accuracy of probes for right against wrong statements, mean over layers, GRPO minus
    base, paired by prompt and seed.
    """
    after, before = right_or_wrong(grpo, held_out), right_or_wrong(grpo.before, held_out)
    return mean(after.mean("layers") - before.mean("layers"))


@beside(test_grpo_leaves_the_probe_unchanged)
def _(grpo, held_out):
    after, before = right_or_wrong(grpo, held_out), right_or_wrong(grpo.before, held_out)
    yield "at the classifier layer", mean(after.at("classifier") - before.at("classifier"))
    yield "accuracy after, mean over layers (chance 0.5)", mean(after.mean("layers"))
    yield "accuracy before, mean over layers", mean(before.mean("layers"))
    yield "accuracy after, best layer", best_layer(after)
    yield "accuracy before, best layer", best_layer(before)


def separation(runs, problems, centred=True):
    """Mean cosine within minus between right and wrong statements, [seed, layer]."""
    return runs.separation(stated(problems), centred)


@claim("grpo/no-clusters", AtMost(0.05), finding=writeup.GRPO_NO_CLUSTERS)
def test_right_and_wrong_do_not_cluster(grpo, held_out):
    """Hidden states do not separate right from wrong statements.

    mean cosine within minus between right and wrong statements, centred states of the classifier
    layer.
    """
    return mean(separation(grpo, held_out).at("classifier"))


@beside(test_right_and_wrong_do_not_cluster)
def _(grpo, held_out):
    plain = separation(grpo, held_out, centred=False).at("classifier")
    yield "states not centred, as in the writeup", mean(plain)
    yield "best layer instead", mean(separation(grpo, held_out).max("layers"))
    yield "silhouette", mean(grpo.silhouettes(stated(held_out)).at("classifier"))
    yield "control: before training", mean(separation(grpo.before, held_out).at("classifier"))
    permuted = grpo.separation_null(stated(held_out)).permuted.at("classifier")
    yield "control: permuted labels", mean(permuted.mean("permutations"))


def along_the_probe(runs, problems):
    """The writeup's classification words along the direction from wrong to right statements."""
    named = ("correct", "incorrect"), writeup.CLASSIFICATION_WORDS
    return runs.words_along_probe(stated(problems), runs.classifier_layer, *named)


def found(words):
    """Share of the words at an end of the direction."""
    return words.each(lambda along: along.hits / len(along.words)).within(SHARE)


def found_at_random(words):
    return words.each(lambda along: along.random_hits.mean() / len(along.words)).within(SHARE)


# The writeup's "none" of 14 words: a share below 0.05 is less than one of them.
@claim("grpo/no-words-in-probe", AtMost(0.05), finding=writeup.GRPO_NO_WORDS_IN_PROBE)
def test_no_words_in_the_probe_direction(grpo, held_out):
    """The probe direction names no classification word.

    share of the writeup's classification words with a token among the top or bottom 30 along the
    direction that separates right from wrong statements at the classifier layer, minus that of
    random directions.
    """
    words = along_the_probe(grpo, held_out)
    return mean(found(words) - found_at_random(words))


@beside(test_no_words_in_the_probe_direction)
def _(grpo, held_out):
    words = along_the_probe(grpo, held_out)
    yield "share of the words found", mean(found(words))
    yield "control: random directions", mean(found_at_random(words))
    yield "words that are single tokens here", mean(words.each(lambda along: len(along.words)))
