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
    AllOf,
    AtMost,
    Condition,
    Differences,
    HitDifferences,
    LayerMax,
    Means,
    Within,
    claim,
)
from lazarus_bench.analysis.probe_prompts import stated
from lazarus_bench.session.controls import overlap, room_to_gain
from lazarus_bench.session.shown import training_curves
from lazarus_bench.training import Grpo

from .writeups import emergence_results as writeup

GRPO = Grpo()


def before(trained):
    return [run.before for run in trained]


@claim(
    "grpo/no-lens",
    says="GRPO induces no vocabulary classifier",
    estimand="maximum over layers of the mean probability of the operation's name",
    region=AtMost(0.01),
    finding=writeup.GRPO_NO_LENS,
    needs=GRPO,
    words=OPERATION_NAMES,
)
def test_grpo_induces_no_lens(runs, held_out, writeup_prompts, judge):
    trained = runs(GRPO)
    read = {
        name: LayerMax(values=[run.lens(problems).gold_probability for run in chosen], bounds=SHARE)
        for name, chosen, problems in (
            ("judged", trained, held_out),
            ("the writeups' eight prompts", trained, writeup_prompts),
            ("control: before training", before(trained), held_out),
        )
    }
    judge(read.pop("judged"), controls=[overlap(trained, held_out)])
    judge.beside(read)


def improved(fall, rise):
    """Both of the claim's conditions: the rank falls and the probability rises."""
    return AllOf(
        conditions=[
            Condition(name="fall of the mean rank", evidence=fall, region=Above(0.0)),
            Condition(name="rise of the mean probability", evidence=rise, region=Above(0.0)),
        ]
    )


@claim(
    "grpo/improves-answers",
    says="GRPO computes better: the right answer's rank falls and its probability rises",
    estimand="the smaller of two changes of the right answer's first token on held-out operands, "
    "paired by prompt and seed: the fall of its mean rank and the rise of its mean probability",
    region=Above(0.0),
    finding=writeup.improves_answers(improved),
    needs=GRPO,
)
def test_grpo_improves_answers(runs, held_out, judge):
    trained = runs(GRPO)
    after, first = (
        [run.likelihood(held_out) for run in chosen] for chosen in (trained, before(trained))
    )
    ranks = [[likelihood.rank for likelihood in side] for side in (first, after)]
    chances = [[likelihood.probability for likelihood in side] for side in (after, first)]
    fall = Differences(first=ranks[0], second=ranks[1], paired="prompts")
    rise = Differences(
        first=chances[0], second=chances[1], paired="prompts", bounds=SHARE_DIFFERENCE
    )
    judge(
        improved(fall, rise),
        controls=[
            overlap(trained, held_out),
            room_to_gain(before(trained), held_out, by=0.1),
        ],
    )
    better = [np.sign(np.subtract(*pair)) for pair in zip(*ranks, strict=True)]
    right = [[run.answers(held_out).correct for run in side] for side in (trained, before(trained))]
    judge.beside(
        {
            "probability, after − before": rise,
            "probability before": Means(values=chances[1], bounds=SHARE),
            "rank, before − after": fall,
            "rank before": Means(values=ranks[0]),
            "share of prompts whose rank falls minus share whose rank rises": Means(
                values=better, bounds=SHARE_DIFFERENCE
            ),
            "greedy accuracy, after − before": HitDifferences(first=right[0], second=right[1]),
        }
    )
    judge.show(training_curves("GRPO, answers", trained, ("reward", "zero_advantage"), "fraction"))
    judge.show(training_curves("GRPO, drift", trained, ("kl",)))


