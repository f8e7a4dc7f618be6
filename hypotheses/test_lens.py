"""The lens on models that were never trained to name the operation.

Source: writeups A (*Baseline*), B (*Layer-by-Layer Analysis*) and C (*Logit Lens Analysis*, *Base
Model Logit Lens Analysis*).
"""

import numpy as np

from lazarus_bench import (
    LAB_BOTH,
    OPERATION_NAMES,
    SHARE,
    AtLeast,
    AtMost,
    NotApplicable,
    Within,
    beside,
    best_layer,
    claim,
    mean,
    trained,
)
from lazarus_bench.session.shown import lens_heatmap
from lazarus_bench.tasks.arithmetic import Operation
from lazarus_bench.training import Sft

from .writeups import classifier_emergence_cli, task_classifier_emergence
from .writeups import emergence_results as writeup

sft = trained(Sft())


def lens(runs, problems):
    return runs.lens(problems).at("classifier")


def gold(runs, problems):
    """Probability of the operation's name, [seed, prompt, layer]."""
    return runs.lens(problems).gold_probability


@claim(
    "lens/base-no-hit",
    AtMost(0.05),
    finding=writeup.BASE_NO_HIT,
    subjects=LAB_BOTH,
    binary=True,
    words=OPERATION_NAMES,
)
def test_base_names_no_operation(base, held_out):
    """No base model names the operation at the classifier layer.

    share of prompts whose top lens token names the operation (exact).
    """
    return mean(lens(base, held_out).hits)


@beside(test_base_names_no_operation)
def _(base, held_out, writeup_prompts):
    restricted = lens(base, held_out).restricted_hits
    yield "the writeups' eight prompts", mean(lens(base, writeup_prompts).hits)
    yield "restricted to the four names (chance 0.25)", mean(restricted)
    yield "control: random weights", mean(lens(base.randomised(), held_out).hits)


@claim("lens/base-no-mass", AtMost(0.01), finding=writeup.BASE_NO_MASS, subjects=LAB_BOTH)
def test_base_puts_no_mass_on_the_operation(base, held_out):
    """No base model puts more than about 0% on the operation's name at that layer.

    mean probability of the operation's name, classifier layer.
    """
    return mean(lens(base, held_out).gold_probability)


@beside(test_base_puts_no_mass_on_the_operation)
def _(base, held_out, writeup_prompts):
    yield "the writeups' eight prompts", mean(lens(base, writeup_prompts).gold_probability)
    yield "all spellings of the name", mean(lens(base, held_out).gold_mass)
    yield "control: random weights", mean(lens(base.randomised(), held_out).gold_probability)


@claim("lens/base-no-layer", AtMost(0.01), finding=writeup.BASE_NO_LAYER, subjects=LAB_BOTH)
def test_no_layer_of_a_base_names_the_operation(base, held_out):
    """No layer of a base model puts more than about 0% on the operation's name.

    maximum over layers of the mean probability of the operation's name.
    """
    return best_layer(gold(base, held_out))


@beside(test_no_layer_of_a_base_names_the_operation)
def _(base, held_out, writeup_prompts):
    yield "the writeups' eight prompts", best_layer(gold(base, writeup_prompts))
    yield "control: random weights", best_layer(gold(base.randomised(), held_out))
    yield lens_heatmap("Before training", base, writeup_prompts, held_out)


@claim(
    "lens/substring-is-chance",
    Within(-0.05, 0.05),
    finding=task_classifier_emergence.SUBSTRING_IS_CHANCE,
    subjects=LAB_BOTH,
)
def test_substring_rule_hits_by_chance(base, held_out):
    """A task word as a substring of a top-20 token hits no more often than chance.

    hit rate of the rule minus that of frequency-matched random vocabularies, by prompt.
    """
    rule = base.substring(held_out)
    return mean(rule.real - rule.random)


@beside(test_substring_rule_hits_by_chance)
def _(base, held_out):
    rule = base.substring(held_out)
    yield "the rule", mean(rule.real > 0)
    yield "control: random vocabularies", mean(rule.random)


@claim(
    "lens/answer-crystallises-late",
    AtLeast(0.75),
    finding=classifier_emergence_cli.ANSWER_CRYSTALLISES_LATE,
)
def test_answer_crystallises_late(sft, held_out):
    """After fine-tuning the answer becomes confident only in the last layers.

    depth (layer / layers) of the first layer that gives the answer's first token at least 0.5, over
    prompts where the last layer does.
    """
    return mean(sft.each(crystallisation, held_out).within(SHARE))


def crystallisation(run, problems):
    answer = run.lens(problems).answer
    confident = answer[answer[:, -1] >= 0.5] >= 0.5
    if not len(confident):
        raise NotApplicable("after SFT no prompt's answer reaches 0.5 at the last layer of a run")
    return (np.argmax(confident, axis=1) / run.depth).mean()


@beside(test_answer_crystallises_late)
def _(sft, held_out):
    answer = sft.lens(held_out).answer
    yield "share of prompts whose answer reaches 0.5", mean(answer[:, :, -1] >= 0.5)


@claim(
    "lens/gpt-oss-announces", Within(0.5, 0.8), finding=task_classifier_emergence.GPT_OSS_ANNOUNCES
)
def test_gpt_oss_announces_the_operation(base, held_out):
    """GPT-OSS-20B names the operation at L13 of 24.

    mean probability of 'multiply' at L13, multiplication prompts.
    """
    if base[0].loaded.config["model_type"] != "gpt_oss":
        raise NotApplicable("asks for GPT-OSS itself: add --lb-model openai/gpt-oss-20b")
    products = tuple(p for p in held_out if p.operation is Operation.MULTIPLY)
    return mean(gold(base, products).at(13))
