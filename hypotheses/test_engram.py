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
    AllOf,
    AtLeast,
    Condition,
    Differences,
    HitDifferences,
    Hits,
    Means,
    claim,
)
from lazarus_bench.session.engrams import (
    SIGNED,
    SIGNED_DIFFERENCE,
    nothing_from_shuffled,
    room_for_accuracy,
    statistic,
    statistic_difference,
    unshared,
)
from lazarus_bench.session.shown import engram_scatter, training_curves
from lazarus_bench.training.engram import LAB_SENTIMENT, LAB_TOPICS, engram_arms

from .writeups import dual_objective_engram as writeup
from .writeups.dual_objective_engram import EXAMPLES

TWO, FOUR = "two-class", "four-class"
ARMS = {TWO: engram_arms(LAB_SENTIMENT), FOUR: engram_arms(LAB_TOPICS)}
CLASSIFIER = {role: arms.classifier for role, arms in ARMS.items()}
"""Model 1."""

DUAL = {role: arms.dual_head for role, arms in ARMS.items()}
"""Model 2."""

ENGRAM = {role: arms.dual_engram for role, arms in ARMS.items()}
"""Model 3."""

ALONE = {role: arms.class_engram for role, arms in ARMS.items()}
UNTRAINED = {role: arms.untrained for role, arms in ARMS.items()}
SHUFFLED = {role: arms.shuffled for role, arms in ARMS.items()}
BEYOND_CHANCE = 0.1
LEAST_ROOM = 0.01


def correct(runs):
    """Whether each evaluation example is classified rightly, [seed][example]."""
    return [run.engrams().correct for run in runs]


def accuracy(runs, fed="zero"):
    return Hits(values=[run.engrams(fed).correct for run in runs], items=EXAMPLES)


def gain(later, earlier):
    """Accuracy of `later` minus that of `earlier`, paired by example."""
    return HitDifferences(first=correct(later), second=correct(earlier), items=EXAMPLES)


def rand_index(runs):
    return statistic(
        runs, lambda run: run.clusters().rand_index, lambda draws: draws.rand_index, SIGNED
    )


def rand_index_over(runs, others):
    return statistic_difference(
        runs,
        others,
        lambda run: run.clusters().rand_index,
        lambda draws: draws.rand_index,
        SIGNED_DIFFERENCE,
    )


def purity(runs, label):
    return statistic(
        runs, lambda run: run.clusters().purity[label], lambda draws: draws.purity[:, label], SHARE
    )


def cluster_accuracy(runs):
    return statistic(
        runs, lambda run: run.clusters().hits.mean(), lambda draws: draws.accuracy, SHARE
    )


def cosine_gap(runs):
    return statistic(
        runs, lambda run: run.engram_cosines().gap, lambda draws: draws.gap, SIGNED_DIFFERENCE
    )


def each(runs, read, bounds):
    """One number a seed, for what is shown and not judged."""
    return Means(values=[[float(read(run))] for run in runs], items=EXAMPLES, bounds=bounds)


def all_of(conditions, region):
    return AllOf(
        conditions=[
            Condition(name=name, evidence=evidence, region=region)
            for name, evidence in conditions.items()
        ]
    )


def bottlenecks(runs, role):
    """Model 3 and its controls, by name."""
    return {
        "model 3": runs(ENGRAM[role]),
        "classification alone": runs(ALONE[role]),
        "untrained": runs(UNTRAINED[role]),
        "shuffled labels": runs(SHUFFLED[role]),
    }


def controls(runs, role, *trained):
    """What must hold of every row: splits apart, and nothing learnt from shuffled labels."""
    return [
        unshared([run for some in trained for run in some]),
        nothing_from_shuffled(runs(SHUFFLED[role]), BEYOND_CHANCE),
    ]


def judge_accuracy(runs, judge, role):
    models = [runs(specs[role]) for specs in (CLASSIFIER, DUAL, ENGRAM)]
    named = {f"model {at}": accuracy(model) for at, model in enumerate(models, 1)}
    judge(all_of(named, AtLeast(0.9)), controls=controls(runs, role, *models))
    found = bottlenecks(runs, role)
    behind_own = accuracy(found.pop("model 3"), fed="own")
    judge.beside(named | {"model 3, each example behind its own engram": behind_own})
    judge.beside({f"control: {name}": accuracy(others) for name, others in found.items()})
    for at, model in enumerate(models, 1):
        parts = ["loss", "class"] + (["text"] if at > 1 else [])
        judge.show(training_curves(f"Engram, model {at}", model, parts))


