"""Engram: what a bottleneck keeps that is fed back as a prefix under two objectives.

Source: writeup E, *Key Results*, *Three Models* and *Why This Happens*.

Every row but one is asked of two data sets, for E's two say different things: one of two classes
(the lab's sentiment; SST-2 by `--lb-data`) and one of four (the lab's topics; AG News). Data sets
stay the same for every seed, so models are paired by example.

The controls are bottlenecks with the same wiring: trained under classification alone, untrained,
and trained on shuffled labels. *Alone* is what separates the writeup's explanation ("Gradients from
both the classification and language modeling heads") from the classifier's own gradient, as the
bottleneck reads the classifier's hidden layer in every case.

In the lab everything is trained from scratch at E's small scale (`lab:blank`), on few examples, for
with many every model is right about everything (`docs/search-engram.md`). What asks for a gain has
a control that model 1 left room for one; on sentiment, models 2 and 3 leave hardly any, so that
model 3 can show there that it does not harm, and little more.
"""

from lazarus_bench import (
    LAB_BLANK,
    SHARE,
    Above,
    AtLeast,
    all_of,
    beside,
    claim,
    difference,
    mean,
    trained,
)
from lazarus_bench.session.engrams import (
    EXAMPLES,
    SIGNED,
    SIGNED_DIFFERENCE,
    nothing_from_shuffled,
    room_for_accuracy,
    statistic,
    unshared,
)
from lazarus_bench.session.shown import engram_scatter, training_curves
from lazarus_bench.training.engram import LAB_SENTIMENT, LAB_TOPICS, engram_arms

from .writeups import dual_objective_engram as writeup


def models(arms):
    """Models 1, 2 and 3."""
    recipes = (arms.classifier, arms.dual_head, arms.dual_engram)
    return {f"model {at}": trained(recipe) for at, recipe in enumerate(recipes, 1)}


def bottlenecks(arms):
    """Model 3 and its controls."""
    return {
        "model 3": trained(arms.dual_engram),
        "classification alone": trained(arms.class_engram),
        "untrained": trained(arms.untrained),
        "shuffled labels": trained(arms.shuffled),
    }


TWO, FOUR = "two-class", "four-class"
two, four = engram_arms(LAB_SENTIMENT), engram_arms(LAB_TOPICS)
models_2, models_4 = models(two), models(four)
classifier_2, dual_2, engram_2 = models_2.values()
classifier_4, dual_4, engram_4 = models_4.values()
bottlenecks_2, bottlenecks_4 = bottlenecks(two), bottlenecks(four)
shuffled_2, shuffled_4 = trained(two.shuffled), trained(four.shuffled)
BEYOND_CHANCE = 0.1
LEAST_ROOM = 0.01


def correct(runs, fed="zero"):
    """Whether each evaluation example is classified rightly, [seed, example]."""
    return runs.engrams(fed).correct


def rand_index(runs):
    return runs.clusters().rand_index.within(SIGNED)


def agreement(value):
    """Adjusted Rand index of one training, or its difference between two."""
    return statistic(value, lambda draws: draws.rand_index)


def purity(runs, label):
    value = runs.clusters().purity[:, label].within(SHARE)
    return statistic(value, lambda draws: draws.purity[:, label])


def cluster_accuracy(runs):
    value = runs.clusters().hits.mean(1).within(SHARE)
    return statistic(value, lambda draws: draws.accuracy)


def cosine_gap(runs):
    value = runs.engram_cosines().gap.within(SIGNED_DIFFERENCE)
    return statistic(value, lambda draws: draws.gap)


def all_in(region, conditions):
    return all_of({name: (evidence, region) for name, evidence in conditions.items()})


def controls(shuffled, *models):
    """What must hold of every row: splits apart, and nothing learnt from shuffled labels."""
    return unshared(*models), nothing_from_shuffled(shuffled, BEYOND_CHANCE)


def controls_of(bottlenecks):
    """The controls of model 3, by name."""
    return {f"control: {name}": runs for name, runs in bottlenecks.items() if name != "model 3"}


def accuracies(models):
    return {name: mean(correct(runs)) for name, runs in models.items()}


def least_accuracy(models, shuffled):
    return all_in(AtLeast(0.9), accuracies(models)), *controls(shuffled, *models.values())


