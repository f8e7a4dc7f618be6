"""GRPO and the classification loss together on the full model: does every prompt get one operation?

Source: writeup C, *EXPERIMENT: GRPO + Dual-Reward* and *Mode Collapse Fix Attempts*. Its loss names
one operation token, and its first fix gives "each sample its own operation target (not a shared
target)": so the recipe before any fix has one target for a whole batch. The other reading, a
target for each prompt, is shown beside it. The fixes after the first are read as added to it ("no
diversity, pure cross-entropy" takes the second one back and nothing else); what they do to a shared
target was tried on a development seed (`docs/search-grpo.md`).
"""

from dataclasses import replace

import numpy as np

from lazarus_bench import (
    OPERATION_NAMES,
    SHARE,
    SHARE_DIFFERENCE,
    Above,
    AllOf,
    AtLeast,
    AtMost,
    ClassEntropy,
    Condition,
    Control,
    Differences,
    Exact,
    HitDifferences,
    Hits,
    Means,
    Ratios,
    Stages,
    claim,
)
from lazarus_bench.session.controls import overlap, room_to_lose
from lazarus_bench.session.shown import lens_table, training_curves
from lazarus_bench.tasks.arithmetic import Operation
from lazarus_bench.training import DualReward, Fuse, Grpo, GrpoDual

from .writeups import emergence_results as writeup

SHARED = GrpoDual(answers=4, shared_target=True)
"""The writeup's own recipe: one target a batch."""

OWN = replace(SHARED, shared_target=False)
BALANCED = replace(OWN, balanced=True)
ENTROPY = replace(BALANCED, entropy=0.5)
LOW_RATE = replace(BALANCED, learning_rate=6e-5, kl=0.001, iterations=50)
"""A fifth of the rate, as 2e-6 is of the writeup's 1e-5, and 50 iterations as there."""

CLASS_WEIGHT = replace(BALANCED, weight=0.9, kl=0.0)
SIZES = {"prompts": SHARED.prompts, "answers": SHARED.answers, "iterations": SHARED.iterations}
ALONE = Grpo(**SIZES)
VO = DualReward(targets="vo", weight=0.4, steps=500)
GRPO = Grpo()
STAGED = Stages(recipes=(VO, Fuse(), GRPO))

CLASSES = len(Operation)
COLLAPSE = (
    "the smaller of 0.3 minus the normalised entropy of the operations named at the classifier "
    "layer (the most probable of the four names), and the largest share minus 0.8"
)


def predicted(run, problems):
    """Index of the operation named at the classifier layer, one a prompt."""
    return run.lens(problems).predicted[:, run.classifier_layer]


def hits(run, problems):
    return run.lens(problems).hits[:, run.classifier_layer]


def collapsed(predictions, classes=CLASSES):
    """Both of the claims' conditions: little entropy, and one operation nearly everywhere."""
    spread = ClassEntropy(predictions=predictions, classes=classes)
    return AllOf(
        conditions=[
            Condition(name="normalised entropy", evidence=spread, region=AtMost(0.3)),
            Condition(name="majority share", evidence=spread.majority, region=AtLeast(0.8)),
        ]
    )