@claim(
    "engram/cls-accuracy[two-class]",
    says="All three models learn to classify, two classes",
    estimand="least margin over 0.9 of the accuracies of models 1, 2 and 3, evaluation split",
    region=AtLeast(0.0),
    finding=writeup.CLS_ACCURACY[TWO],
    subjects=LAB_BLANK,
    needs=tuple(specs[TWO] for specs in (CLASSIFIER, DUAL, ENGRAM, ALONE, UNTRAINED, SHUFFLED)),
)
def test_the_classifiers_learn_two_classes(runs, judge):
    judge_accuracy(runs, judge, TWO)


@claim(
    "engram/cls-accuracy[four-class]",
    says="All three models learn to classify, four classes",
    estimand="least margin over 0.9 of the accuracies of models 1, 2 and 3, evaluation split",
    region=AtLeast(0.0),
    finding=writeup.CLS_ACCURACY[FOUR],
    subjects=LAB_BLANK,
    needs=tuple(specs[FOUR] for specs in (CLASSIFIER, DUAL, ENGRAM, ALONE, UNTRAINED, SHUFFLED)),
)
def test_the_classifiers_learn_four_classes(runs, judge):
    judge_accuracy(runs, judge, FOUR)


def judge_gain(runs, judge, role, later, earlier, room=()):
    after, before = runs(later[role]), runs(earlier[role])
    judge(gain(after, before), controls=[*controls(runs, role, after, before), *room])
    judge.beside({"after": accuracy(after), "before": accuracy(before)})
    judge.beside({"gain of seed 0 alone, paired by example": gain(after[:1], before[:1])})


def judge_dual_gain(runs, judge, role):
    room = room_for_accuracy(runs(CLASSIFIER[role]), LEAST_ROOM)
    judge_gain(runs, judge, role, DUAL, CLASSIFIER, room=[room])


@claim(
    "engram/dual-gain[two-class]",
    says="The language-model objective helps classification, two classes",
    estimand="accuracy of model 2 minus model 1, paired by example",
    region=Above(0.0),
    finding=writeup.DUAL_GAIN[TWO],
    subjects=LAB_BLANK,
    needs=(CLASSIFIER[TWO], DUAL[TWO], SHUFFLED[TWO]),
)
def test_the_second_objective_helps_two_classes(runs, judge):
    judge_dual_gain(runs, judge, TWO)


@claim(
    "engram/dual-gain[four-class]",
    says="The language-model objective helps classification, four classes",
    estimand="accuracy of model 2 minus model 1, paired by example",
    region=Above(0.0),
    finding=writeup.DUAL_GAIN[FOUR],
    subjects=LAB_BLANK,
    needs=(CLASSIFIER[FOUR], DUAL[FOUR], SHUFFLED[FOUR]),
)
def test_the_second_objective_helps_four_classes(runs, judge):
    judge_dual_gain(runs, judge, FOUR)


def changes(later, earlier):
    """Right after minus right before, [seed][example]."""
    pairs = zip(correct(later), correct(earlier), strict=True)
    return [after.astype(float) - before for after, before in pairs]


@claim(
    "engram/gain-grows",
    says="It helps more with more classes",
    estimand="gain of model 2 over model 1, four classes minus two",
    region=Above(0.0),
    finding=writeup.GAIN_GROWS,
    subjects=LAB_BLANK,
    needs=tuple(specs[role] for role in ARMS for specs in (CLASSIFIER, DUAL, SHUFFLED)),
)
def test_the_gain_grows_with_the_classes(runs, judge):
    found = {role: (runs(DUAL[role]), runs(CLASSIFIER[role])) for role in ARMS}
    judge(
        Differences(
            first=changes(*found[FOUR]),
            second=changes(*found[TWO]),
            paired="no",
            items=EXAMPLES,
            support=False,
            bounds=(-2.0, 2.0),
        ),
        controls=[
            control
            for role in ARMS
            for control in (
                *controls(runs, role, *found[role]),
                room_for_accuracy(found[role][1], LEAST_ROOM),
            )
        ],
    )
    judge.beside({f"gain, {role}": gain(*found[role]) for role in ARMS})


