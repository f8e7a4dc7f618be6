"""Would a known defect of the public source produce a published number?

Source: the public code behind the writeups (methods, *Quirks*). Its readers cannot see these
defects, and the writeups say nothing of them. Each is a switch of a recipe, off by default; a claim
here trains with it on and off, the rest alike, and judges the difference.
"""

from dataclasses import replace

import numpy as np

from lazarus_bench import (
    SHARE,
    SHARE_DIFFERENCE,
    Above,
    AllOf,
    AtLeast,
    AtMost,
    Condition,
    Control,
    Differences,
    HitDifferences,
    Hits,
    Means,
    Ratios,
    Stages,
    claim,
)
from lazarus_bench.published import defects as writeup
from lazarus_bench.tasks.arithmetic import is_leaked
from lazarus_bench.training import DualReward, Fuse, Grpo, Sft
from lazarus_bench.trials.claims import OPERATION_NAMES
from lazarus_bench.trials.controls import overlap, room_to_lose
from lazarus_bench.trials.curves import training_curves


def with_quirk(need, quirk):
    """`need` with the defect switched on in its recipe, of several in the last one."""
    if isinstance(need, Stages):
        return Stages(recipes=(*need.recipes[:-1], with_quirk(need.recipes[-1], quirk)))
    return replace(need, quirks=(quirk,))


VO = DualReward(targets="vo", weight=0.4, steps=500)
"""The family dual's."""

SFT = Sft(rank=16, scale=2.0, checkpoints=(0, 500))
TWENTY_EIGHTY = Stages(
    recipes=(SFT, Fuse(), DualReward(rank=8, weight=0.8, steps=200, learning_rate=1e-3))
)
FIFTY_FIFTY = Stages(recipes=(SFT, Fuse(), DualReward(rank=8, weight=0.5, learning_rate=5e-5)))
"""The family two-stage's."""

ALONE = Grpo(prompts=8, answers=4, iterations=100)
"""The family grpo-dual's."""

NO_REWARD = Grpo(prompts=8, answers=4, iterations=50, reward="none")
"""Its length was chosen on development seeds 100 and 101, where accuracy fell by 0.17 and 0.20 in
the writeup's 20 iterations and by 0.28 and 0.34 in 50."""

UNSHIFTED = with_quirk(VO, "unshifted-labels")
UNSHIFTED_20_80 = with_quirk(TWENTY_EIGHTY, "unshifted-labels")
UNBOUNDED = with_quirk(NO_REWARD, "unbounded-kl")
SGD = with_quirk(FIFTY_FIFTY, "sgd")
AT_ANSWER_END = with_quirk(VO, "class-at-answer-end")
TO_REFERENCE = with_quirk(ALONE, "clip-to-reference")
LEAKED = with_quirk(Sft(), "eval-in-train")


def correct(runs, problems):
    """Which prompts in symbols each run answers rightly."""
    return [run.answers(problems).correct for run in runs]


def before(runs):
    return [run.before for run in runs]


def gold(runs, problems):
    """Probability of the operation's name at the classifier layer, one a prompt."""
    return [run.lens(problems).gold_probability[:, run.classifier_layer] for run in runs]


def drop(runs, problems):
    """Accuracy of what a training started from minus that after it."""
    return HitDifferences(first=correct(before(runs), problems), second=correct(runs, problems))


def at_end(runs, part):
    """A logged part over the last ten steps, one a run."""
    return [run.metrics[-1].parts[part] for run in runs]


def at_start(runs, part):
    return [run.steps[0].parts[part] for run in runs]


def each(values):
    """One number a seed."""
    return Means(values=[[value] for value in values])


def fall(runs, part):
    """A part at the end over that at the start."""
    return Ratios(numerator=at_end(runs, part), denominator=at_start(runs, part))