def beside_accuracy(models, bottlenecks):
    yield from accuracies(models).items()
    own = mean(correct(models["model 3"], fed="own"))
    yield "model 3, each example behind its own engram", own
    yield from accuracies(controls_of(bottlenecks)).items()
    for name, runs in models.items():
        parts = ["loss", "class"] + ([] if name == "model 1" else ["text"])
        yield training_curves(f"Engram, {name}", runs, parts)


@claim(
    "engram/cls-accuracy[two-class]",
    AtLeast(0.0),
    finding=writeup.CLS_ACCURACY[TWO],
    subjects=LAB_BLANK,
)
def test_the_classifiers_learn_two_classes(models_2, shuffled_2):
    """All three models learn to classify, two classes.

    least margin over 0.9 of the accuracies of models 1, 2 and 3, evaluation split.
    """
    return least_accuracy(models_2, shuffled_2)


@beside(test_the_classifiers_learn_two_classes)
def _(models_2, bottlenecks_2):
    yield from beside_accuracy(models_2, bottlenecks_2)


@claim(
    "engram/cls-accuracy[four-class]",
    AtLeast(0.0),
    finding=writeup.CLS_ACCURACY[FOUR],
    subjects=LAB_BLANK,
)
def test_the_classifiers_learn_four_classes(models_4, shuffled_4):
    """All three models learn to classify, four classes.

    least margin over 0.9 of the accuracies of models 1, 2 and 3, evaluation split.
    """
    return least_accuracy(models_4, shuffled_4)


@beside(test_the_classifiers_learn_four_classes)
def _(models_4, bottlenecks_4):
    yield from beside_accuracy(models_4, bottlenecks_4)


def beside_gain(after, before):
    yield "after", mean(correct(after))
    yield "before", mean(correct(before))
    seed_0 = mean(correct(after[:1]) - correct(before[:1]))
    yield "gain of seed 0 alone, paired by example", seed_0


@claim(
    "engram/dual-gain[two-class]", Above(0.0), finding=writeup.DUAL_GAIN[TWO], subjects=LAB_BLANK
)
def test_the_second_objective_helps_two_classes(dual_2, classifier_2, shuffled_2):
    """The language-model objective helps classification, two classes.

    accuracy of model 2 minus model 1, paired by example.
    """
    gain = mean(correct(dual_2) - correct(classifier_2))
    room = room_for_accuracy(classifier_2, LEAST_ROOM)
    return gain, *controls(shuffled_2, dual_2, classifier_2), room


@beside(test_the_second_objective_helps_two_classes)
def _(dual_2, classifier_2):
    yield from beside_gain(dual_2, classifier_2)


@claim(
    "engram/dual-gain[four-class]", Above(0.0), finding=writeup.DUAL_GAIN[FOUR], subjects=LAB_BLANK
)
def test_the_second_objective_helps_four_classes(dual_4, classifier_4, shuffled_4):
    """The language-model objective helps classification, four classes.

    accuracy of model 2 minus model 1, paired by example.
    """
    gain = mean(correct(dual_4) - correct(classifier_4))
    room = room_for_accuracy(classifier_4, LEAST_ROOM)
    return gain, *controls(shuffled_4, dual_4, classifier_4), room


@beside(test_the_second_objective_helps_four_classes)
def _(dual_4, classifier_4):
    yield from beside_gain(dual_4, classifier_4)


@claim("engram/gain-grows", Above(0.0), finding=writeup.GAIN_GROWS, subjects=LAB_BLANK)
def test_the_gain_grows_with_the_classes(
    classifier_2, dual_2, shuffled_2, classifier_4, dual_4, shuffled_4
):
    """It helps more with more classes.

    gain of model 2 over model 1, four classes minus two.
    """
    gain_2 = correct(dual_2) - correct(classifier_2)
    gain_4 = correct(dual_4) - correct(classifier_4)
    return (
        difference(gain_4, gain_2, paired="no", support=False),
        *controls(shuffled_2, dual_2, classifier_2),
        room_for_accuracy(classifier_2, LEAST_ROOM),
        *controls(shuffled_4, dual_4, classifier_4),
        room_for_accuracy(classifier_4, LEAST_ROOM),
    )


@beside(test_the_gain_grows_with_the_classes)
def _(classifier_2, dual_2, classifier_4, dual_4):
    yield f"gain, {TWO}", mean(correct(dual_2) - correct(classifier_2))
    yield f"gain, {FOUR}", mean(correct(dual_4) - correct(classifier_4))