@claim(
    "engram/engram-gain[two-class]",
    says="The engram helps classification a little, two classes",
    estimand="accuracy of model 3 minus model 2, paired by example",
    region=AtLeast(0.0),
    finding=writeup.ENGRAM_GAIN[TWO],
    subjects=LAB_BLANK,
    needs=(DUAL[TWO], ENGRAM[TWO], SHUFFLED[TWO]),
)
def test_the_engram_helps_two_classes(runs, judge):
    judge_gain(runs, judge, TWO, ENGRAM, DUAL)


@claim(
    "engram/engram-gain[four-class]",
    says="The engram helps classification a little, four classes",
    estimand="accuracy of model 3 minus model 2, paired by example",
    region=AtLeast(0.0),
    finding=writeup.ENGRAM_GAIN[FOUR],
    subjects=LAB_BLANK,
    needs=(DUAL[FOUR], ENGRAM[FOUR], SHUFFLED[FOUR]),
)
def test_the_engram_helps_four_classes(runs, judge):
    judge_gain(runs, judge, FOUR, ENGRAM, DUAL)


def judge_rand_index(runs, judge, role):
    found = bottlenecks(runs, role)
    trained = found.pop("model 3")
    judge(rand_index(trained), controls=controls(runs, role, trained))
    judge.beside({f"control: {name}": rand_index(others) for name, others in found.items()})
    judge.beside({"silhouette": each(trained, lambda run: run.engram_silhouettes().mean(), SIGNED)})
    if trained[0].can_be_resampled:
        judge.beside({"seed 0 alone, k-means refitted in resamples": rand_index(trained[:1])})
    for name, others in {"model 3": trained, **found}.items():
        judge.show(engram_scatter(f"Engrams, {name}", others[0]))


@claim(
    "engram/ari[two-class]",
    says="Engrams cluster by class, two classes",
    estimand="adjusted Rand index of k-means on the engrams of the evaluation split, model 3",
    region=AtLeast(0.8),
    finding=writeup.ARI[TWO],
    subjects=LAB_BLANK,
    needs=(ENGRAM[TWO], ALONE[TWO], UNTRAINED[TWO], SHUFFLED[TWO]),
)
def test_engrams_cluster_by_two_classes(runs, judge):
    judge_rand_index(runs, judge, TWO)


@claim(
    "engram/ari[four-class]",
    says="Engrams cluster by class, four classes",
    estimand="adjusted Rand index of k-means on the engrams of the evaluation split, model 3",
    region=AtLeast(0.8),
    finding=writeup.ARI[FOUR],
    subjects=LAB_BLANK,
    needs=(ENGRAM[FOUR], ALONE[FOUR], UNTRAINED[FOUR], SHUFFLED[FOUR]),
)
def test_engrams_cluster_by_four_classes(runs, judge):
    judge_rand_index(runs, judge, FOUR)


def judge_clusters(runs, judge, role):
    found = bottlenecks(runs, role)
    trained = found.pop("model 3")
    named = {"cluster accuracy": cluster_accuracy(trained)}
    named |= {
        f"purity, {name}": purity(trained, label)
        for label, name in enumerate(trained[0].data.classes)
    }
    judge(all_of(named, AtLeast(0.95)), controls=controls(runs, role, trained))
    judge.beside(named)
    judge.beside({f"control: {name}": cluster_accuracy(others) for name, others in found.items()})


@claim(
    "engram/cluster-accuracy[two-class]",
    says="... cleanly, two classes",
    estimand="least margin over 0.95 of the cluster accuracy (optimal assignment) and of each "
    "cluster's purity, evaluation split, model 3",
    region=AtLeast(0.0),
    finding=writeup.CLUSTER_ACCURACY[TWO],
    subjects=LAB_BLANK,
    needs=(ENGRAM[TWO], ALONE[TWO], UNTRAINED[TWO], SHUFFLED[TWO]),
)
def test_clusters_of_two_classes_are_clean(runs, judge):
    judge_clusters(runs, judge, TWO)