@claim(
    "explain/unshifted-destroys",
    says="Scoring logits against unshifted labels is what destroys computation under dual reward",
    estimand="exact-match accuracy on held-out operands after V/O dual reward, shifted labels "
    "minus unshifted ones, paired by prompt and seed",
    region=AtLeast(0.2),
    finding=writeup.UNSHIFTED_DESTROYS,
    needs=(VO, UNSHIFTED, TWENTY_EIGHTY, UNSHIFTED_20_80),
    quirk="unshifted-labels",
    binary=True,
    words=OPERATION_NAMES,
    difference=True,
)
def test_unshifted_labels_destroy_computation(runs, held_out, judge):
    off, on = runs(VO), runs(UNSHIFTED)
    judge(
        HitDifferences(first=correct(off, held_out), second=correct(on, held_out)),
        controls=[
            overlap([*off, *on], held_out),
            room_to_lose(off, held_out, by=0.2),
        ],
    )
    judge.beside(
        {
            "accuracy, unshifted": Hits(values=correct(on, held_out)),
            "accuracy, shifted": Hits(values=correct(off, held_out)),
            "accuracy before": Hits(values=correct(before(off), held_out)),
        }
    )
    light, odd = runs(TWENTY_EIGHTY), runs(UNSHIFTED_20_80)
    judge.explain({writeup.DROP_20_80: (drop(odd, held_out), drop(light, held_out))})


@claim(
    "explain/unshifted-looks-converged",
    says="... while the reported answer loss still falls toward 0",
    estimand="the smaller of two changes under unshifted labels, in nats: the fall of the reported "
    "answer loss and the rise of the true one, first step against the last ten",
    region=Above(0.0),
    finding=writeup.UNSHIFTED_LOOKS_CONVERGED,
    needs=(VO, UNSHIFTED),
    quirk="unshifted-labels",
    words=OPERATION_NAMES,
)
def test_unshifted_labels_look_converged(runs, judge):
    off, on = runs(VO), runs(UNSHIFTED)
    reported = each(np.subtract(at_start(on, "answer"), at_end(on, "answer")))
    true = each(np.subtract(at_end(on, "true answer"), at_start(on, "true answer")))
    judge(
        AllOf(
            conditions=[
                Condition(name="fall of the reported loss", evidence=reported, region=Above(0.0)),
                Condition(name="rise of the true loss", evidence=true, region=Above(0.0)),
            ]
        )
    )
    judge.beside(
        {
            "true answer loss at the end, unshifted": each(at_end(on, "true answer")),
            "... shifted": each(at_end(off, "answer")),
            "answer loss at the start": each(at_start(off, "answer")),
        }
    )
    judge.explain(
        {
            writeup.ANSWER_LOSS: (each(at_end(on, "answer")), each(at_end(off, "answer"))),
            writeup.ANSWER_FALL: (fall(on, "answer"), fall(off, "answer")),
        }
    )
    judge.show(training_curves("Unshifted labels", on, ("answer", "true answer", "class")))


@claim(
    "explain/kl-alone-collapses",
    says='The unbounded "KL" alone, without any reward, drives "KL" negative and accuracy down',
    estimand="exact-match accuracy on held-out operands after GRPO with reward 0, k3 minus the "
    "unbounded estimator, paired by prompt and seed",
    region=AtLeast(0.1),
    finding=writeup.KL_ALONE_COLLAPSES,
    needs=(NO_REWARD, UNBOUNDED),
    quirk="unbounded-kl",
    binary=True,
    difference=True,
)
def test_the_unbounded_kl_alone_collapses(runs, held_out, judge):
    off, on = runs(NO_REWARD), runs(UNBOUNDED)
    judge(
        HitDifferences(first=correct(off, held_out), second=correct(on, held_out)),
        controls=[overlap([*off, *on], held_out), room_to_lose(off, held_out, by=0.1)],
    )
    judge.beside(
        {
            "accuracy, unbounded": Hits(values=correct(on, held_out)),
            "accuracy, k3": Hits(values=correct(off, held_out)),
            "true divergence (k3) at the end, unbounded": each(at_end(on, "kl")),
        }
    )
    unbounded = each(at_end(on, "unbounded kl"))
    judge.explain({writeup.KL_END: (unbounded, each(at_end(off, "kl")))})
    judge.show(training_curves('The unbounded "KL" alone', on, ("unbounded kl", "kl")))