@claim(
    "engram/engram-gain[two-class]",
    AtLeast(0.0),
    finding=writeup.ENGRAM_GAIN[TWO],
    subjects=LAB_BLANK,
)
def test_the_engram_helps_two_classes(engram_2, dual_2, shuffled_2):
    """The engram helps classification a little, two classes.

    accuracy of model 3 minus model 2, paired by example.
    """
    gain = mean(correct(engram_2) - correct(dual_2))
    return gain, *controls(shuffled_2, engram_2, dual_2)


@beside(test_the_engram_helps_two_classes)
def _(engram_2, dual_2):
    yield from beside_gain(engram_2, dual_2)


@claim(
    "engram/engram-gain[four-class]",
    AtLeast(0.0),
    finding=writeup.ENGRAM_GAIN[FOUR],
    subjects=LAB_BLANK,
)
def test_the_engram_helps_four_classes(engram_4, dual_4, shuffled_4):
    """The engram helps classification a little, four classes.

    accuracy of model 3 minus model 2, paired by example.
    """
    gain = mean(correct(engram_4) - correct(dual_4))
    return gain, *controls(shuffled_4, engram_4, dual_4)


@beside(test_the_engram_helps_four_classes)
def _(engram_4, dual_4):
    yield from beside_gain(engram_4, dual_4)


def beside_agreement(bottlenecks):
    model_3 = bottlenecks["model 3"]
    for name, runs in controls_of(bottlenecks).items():
        yield name, agreement(rand_index(runs))
    silhouette = model_3.engram_silhouettes().mean(1).within(SIGNED)
    yield "silhouette", mean(silhouette, items=EXAMPLES)
    if model_3[0].can_be_resampled:
        alone = agreement(rand_index(model_3[:1]))
        yield "seed 0 alone, k-means refitted in resamples", alone
    for name, runs in bottlenecks.items():
        yield engram_scatter(f"Engrams, {name}", runs[0])


@claim("engram/ari[two-class]", AtLeast(0.8), finding=writeup.ARI[TWO], subjects=LAB_BLANK)
def test_engrams_cluster_by_two_classes(engram_2, shuffled_2):
    """Engrams cluster by class, two classes.

    adjusted Rand index of k-means on the engrams of the evaluation split, model 3.
    """
    return agreement(rand_index(engram_2)), *controls(shuffled_2, engram_2)


@beside(test_engrams_cluster_by_two_classes)
def _(bottlenecks_2):
    yield from beside_agreement(bottlenecks_2)


@claim("engram/ari[four-class]", AtLeast(0.8), finding=writeup.ARI[FOUR], subjects=LAB_BLANK)
def test_engrams_cluster_by_four_classes(engram_4, shuffled_4):
    """Engrams cluster by class, four classes.

    adjusted Rand index of k-means on the engrams of the evaluation split, model 3.
    """
    return agreement(rand_index(engram_4)), *controls(shuffled_4, engram_4)


@beside(test_engrams_cluster_by_four_classes)
def _(bottlenecks_4):
    yield from beside_agreement(bottlenecks_4)


def clean(model_3):
    """Accuracy of the clusters, and how pure each of them is."""
    classes = enumerate(model_3[0].data.classes)
    purities = {f"purity, {name}": purity(model_3, label) for label, name in classes}
    return {"cluster accuracy": cluster_accuracy(model_3)} | purities


def beside_clean(bottlenecks):
    yield from clean(bottlenecks["model 3"]).items()
    for name, runs in controls_of(bottlenecks).items():
        yield name, cluster_accuracy(runs)


@claim(
    "engram/cluster-accuracy[two-class]",
    AtLeast(0.0),
    finding=writeup.CLUSTER_ACCURACY[TWO],
    subjects=LAB_BLANK,
)
def test_clusters_of_two_classes_are_clean(engram_2, shuffled_2):
    """... cleanly, two classes.

    least margin over 0.95 of the cluster accuracy (optimal assignment) and of each cluster's
    purity, evaluation split, model 3.
    """
    return all_in(AtLeast(0.95), clean(engram_2)), *controls(shuffled_2, engram_2)


@beside(test_clusters_of_two_classes_are_clean)
def _(bottlenecks_2):
    yield from beside_clean(bottlenecks_2)