def rewarded(run):
    """Which answers sampled in the last fifth of the iterations were rewarded, in any order."""
    steps, sampled = run.steps[-len(run.steps) // 5 :], SHARED.prompts * SHARED.answers
    right = round(sum(step.parts["reward"] for step in steps) * sampled)
    return np.arange(sampled * len(steps)) < right


def late(run, part):
    """Mean of a logged part over the last fifth of the iterations."""
    steps = run.steps[-len(run.steps) // 5 :]
    return [float(np.mean([step.parts[part] for step in steps]))]


def measures(trained, problems):
    """What belongs beside a collapse: both of its sides, the correlation, the whole vocabulary."""
    predictions = [predicted(run, problems) for run in trained]
    spread = ClassEntropy(predictions=predictions, classes=CLASSES)
    tops = [run.lens(problems).top[:, run.classifier_layer, 0] for run in trained]
    whole = ClassEntropy(predictions=tops, classes=1 + max(int(seed.max()) for seed in tops))
    matthews = [[run.collapse(problems).matthews] for run in trained]
    return {
        "normalised entropy": spread,
        "majority share": spread.majority,
        "Matthews correlation with the right operation": Means(values=matthews, bounds=(-1, 1)),
        "share of the most frequent top token, whole vocabulary": whole.majority,
        "top token names the right operation": Hits(
            values=[hits(run, problems) for run in trained]
        ),
    }


def constant(trained, problems):
    """What a predictor that always names one operation gets."""
    found = trained[0].constant_predictor(problems)
    return {
        "control: a constant predictor's entropy": Exact(value=found.entropy),
        "control: ... majority share": Exact(value=found.majority),
        "control: ... Matthews correlation": Exact(value=found.matthews),
    }


def varied(bases, problems):
    """The bases name several operations: who names one already cannot collapse."""
    spread = ClassEntropy(predictions=[predicted(run, problems) for run in bases], classes=CLASSES)
    return Control(
        name="normalised entropy of the operations that the bases name",
        value=spread.point,
        expectation="above 0.3, so that there is something to collapse",
        passed=spread.point > 0.3,
    )


def judge_collapse(judge, trained, held_out, others=None):
    """Judge one arm; `others` are readings of the writeup that were not taken, by name."""
    bases = [run.before for run in trained]
    judge(
        collapsed([predicted(run, held_out) for run in trained]),
        controls=[overlap(trained, held_out), varied(bases, held_out)],
    )
    judge.beside(measures(trained, held_out))
    judge.beside(constant(trained, held_out))
    others = (others or {}) | {"control: before training": bases}
    judge.beside(
        {
            name: collapsed([predicted(run, held_out) for run in runs])
            for name, runs in others.items()
        }
    )


@claim(
    "grpo-dual/collapses",
    says="GRPO with the classification loss gives every prompt the same operation",
    estimand=COLLAPSE,
    region=AtLeast(0.0),
    finding=writeup.collapses(collapsed),
    needs=(SHARED, OWN),
    words=OPERATION_NAMES,
)
def test_every_prompt_gets_the_same_operation(runs, held_out, writeup_prompts, judge):
    trained = runs(SHARED)
    judge_collapse(judge, trained, held_out, {"a target for each prompt instead": runs(OWN)})
    judge.show(lens_table("GRPO + dual reward, seed 0", trained[0], writeup_prompts))


@claim(
    "grpo-dual/still-collapses[balanced]",
    says="Balanced batches with a target for each prompt do not prevent the collapse",
    estimand=COLLAPSE,
    region=AtLeast(0.0),
    finding=writeup.STILL_COLLAPSES_BALANCED,
    needs=(BALANCED, OWN),
    words=OPERATION_NAMES,
)
def test_balanced_batches_still_collapse(runs, held_out, judge):
    others = {"a target for each prompt, batches as they come": runs(OWN)}
    judge_collapse(judge, runs(BALANCED), held_out, others)


@claim(
    "grpo-dual/still-collapses[entropy]",
    says="An entropy bonus of 0.5 does not prevent the collapse",
    estimand=COLLAPSE,
    region=AtLeast(0.0),
    finding=writeup.STILL_COLLAPSES_ENTROPY,
    needs=ENTROPY,
    words=OPERATION_NAMES,
)
def test_an_entropy_bonus_still_collapses(runs, held_out, judge):
    judge_collapse(judge, runs(ENTROPY), held_out)


@claim(
    "grpo-dual/still-collapses[low-rate]",
    says="A fifth of the learning rate with little KL penalty does not prevent the collapse",
    estimand=COLLAPSE,
    region=AtLeast(0.0),
    finding=writeup.STILL_COLLAPSES_LOW_RATE,
    needs=LOW_RATE,
    words=OPERATION_NAMES,
)
def test_a_low_learning_rate_still_collapses(runs, held_out, judge):
    judge_collapse(judge, runs(LOW_RATE), held_out)


@claim(
    "grpo-dual/still-collapses[class-weight]",
    says="A classification weight of 0.9 without KL penalty does not prevent the collapse",
    estimand=COLLAPSE,
    region=AtLeast(0.0),
    finding=writeup.STILL_COLLAPSES_CLASS_WEIGHT,
    needs=CLASS_WEIGHT,
    words=OPERATION_NAMES,
)
def test_a_high_class_weight_still_collapses(runs, held_out, judge):
    judge_collapse(judge, runs(CLASS_WEIGHT), held_out)


@claim(
    "grpo-dual/reward-dies",
    says="The reward falls to 0",
    estimand="mean reward of the sampled answers, last fifth of the iterations",
    region=AtMost(0.05),
    finding=writeup.REWARD_DIES,
    needs=(SHARED, OWN, BALANCED, ENTROPY, LOW_RATE, CLASS_WEIGHT, ALONE),
    words=OPERATION_NAMES,
)
def test_the_reward_dies(runs, held_out, judge):
    trained = runs(SHARED)
    # Counted, not averaged: a reward of 0 on every seed has an exact interval, and no t interval.
    judge(
        Hits(values=[rewarded(run) for run in trained], items="answers"),
        controls=[room_to_lose([run.before for run in trained], held_out, by=0.1)],
    )
    first = [[run.steps[0].parts["reward"]] for run in trained]
    judge.beside({"reward of the first iteration": Means(values=first, bounds=SHARE)})
    arms = {
        "control: GRPO alone": ALONE,
        "a target for each prompt instead": OWN,
        "balanced": BALANCED,
        "entropy": ENTROPY,
        "low rate": LOW_RATE,
        "class weight": CLASS_WEIGHT,
    }
    judge.beside(
        {
            name: Means(values=[late(r, "reward") for r in runs(arm)], bounds=SHARE)
            for name, arm in arms.items()
        }
    )
    judge.show(training_curves("GRPO + dual reward, answers", trained, ("reward",), "fraction"))
    judge.show(training_curves("GRPO alone, answers", runs(ALONE), ("reward",), "fraction"))


@claim(
    "grpo-dual/loss-falls",
    says="The classification loss still falls",
    estimand="classification loss, last ten iterations over the first iteration",
    region=AtMost(0.5),
    finding=writeup.GRPO_DUAL_LOSS_FALLS,
    needs=(SHARED, OWN),
    words=OPERATION_NAMES,
)
def test_classification_loss_still_falls(runs, judge):
    judge(fall([run.metrics for run in runs(SHARED)]))
    own = fall([run.metrics for run in runs(OWN)])
    judge.beside({"a target for each prompt instead": own})
    judge.show(training_curves("GRPO + dual reward, losses", runs(SHARED), ("class", "kl")))


def fall(logs):
    """Classification loss of the last ten steps over that of the first."""
    return Ratios(
        numerator=[log[-1].parts["class"] for log in logs],
        denominator=[log[0].parts["class"] for log in logs],
    )


@claim(
    "grpo-dual/drifts",
    says="The policy drifts further from the reference than under GRPO alone",
    estimand="k3 divergence from the base in nats a token, last fifth of the iterations, GRPO + "
    "dual reward minus GRPO alone with the same sizes, rate and penalty, paired by seed",
    region=Above(0.0),
    finding=writeup.DRIFTS,
    needs=(SHARED, OWN, ALONE),
    words=OPERATION_NAMES,
)
def test_the_policy_drifts(runs, judge):
    dual, own, only = ([late(r, "kl") for r in runs(arm)] for arm in (SHARED, OWN, ALONE))
    judge(Differences(first=dual, second=only, paired="prompts"))
    judge.beside(
        {
            "GRPO + dual reward": Means(values=dual),
            "GRPO alone": Means(values=only),
            "a target for each prompt instead": Differences(
                first=own, second=only, paired="prompts"
            ),
        }
    )


@claim(
    "grpo-dual/vo-superior",
    says="Dual reward on V/O alone names the operation better",
    estimand="share of prompts whose top lens token names the operation, V/O dual reward minus "
    "GRPO + dual reward, paired by seed",
    region=Above(0.0),
    finding=writeup.VO_SUPERIOR,
    needs=(VO, SHARED, BALANCED),
    binary=True,
    words=OPERATION_NAMES,
    difference=True,
)
def test_vo_names_the_operation_better(runs, held_out, judge):
    light, both, fixed = runs(VO), runs(SHARED), runs(BALANCED)
    named = [hits(run, held_out) for run in light]
    judge(
        HitDifferences(first=named, second=[hits(run, held_out) for run in both]),
        controls=[overlap([*light, *both], held_out)],
    )
    balanced = HitDifferences(first=named, second=[hits(run, held_out) for run in fixed])
    judge.beside(
        {
            "V/O dual reward": Hits(values=named),
            "minus GRPO + dual reward with balanced batches": balanced,
        }
    )


@claim(
    "grpo-dual/staged-works",
    says="Dual reward on V/O first and GRPO on the fused model then keeps both",
    estimand="the smaller of the rate at which the top lens token names the operation minus 0.9, "
    "and the reward of the last fifth of the iterations, staged minus GRPO alone, plus 0.03",
    region=AtLeast(0.0),
    finding=writeup.STAGED_WORKS,
    needs=(STAGED, GRPO),
    words=OPERATION_NAMES,
)
def test_staged_training_keeps_both(runs, held_out, judge):
    staged, only = runs(STAGED), runs(GRPO)
    named = Hits(values=[hits(run, held_out) for run in staged])
    reward = Differences(
        first=[late(run, "reward") for run in staged],
        second=[late(run, "reward") for run in only],
        paired="prompts",
        bounds=SHARE_DIFFERENCE,
    )
    judge(
        AllOf(
            conditions=[
                Condition(name="operation named", evidence=named, region=AtLeast(0.9)),
                # GRPO gains 0.08 of reward on development seeds: less than half of it may be lost.
                Condition(name="reward", evidence=reward, region=AtLeast(-0.03)),
            ]
        ),
        controls=[overlap([*staged, *(run.before.before for run in staged), *only], held_out)],
    )
    before = [hits(run.before, held_out) for run in staged]
    judge.beside(
        {
            "operation named": named,
            "... before GRPO": Hits(values=before),
            "reward, staged minus GRPO alone": reward,
            "reward, GRPO alone": Means(values=[late(run, "reward") for run in only], bounds=SHARE),
        }
    )
    judge.show(training_curves("GRPO after V/O, answers", staged, ("reward",), "fraction"))