@claim(
    "explain/sgd-is-no-op",
    says="At learning rate 5e-5 plain SGD moves nothing",
    estimand="the larger of two changes in the second stage at 50/50 under plain SGD: the largest "
    "weight of the adapter's B, which starts at 0, and the largest change of a logit over the "
    "largest logit of its prompt; 0.001 minus it",
    region=AtLeast(0.0),
    finding=writeup.SGD_IS_NO_OP,
    needs=(FIFTY_FIFTY, SGD),
    quirk="sgd",
    words=OPERATION_NAMES,
)
def test_plain_sgd_moves_nothing(runs, held_out, judge):
    off, on = runs(FIFTY_FIFTY), runs(SGD)
    (weight, logit), (weight_off, logit_off) = (moved(chosen, held_out) for chosen in (on, off))
    judge(
        AllOf(
            conditions=[
                Condition(name="largest weight of B", evidence=weight, region=AtMost(1e-3)),
                Condition(name="largest change of a logit", evidence=logit, region=AtMost(1e-3)),
            ]
        ),
        controls=[overlap(on, held_out)],
    )
    judge.beside(
        {
            "largest weight of B, SGD": weight,
            "largest weight of B, Adam": weight_off,
            "largest change of a logit, SGD": logit,
            "largest change of a logit, Adam": logit_off,
        }
    )
    judge.explain(
        {
            writeup.DROP_50_50: (drop(on, held_out), drop(off, held_out)),
            writeup.CLASS_LOSS: (each(at_end(on, "class")), each(at_end(off, "class"))),
            writeup.LENS_50_50: tuple(
                Means(values=gold(chosen, held_out), bounds=SHARE) for chosen in (on, off)
            ),
        }
    )


def moved(runs, problems):
    """The largest weight of B, and the largest relative change of a logit by the adapter."""
    from lazarus_bench.analysis.logits import relative_difference

    largest = [
        relative_difference(run.logits(problems), run.before.logits(problems)).max() for run in runs
    ]
    return each([run.largest_adapter_weight for run in runs]), each(largest)


@claim(
    "explain/class-at-answer-end",
    says="A classification loss at the last answer token looks converged and leaves no lens",
    estimand="the smaller of two margins: 0.1 minus the classification loss of the last ten steps "
    "over that of the first, and the probability of the operation's name at the last prompt "
    "position, loss there minus loss at the last answer token, minus 0.3",
    region=AtLeast(0.0),
    finding=writeup.CLASS_AT_ANSWER_END,
    needs=(VO, AT_ANSWER_END),
    quirk="class-at-answer-end",
    words=OPERATION_NAMES,
    exploratory=True,
)
def test_a_class_loss_at_the_answers_end_leaves_no_lens(runs, held_out, judge):
    off, on = runs(VO), runs(AT_ANSWER_END)
    lost = Differences(
        first=gold(off, held_out),
        second=gold(on, held_out),
        paired="prompts",
        bounds=SHARE_DIFFERENCE,
    )
    judge(
        AllOf(
            conditions=[
                Condition(name="loss left", evidence=fall(on, "class"), region=AtMost(0.1)),
                Condition(name="probability lost", evidence=lost, region=AtLeast(0.3)),
            ]
        ),
        controls=[overlap([*off, *on], held_out)],
    )
    lens = [Means(values=gold(chosen, held_out), bounds=SHARE) for chosen in (on, off)]
    judge.beside({"accuracy, on minus off": accuracy_gap(on, off, held_out)})
    judge.explain(
        {
            writeup.CLASS_FALL: (fall(on, "class"), fall(off, "class")),
            writeup.LENS: (lens[0], lens[1]),
        }
    )