@claim(
    "engram/cluster-accuracy[four-class]",
    says="... cleanly, four classes",
    estimand="least margin over 0.95 of the cluster accuracy (optimal assignment) and of each "
    "cluster's purity, evaluation split, model 3",
    region=AtLeast(0.0),
    finding=writeup.CLUSTER_ACCURACY[FOUR],
    subjects=LAB_BLANK,
    needs=(ENGRAM[FOUR], ALONE[FOUR], UNTRAINED[FOUR], SHUFFLED[FOUR]),
)
def test_clusters_of_four_classes_are_clean(runs, judge):
    judge_clusters(runs, judge, FOUR)


def judge_cosines(runs, judge, role):
    found = bottlenecks(runs, role)
    trained = found.pop("model 3")
    judge(cosine_gap(trained), controls=controls(runs, role, trained))
    judge.beside(
        {
            "cosine within classes": each(
                trained, lambda run: run.engram_cosines().within.mean(), SIGNED
            ),
            "cosine between classes": each(
                trained, lambda run: run.engram_cosines().between, SIGNED
            ),
            "gap, engrams centred": each(
                trained, lambda run: run.engram_cosines(True).gap, SIGNED_DIFFERENCE
            ),
        }
    )
    judge.beside({f"control: {name}": cosine_gap(others) for name, others in found.items()})


@claim(
    "engram/cosine-gap[two-class]",
    says="Engrams are closer within than between classes, two classes",
    estimand="mean cosine of pairs within a class (mean over classes) minus between classes, "
    "engrams as they are, evaluation split, model 3",
    region=Above(0.0),
    finding=writeup.COSINE_GAP[TWO],
    subjects=LAB_BLANK,
    needs=(ENGRAM[TWO], ALONE[TWO], UNTRAINED[TWO], SHUFFLED[TWO]),
)
def test_engrams_of_two_classes_are_closer_within(runs, judge):
    judge_cosines(runs, judge, TWO)


@claim(
    "engram/cosine-gap[four-class]",
    says="Engrams are closer within than between classes, four classes",
    estimand="mean cosine of pairs within a class (mean over classes) minus between classes, "
    "engrams as they are, evaluation split, model 3",
    region=Above(0.0),
    finding=writeup.COSINE_GAP[FOUR],
    subjects=LAB_BLANK,
    needs=(ENGRAM[FOUR], ALONE[FOUR], UNTRAINED[FOUR], SHUFFLED[FOUR]),
)
def test_engrams_of_four_classes_are_closer_within(runs, judge):
    judge_cosines(runs, judge, FOUR)


def judge_cause(runs, judge, role):
    found = bottlenecks(runs, role)
    trained = found.pop("model 3")
    over = {f"over {name}": rand_index_over(trained, others) for name, others in found.items()}
    shuffled = over.pop("over shuffled labels")
    judge(all_of(over, Above(0.0)), controls=controls(runs, role, trained, *found.values()))
    judge.beside(over | {"over shuffled labels": shuffled, "model 3": rand_index(trained)})
    judge.beside({f"control: {name}": rand_index(others) for name, others in found.items()})


@claim(
    "engram/dual-causes-it[two-class]",
    says="The second objective is what organises the bottleneck, two classes",
    estimand="adjusted Rand index of model 3 minus that of the same bottleneck under "
    "classification alone, and minus that of an untrained one: the smaller difference",
    region=Above(0.0),
    finding=writeup.DUAL_CAUSES_IT[TWO],
    subjects=LAB_BLANK,
    needs=(ENGRAM[TWO], ALONE[TWO], UNTRAINED[TWO], SHUFFLED[TWO]),
)
def test_the_second_objective_organises_two_classes(runs, judge):
    judge_cause(runs, judge, TWO)


@claim(
    "engram/dual-causes-it[four-class]",
    says="The second objective is what organises the bottleneck, four classes",
    estimand="adjusted Rand index of model 3 minus that of the same bottleneck under "
    "classification alone, and minus that of an untrained one: the smaller difference",
    region=Above(0.0),
    finding=writeup.DUAL_CAUSES_IT[FOUR],
    subjects=LAB_BLANK,
    needs=(ENGRAM[FOUR], ALONE[FOUR], UNTRAINED[FOUR], SHUFFLED[FOUR]),
)
def test_the_second_objective_organises_four_classes(runs, judge):
    judge_cause(runs, judge, FOUR)
