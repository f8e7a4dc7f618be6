"""The lens on models that were never trained to name the operation.

Source: writeups A (*Baseline*), B (*Layer-by-Layer Analysis*) and C (*Logit Lens Analysis*, *Base
Model Logit Lens Analysis*).
"""

import numpy as np

from lazarus_bench import (
    LAB_BOTH,
    OPERATION_NAMES,
    SHARE,
    SHARE_DIFFERENCE,
    AtLeast,
    AtMost,
    Differences,
    Hits,
    LayerMax,
    Means,
    NotApplicable,
    Within,
    claim,
)
from lazarus_bench.session.shown import lens_heatmap
from lazarus_bench.tasks.arithmetic import Operation
from lazarus_bench.training import Sft

from .writeups import classifier_emergence_cli, task_classifier_emergence
from .writeups import emergence_results as writeup


def hits(run, problems):
    return run.lens(problems).hits[:, run.classifier_layer]


def mass(run, problems):
    return run.lens(problems).gold_probability[:, run.classifier_layer]


def by_seed(runs, read, problems):
    return [read(run, problems) for run in runs]


@claim(
    "lens/base-no-hit",
    says="No base model names the operation at the classifier layer",
    estimand="share of prompts whose top lens token names the operation (exact)",
    region=AtMost(0.05),
    finding=writeup.BASE_NO_HIT,
    subjects=LAB_BOTH,
    binary=True,
    words=OPERATION_NAMES,
)
def test_base_names_no_operation(runs, held_out, writeup_prompts, judge):
    bases = runs()
    judge(Hits(values=by_seed(bases, hits, held_out)))
    restricted = [run.lens(held_out).restricted_hits[:, run.classifier_layer] for run in bases]
    judge.beside(
        {
            "the writeups' eight prompts": Hits(values=by_seed(bases, hits, writeup_prompts)),
            "restricted to the four names (chance 0.25)": Hits(values=restricted),
            "control: random weights": Hits(
                values=by_seed([run.randomised() for run in bases], hits, held_out)
            ),
        }
    )


@claim(
    "lens/base-no-mass",
    says="No base model puts more than about 0% on the operation's name at that layer",
    estimand="mean probability of the operation's name, classifier layer",
    region=AtMost(0.01),
    finding=writeup.BASE_NO_MASS,
    subjects=LAB_BOTH,
)
def test_base_puts_no_mass_on_the_operation(runs, held_out, writeup_prompts, judge):
    bases = runs()
    judge(Means(values=by_seed(bases, mass, held_out), bounds=SHARE))
    variants = [run.lens(held_out).gold_mass[:, run.classifier_layer] for run in bases]
    judge.beside(
        {
            "the writeups' eight prompts": Means(
                values=by_seed(bases, mass, writeup_prompts), bounds=SHARE
            ),
            "all spellings of the name": Means(values=variants, bounds=SHARE),
            "control: random weights": Means(
                values=by_seed([run.randomised() for run in bases], mass, held_out), bounds=SHARE
            ),
        }
    )


@claim(
    "lens/base-no-layer",
    says="No layer of a base model puts more than about 0% on the operation's name",
    estimand="maximum over layers of the mean probability of the operation's name",
    region=AtMost(0.01),
    finding=writeup.BASE_NO_LAYER,
    subjects=LAB_BOTH,
)
def test_no_layer_of_a_base_names_the_operation(runs, held_out, writeup_prompts, judge):
    bases = runs()
    judge(LayerMax(values=[run.lens(held_out).gold_probability for run in bases], bounds=SHARE))
    own = [run.lens(writeup_prompts).gold_probability for run in bases]
    random = [run.randomised().lens(held_out).gold_probability for run in bases]
    judge.beside(
        {
            "the writeups' eight prompts": LayerMax(values=own, bounds=SHARE),
            "control: random weights": LayerMax(values=random, bounds=SHARE),
        }
    )
    judge.show(lens_heatmap("Before training", bases, writeup_prompts, held_out))


@claim(
    "lens/substring-is-chance",
    says="A task word as a substring of a top-20 token hits no more often than chance",
    estimand="hit rate of the rule minus that of frequency-matched random vocabularies, by prompt",
    region=Within(-0.05, 0.05),
    finding=task_classifier_emergence.SUBSTRING_IS_CHANCE,
    subjects=LAB_BOTH,
)
def test_substring_rule_hits_by_chance(runs, held_out, judge):
    found = [run.substring(held_out) for run in runs()]
    judge(
        Differences(
            first=[hit.real for hit in found],
            second=[hit.random for hit in found],
            paired="prompts",
            bounds=SHARE_DIFFERENCE,
        )
    )
    judge.beside(
        {
            "the rule": Hits(values=[hit.real for hit in found]),
            "control: random vocabularies": Means(
                values=[hit.random for hit in found], bounds=SHARE
            ),
        }
    )


@claim(
    "lens/answer-crystallises-late",
    says="After fine-tuning the answer becomes confident only in the last layers",
    estimand="depth (layer / layers) of the first layer that gives the answer's first token at "
    "least 0.5, over prompts where the last layer does",
    region=AtLeast(0.75),
    finding=classifier_emergence_cli.ANSWER_CRYSTALLISES_LATE,
    needs=Sft(),
)
def test_answer_crystallises_late(runs, held_out, judge):
    trained = runs(Sft())
    depths = [crystallisation(run, held_out) for run in trained]
    if any(seed.size == 0 for seed in depths):
        raise NotApplicable("after SFT no prompt's answer reaches 0.5 at the last layer of a run")
    judge(Means(values=[[seed.mean()] for seed in depths], bounds=SHARE))
    share = [(run.lens(held_out).answer[:, -1] >= 0.5).astype(float) for run in trained]
    judge.beside({"share of prompts whose answer reaches 0.5": Hits(values=share)})


def crystallisation(run, problems):
    answer = run.lens(problems).answer
    confident = answer[answer[:, -1] >= 0.5] >= 0.5
    return np.argmax(confident, axis=1) / run.depth


@claim(
    "lens/gpt-oss-announces",
    says="GPT-OSS-20B names the operation at L13 of 24",
    estimand="mean probability of 'multiply' at L13, multiplication prompts",
    region=Within(0.5, 0.8),
    finding=task_classifier_emergence.GPT_OSS_ANNOUNCES,
)
def test_gpt_oss_announces_the_operation(runs, held_out, judge):
    bases = runs()
    if bases[0].loaded.config["model_type"] != "gpt_oss":
        raise NotApplicable("asks for GPT-OSS itself: add --lb-model openai/gpt-oss-20b")
    products = [p for p in held_out if p.operation is Operation.MULTIPLY]
    judge(Means(values=[run.lens(products).gold_probability[:, 13] for run in bases], bounds=SHARE))