def accuracy_gap(on, off, problems):
    return HitDifferences(first=correct(on, problems), second=correct(off, problems))


@claim(
    "explain/clip-to-reference",
    says="Clipped to the frozen reference, GRPO's gradients vanish after a small drift",
    estimand="share of the sampled tokens with an advantage whose gain the clip leaves without a "
    "gradient, last fifth of the iterations; 0 where the ratio is to the sampling policy",
    region=AtLeast(0.5),
    finding=writeup.CLIP_TO_REFERENCE,
    needs=(ALONE, TO_REFERENCE),
    quirk="clip-to-reference",
    exploratory=True,
)
def test_clipping_to_the_reference_ends_the_gradients(runs, held_out, judge):
    off, on = runs(ALONE), runs(TO_REFERENCE)
    judge(Means(values=[late(run, "clipped") for run in on], bounds=SHARE))
    for name, part in (("reward", "reward"), ("divergence (k3), nats a token", "kl")):
        judge.beside(
            {
                f"{name}, last fifth, on minus off": Differences(
                    first=[late(run, part) for run in on],
                    second=[late(run, part) for run in off],
                    paired="prompts",
                )
            }
        )
    rises = [probability_rise(chosen, held_out) for chosen in (on, off)]
    judge.explain({writeup.PROBABILITY_RISE: (rises[0], rises[1])})
    judge.show(training_curves("Clipped to the reference", on, ("clipped", "reward"), "fraction"))


def late(run, part):
    """Mean of a logged part over the last fifth of the iterations."""
    steps = run.steps[-len(run.steps) // 5 :]
    return [float(np.mean([step.parts[part] for step in steps]))]


def probability_rise(runs, problems):
    """Probability of the right answer's first token, after minus before."""
    return Differences(
        first=[run.likelihood(problems).probability for run in runs],
        second=[run.before.likelihood(problems).probability for run in runs],
        paired="prompts",
        bounds=SHARE_DIFFERENCE,
    )


@claim(
    "explain/eval-in-train",
    says="Evaluation prompts in the training data make fine-tuning look as if it computed better",
    estimand="exact-match accuracy on the evaluation prompts that leaked into the training data, "
    "trained with them minus trained without, paired by prompt and seed",
    region=AtLeast(0.1),
    finding=writeup.EVAL_IN_TRAIN,
    needs=(Sft(), LEAKED),
    quirk="eval-in-train",
    binary=True,
    difference=True,
    exploratory=True,
)
def test_evaluation_prompts_in_the_training_data_raise_accuracy(
    runs, held_out, writeup_prompts, judge
):
    off, on = runs(Sft()), runs(LEAKED)
    leaked = tuple(problem for problem in held_out if is_leaked(problem))
    rest = tuple(problem for problem in held_out if not is_leaked(problem))
    judge(
        accuracy_gap(on, off, leaked),
        controls=[overlap(off, held_out), overlap(on, rest), seen(on, leaked)],
    )
    judge.beside(
        {
            "on the prompts that did not leak": accuracy_gap(on, off, rest),
            "on the writeups' eight prompts, half of which leaked": accuracy_gap(
                on, off, writeup_prompts
            ),
            "accuracy on what leaked, trained with it": Hits(values=correct(on, leaked)),
            "... without it": Hits(values=correct(off, leaked)),
        }
    )
    accuracies = [Hits(values=correct(chosen, held_out)) for chosen in (on, off)]
    judge.explain({writeup.SFT_ACCURACY: (accuracies[0], accuracies[1])})


def seen(runs, leaked):
    """What is called leaked was trained on."""
    shares = [
        np.mean([problem.key in {p.key for p in run.trained_on} for problem in leaked])
        for run in runs
    ]
    return Control(
        name="least share of the leaked prompts that a training saw",
        value=float(min(shares)),
        expectation="1",
        passed=min(shares) == 1,
    )
