"""The gates of a mixture of experts against the vocabulary, and where tokens go.

Source: writeup C, *Results: GPT-OSS 20B Router Vocabulary Mapping*.

A cosine says nothing without its chance value: the largest of V cosines in d dimensions is below
√(2 ln V / d): 0.08 for GPT-OSS-20B and 0.33 for the lab, whatever the gates have learned.
So random rows on the same vocabulary stand beside every number here. Within one checkpoint the
experts of a layer are one unit, since they were trained on the same states: on a single base of the
lab these numbers rest on eight layers, however many experts they count.

Expert numbers have no order that layers share, so within one checkpoint `router/context` judges how
its experts happen to be numbered; only over seeds does the number say how layers choose.
"""

import numpy as np

from lazarus_bench import (
    LAB_MIXTURES,
    AtLeast,
    AtMost,
    Exact,
    Within,
    beside,
    claim,
    difference,
    mean,
)

from .writeups import emergence_results as writeup
from .writeups.emergence_results.router import CLASSIFICATION_WORDS

WRITEUPS_TOKEN, WRITEUPS_PROMPT = "127", "127 * 89 = "


def gates(runs):
    return runs.router_projection()


def random_rows(runs):
    """As many random rows on the same vocabulary, drawn for each seed."""
    return runs.each(lambda run: run.random_projection(seed=run.seed))


def scores(rows):
    return mean(rows.scores, clusters=rows[0].layer.tolist())


def largest(rows):
    return mean(rows.scores.max("experts"))


def named(runs, rows):
    """Whether a classification word is on top, [seed, expert]."""
    return runs.experts_naming(CLASSIFICATION_WORDS, rows)


def by_layer(rows, values):
    return rows.by_layer(values).within(values.bounds)


@claim("router/weak", AtMost(0.2), finding=writeup.ROUTER_WEAK, subjects=LAB_MIXTURES)
def test_projection_scores_are_weak(base):
    """No gate points at a token: projection scores are weak.

    largest cosine over the vocabulary of a gate row with an unembedding row, mean over experts.
    """
    return scores(gates(base))


@beside(test_projection_scores_are_weak)
def _(base):
    independent, note = base[0].router_chance(), "extreme-value null"
    yield "control: random rows", scores(random_rows(base))
    average = Exact(value=independent.mean(), note=note)
    yield "control: random rows on as many independent rows", average
    yield "... 95th percentile", Exact(value=independent.quantile(0.95), note=note)
    yield "the best expert", largest(gates(base))
    yield "control: the best of as many random rows", largest(random_rows(base))


@claim(
    "router/all-general", AtMost(0.05), finding=writeup.ROUTER_ALL_GENERAL, subjects=LAB_MIXTURES
)
def test_every_expert_is_general(base):
    """Every expert is GENERAL: its top tokens have no class in common.

    share of experts of whose top 20 tokens at least half are of one declared class.
    """
    return mean(gates(base).semantic)


@beside(test_every_expert_is_general)
def _(base):
    yield "control: random rows", mean(random_rows(base).semantic)


# An excess of exactly 0 has no interval inside "at most 0"; 0.05 is what the family's other share
# calls none.
@claim(
    "router/no-class-words",
    AtMost(0.05),
    finding=writeup.ROUTER_NO_CLASS_WORDS,
    subjects=LAB_MIXTURES,
)
def test_no_expert_has_a_classification_word_on_top(base):
    """No more experts than random rows have a classification word on top.

    share of experts with a classification word among their top 20 tokens, minus that of random
    rows.
    """
    found, at_random = (
        by_layer(rows, named(base, rows)) for rows in (gates(base), random_rows(base))
    )
    return difference(found, at_random, paired="prompts", items="layers")


@beside(test_no_expert_has_a_classification_word_on_top)
def _(base):
    yield "share of experts", mean(named(base, gates(base)))
    yield "control: random rows", mean(named(base, random_rows(base)))


@claim("router/context", AtLeast(0.0), finding=writeup.ROUTER_CONTEXT, subjects=LAB_MIXTURES)
def test_a_token_goes_to_different_experts_in_different_layers(base, held_out):
    """The same token goes to different experts in different layers, as if each layer chose by
    itself.

    different expert numbers of a token over all layers, minus those of layers that choose
    independently by their load; mean over a prompt's tokens.
    """
    return mean(base.routing(held_out).excess)


@beside(test_a_token_goes_to_different_experts_in_different_layers)
def _(base, held_out):
    routing = base.routing(held_out)
    distinct = routing.each(lambda found: np.array([t.distinct.mean() for t in found.traces]))
    pieces = mean(base.token_experts(WRITEUPS_PROMPT, WRITEUPS_TOKEN))
    yield "first experts alone", mean(routing.excess_first)
    yield "different expert numbers of a token", mean(distinct)
    yield "of independent layers", mean(routing.expected_distinct)
    yield "of layers whose experts are numbered at random", mean(routing.renumbered_distinct)
    yield f"token {WRITEUPS_TOKEN} of {WRITEUPS_PROMPT!r}, mean over its pieces", pieces


@claim(
    "router/like-random",
    Within(-0.02, 0.02),
    finding=writeup.ROUTER_LIKE_RANDOM,
    subjects=LAB_MIXTURES,
)
def test_scores_equal_those_of_random_directions(base):
    """The scores equal those of random directions.

    mean top score of gates minus that of as many random unit rows.
    """
    found, at_random = (rows.by_layer(rows.scores) for rows in (gates(base), random_rows(base)))
    return difference(found, at_random, paired="prompts", items="layers", support=False)


@beside(test_scores_equal_those_of_random_directions)
def _(base):
    yield "gates", scores(gates(base))
    yield "random rows", scores(random_rows(base))
    yield "control: the gates of random weights", scores(gates(base.randomised()))