@claim(
    "grpo/probe-unchanged",
    says="Nor does GRPO induce a linear classifier of right and wrong statements",
    estimand="held-out accuracy of probes for right against wrong statements, mean over layers, "
    "GRPO minus base, paired by prompt and seed",
    region=Within(-0.05, 0.05),
    finding=writeup.GRPO_PROBE_UNCHANGED,
    needs=GRPO,
)
def test_grpo_leaves_the_probe_unchanged(runs, held_out, judge):
    trained, statements = runs(GRPO), stated(held_out)
    after, first = (
        [run.probe(statements).hits for run in chosen] for chosen in (trained, before(trained))
    )
    over_layers = [[hits.mean(axis=1) for hits in side] for side in (after, first)]
    judge(
        Differences(
            first=over_layers[0], second=over_layers[1], paired="prompts", bounds=SHARE_DIFFERENCE
        ),
        controls=[overlap(trained, held_out)],
    )
    layer = trained[0].classifier_layer
    middle = [[hits[:, layer] for hits in side] for side in (after, first)]
    judge.beside(
        {
            "at the classifier layer": HitDifferences(first=middle[0], second=middle[1]),
            "accuracy after, mean over layers (chance 0.5)": Means(
                values=over_layers[0], bounds=SHARE
            ),
            "accuracy before, mean over layers": Means(values=over_layers[1], bounds=SHARE),
            "accuracy after, best layer": LayerMax(values=after, bounds=SHARE),
            "accuracy before, best layer": LayerMax(values=first, bounds=SHARE),
        }
    )


@claim(
    "grpo/no-clusters",
    says="Hidden states do not separate right from wrong statements",
    estimand="mean cosine within minus between right and wrong statements, centred states of the "
    "classifier layer",
    region=AtMost(0.05),
    finding=writeup.GRPO_NO_CLUSTERS,
    needs=GRPO,
)
def test_right_and_wrong_do_not_cluster(runs, held_out, judge):
    trained, statements = runs(GRPO), stated(held_out)
    layer = trained[0].classifier_layer
    after, first, plain = (
        [run.separation(statements, centred) for run in chosen]
        for chosen, centred in ((trained, True), (before(trained), True), (trained, False))
    )
    judge(Means(values=[[run[layer]] for run in after]), controls=[overlap(trained, held_out)])
    silhouettes = [run.silhouettes(statements)[:, layer] for run in trained]
    chance = [[run.separation_null(statements).permuted[:, layer].mean()] for run in trained]
    judge.beside(
        {
            "states not centred, as in the writeup": Means(values=[[run[layer]] for run in plain]),
            "best layer instead": Means(values=[[run.max()] for run in after]),
            "silhouette": Means(values=silhouettes),
            "control: before training": Means(values=[[run[layer]] for run in first]),
            "control: permuted labels": Means(values=chance),
        }
    )


@claim(
    "grpo/no-words-in-probe",
    says="The probe direction names no classification word",
    estimand="share of the writeup's classification words with a token among the top or bottom 30 "
    "along the direction that separates right from wrong statements at the classifier layer, minus "
    "that of random directions",
    # The writeup's "none" of 14 words: a share below 0.05 is less than one of them.
    region=AtMost(0.05),
    finding=writeup.GRPO_NO_WORDS_IN_PROBE,
    needs=GRPO,
)
def test_no_words_in_the_probe_direction(runs, held_out, judge):
    trained, statements = runs(GRPO), stated(held_out)
    found = [
        run.words_along_probe(
            statements, run.classifier_layer, ("correct", "incorrect"), writeup.CLASSIFICATION_WORDS
        )
        for run in trained
    ]
    shares = [[f.hits / len(f.words)] for f in found]
    chance = [[f.random_hits.mean() / len(f.words)] for f in found]
    judge(
        Differences(first=shares, second=chance, paired="prompts", bounds=SHARE_DIFFERENCE),
        controls=[overlap(trained, held_out)],
    )
    judge.beside(
        {
            "share of the words found": Means(values=shares, bounds=SHARE),
            "control: random directions": Means(values=chance, bounds=SHARE),
            "words that are single tokens here": Means(values=[[len(f.words)] for f in found]),
        }
    )