@claim(
    "engram/cluster-accuracy[four-class]",
    AtLeast(0.0),
    finding=writeup.CLUSTER_ACCURACY[FOUR],
    subjects=LAB_BLANK,
)
def test_clusters_of_four_classes_are_clean(engram_4, shuffled_4):
    """... cleanly, four classes.

    least margin over 0.95 of the cluster accuracy (optimal assignment) and of each cluster's
    purity, evaluation split, model 3.
    """
    return all_in(AtLeast(0.95), clean(engram_4)), *controls(shuffled_4, engram_4)


@beside(test_clusters_of_four_classes_are_clean)
def _(bottlenecks_4):
    yield from beside_clean(bottlenecks_4)


def beside_cosines(bottlenecks):
    model_3 = bottlenecks["model 3"]
    cosines = model_3.engram_cosines()
    within = cosines.within.mean(1).within(SIGNED)
    yield "cosine within classes", mean(within, items=EXAMPLES)
    yield "cosine between classes", mean(cosines.between.within(SIGNED), items=EXAMPLES)
    centred = model_3.engram_cosines(True).gap.within(SIGNED_DIFFERENCE)
    yield "gap, engrams centred", mean(centred, items=EXAMPLES)
    for name, runs in controls_of(bottlenecks).items():
        yield name, cosine_gap(runs)


@claim(
    "engram/cosine-gap[two-class]", Above(0.0), finding=writeup.COSINE_GAP[TWO], subjects=LAB_BLANK
)
def test_engrams_of_two_classes_are_closer_within(engram_2, shuffled_2):
    """Engrams are closer within than between classes, two classes.

    mean cosine of pairs within a class (mean over classes) minus between classes, engrams as they
    are, evaluation split, model 3.
    """
    return cosine_gap(engram_2), *controls(shuffled_2, engram_2)


@beside(test_engrams_of_two_classes_are_closer_within)
def _(bottlenecks_2):
    yield from beside_cosines(bottlenecks_2)


@claim(
    "engram/cosine-gap[four-class]",
    Above(0.0),
    finding=writeup.COSINE_GAP[FOUR],
    subjects=LAB_BLANK,
)
def test_engrams_of_four_classes_are_closer_within(engram_4, shuffled_4):
    """Engrams are closer within than between classes, four classes.

    mean cosine of pairs within a class (mean over classes) minus between classes, engrams as they
    are, evaluation split, model 3.
    """
    return cosine_gap(engram_4), *controls(shuffled_4, engram_4)


@beside(test_engrams_of_four_classes_are_closer_within)
def _(bottlenecks_4):
    yield from beside_cosines(bottlenecks_4)


def over(bottlenecks):
    """Adjusted Rand index of model 3 minus that of each other bottleneck."""
    model_3, *others = bottlenecks.items()
    ours = rand_index(model_3[1])
    return {f"over {name}": agreement(ours - rand_index(runs)) for name, runs in others}


def caused(bottlenecks):
    found = over(bottlenecks)
    del found["over shuffled labels"]
    shuffled = bottlenecks["shuffled labels"]
    return all_in(Above(0.0), found), *controls(shuffled, *bottlenecks.values())


def beside_cause(bottlenecks):
    yield from over(bottlenecks).items()
    yield "model 3", agreement(rand_index(bottlenecks["model 3"]))
    for name, runs in controls_of(bottlenecks).items():
        yield name, agreement(rand_index(runs))


@claim(
    "engram/dual-causes-it[two-class]",
    Above(0.0),
    finding=writeup.DUAL_CAUSES_IT[TWO],
    subjects=LAB_BLANK,
)
def test_the_second_objective_organises_two_classes(bottlenecks_2):
    """The second objective is what organises the bottleneck, two classes.

    adjusted Rand index of model 3 minus that of the same bottleneck under classification alone, and
    minus that of an untrained one: the smaller difference.
    """
    return caused(bottlenecks_2)


@beside(test_the_second_objective_organises_two_classes)
def _(bottlenecks_2):
    yield from beside_cause(bottlenecks_2)


@claim(
    "engram/dual-causes-it[four-class]",
    Above(0.0),
    finding=writeup.DUAL_CAUSES_IT[FOUR],
    subjects=LAB_BLANK,
)
def test_the_second_objective_organises_four_classes(bottlenecks_4):
    """The second objective is what organises the bottleneck, four classes.

    adjusted Rand index of model 3 minus that of the same bottleneck under classification alone, and
    minus that of an untrained one: the smaller difference.
    """
    return caused(bottlenecks_4)


@beside(test_the_second_objective_organises_four_classes)
def _(bottlenecks_4):
    yield from beside_cause(bottlenecks_4)
