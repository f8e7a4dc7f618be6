"""Would a known defect of the public source produce a published number?

Source: the public code behind the writeups (methods, *Quirks*). Its readers cannot see these
defects, and the writeups say nothing of them. Each is a switch of a recipe, an instrument or the
loader, off by default; a claim here trains or reads with it on and off, the rest alike, and judges
the difference.
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
    Condition,
    Control,
    Differences,
    Exact,
    HitDifferences,
    Hits,
    Means,
    NotApplicable,
    Ratios,
    Stages,
    Within,
    claim,
)
from lazarus_bench.analysis.logits import change_kept, change_size
from lazarus_bench.analysis.probe_prompts import crossed, matched, words_in_turn
from lazarus_bench.session.controls import overlap, room_to_lose
from lazarus_bench.session.shown import training_curves
from lazarus_bench.tasks.arithmetic import is_leaked
from lazarus_bench.training import DualReward, Fuse, Grpo, Sft

from .writeups import defects as writeup
from .writeups import instruments
from .writeups.probe_prompts import writeup_words


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


def later_fall(runs, part):
    """A part at the end over that at step 100, from where on the writeup prints it."""
    return Ratios(
        numerator=at_end(runs, part), denominator=[run.steps[99].parts[part] for run in runs]
    )


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
            writeup.ANSWER_FALL: (later_fall(on, "answer"), later_fall(off, "answer")),
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
        controls=[overlap(on, held_out), adam_moves(off)],
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


def adam_moves(runs):
    """With the optimizer that was meant, the same weights move."""
    least = min(run.largest_adapter_weight for run in runs)
    return Control(
        name="least of the runs' largest weights of B under Adam",
        value=least,
        expectation="above 0.001",
        passed=least > 1e-3,
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
            writeup.CLASS_FALL: (later_fall(on, "class"), later_fall(off, "class")),
            writeup.LENS: (lens[0], lens[1]),
        }
    )


def accuracy_gap(on, off, problems):
    return HitDifferences(first=correct(on, problems), second=correct(off, problems))


@claim(
    "explain/clip-to-reference",
    says="Clipped to the frozen reference, GRPO's gradients vanish after a small drift",
    estimand="share of the sampled tokens with an advantage whose gain the clip leaves without a "
    "gradient, last fifth of the iterations, ratio to the reference minus ratio to the sampling "
    "policy, paired by seed",
    region=AtLeast(0.5),
    finding=writeup.CLIP_TO_REFERENCE,
    needs=(ALONE, TO_REFERENCE),
    quirk="clip-to-reference",
    exploratory=True,
)
def test_clipping_to_the_reference_ends_the_gradients(runs, held_out, judge):
    off, on = runs(ALONE), runs(TO_REFERENCE)
    # A step on fresh answers has a ratio of 1 to the policy that gave them, so none is clipped; the
    # log holds no share then, but it holds the gain, which shows that the ratios are 1.
    judge(
        Differences(
            first=[late(run, "clipped") for run in on],
            second=[[0.0] for _ in off],
            paired="prompts",
            bounds=SHARE_DIFFERENCE,
        ),
        controls=[ratios_of_one(off)],
    )
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


def ratios_of_one(runs):
    """Where every ratio is 1 the gain is the mean advantage, 0 in every group, and so in the log.

    A clipped token leaves 0.2 of its advantage in the gain or more, an unclipped one what its ratio
    lacks of 1.
    """
    gains = [abs(run.made_by.kl * s.parts["kl"] - s.loss) for run in runs for s in run.steps]
    return Control(
        name="largest gain in size of an iteration with the ratio to the sampling policy, nats",
        value=max(gains),
        expectation="at most 1e-4: every ratio is 1, and no token is clipped",
        passed=max(gains) <= 1e-4,
    )


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


# From here on nothing is trained with a defect: the same models are read with it and without.

STARTS = 8
"""Untrained models for each base, drawn with seeds of their own."""


def quirky(runs, quirk):
    return [run.with_quirk(quirk) for run in runs]


def top(runs, problems):
    """Probability of the top token at the classifier layer, one a prompt."""
    return [run.lens(problems).top_probability[:, run.classifier_layer, 0] for run in runs]


def shares(values):
    return Means(values=values, bounds=SHARE)


def minus(first, second):
    """The first values minus the second, of the same models and prompts."""
    return Differences(first=first, second=second, paired="prompts", bounds=SHARE_DIFFERENCE)


@claim(
    "explain/non-causal-lens",
    says="Reading the lens without a causal mask changes what it shows",
    estimand="total variation distance between the lens without masks and with them, classifier "
    "layer",
    region=AtLeast(0.1),
    finding=instruments.NON_CAUSAL_LENS,
    words=OPERATION_NAMES,
    quirk="non-causal-lens",
)
def test_a_lens_without_masks_shows_something_else(runs, held_out, writeup_prompts, judge):
    off = runs()
    on = quirky(off, "non-causal-lens")
    middle = off[0].classifier_layer
    distance = [run.lens_moved(held_out) for run in on]
    judge(shares([seed[:, middle] for seed in distance]))
    random = quirky([run.randomised() for run in off], "non-causal-lens")
    judge.beside(
        {
            "first layer, whose last position sees nothing new": shares(
                [seed[:, 0] for seed in distance]
            ),
            "second layer": shares([seed[:, 1] for seed in distance]),
            "last layer": shares([seed[:, -1] for seed in distance]),
            "control: random weights": shares(
                [run.lens_moved(held_out)[:, middle] for run in random]
            ),
            "top token's probability, without masks minus with": minus(
                top(on, held_out), top(off, held_out)
            ),
            "the operation's name, without masks minus with": minus(
                gold(on, held_out), gold(off, held_out)
            ),
        }
    )
    pairs = zip(top(on, writeup_prompts), top(off, writeup_prompts), strict=True)
    same = Exact(value=0.0, note="a lens with masks reads a prompt alike each time")
    judge.explain({instruments.APART: (shares([np.abs(x - y) for x, y in pairs]), same)})


@claim(
    "explain/granite-forward",
    says="Wrong Granite multipliers turn a flat lens into a confident one",
    estimand="probability of the top token at the classifier layer, multipliers wrong minus right, "
    "paired by prompt",
    region=AtLeast(0.3),
    finding=instruments.GRANITE_FORWARD,
    subjects=("lab:granite",),
    words=OPERATION_NAMES,
    quirk="granite-forward",
)
def test_wrong_multipliers_make_the_lens_confident(runs, held_out, writeup_prompts, judge):
    off = runs()
    if not str(off[0].loaded.config["model_type"]).startswith("granite"):
        raise NotApplicable("asks for a Granite: add --lb-model ibm-granite/granite-3.1-2b-base")
    on = quirky(off, "granite-forward")
    judge(minus(top(on, held_out), top(off, held_out)))
    judge.beside(
        {
            "multipliers wrong": shares(top(on, held_out)),
            "multipliers right": shares(top(off, held_out)),
            "most confident layer, wrong minus right": minus(
                highest(on, held_out), highest(off, held_out)
            ),
            "the operation's name, wrong minus right": minus(
                gold(on, held_out), gold(off, held_out)
            ),
            "accuracy, wrong": Hits(values=correct(on, held_out)),
            "accuracy, right": Hits(values=correct(off, held_out)),
        }
    )
    judge.explain(
        {instruments.TOP: (shares(top(on, writeup_prompts)), shares(top(off, writeup_prompts)))}
    )


def highest(runs, problems):
    """Probability of the top token at the layer that gives it most, one a prompt."""
    return [run.lens(problems).top_probability[:, :, 0].max(axis=1) for run in runs]


@claim(
    "explain/adapter-reload",
    says="Reloading an adapter with only q and v drops most of its effect",
    estimand="share of the adapter's change of the logits that is kept: the change left, projected "
    "on the whole; LoRA fine-tuning of all seven linears",
    region=AtMost(0.5),
    finding=instruments.ADAPTER_RELOAD,
    needs=(Sft(), VO),
    quirk="drop-adapter-modules",
    words=OPERATION_NAMES,
)
def test_a_reloaded_adapter_loses_its_effect(runs, held_out, judge):
    tuned, dual = runs(Sft()), runs(VO)
    changes = logit_changes(tuned, tuned, held_out)
    judge(
        Means(values=logits_kept(tuned, held_out)),
        controls=[overlap(tuned, held_out), changed(changes)],
    )
    left = quirky(tuned, "drop-adapter-modules")
    ratios = zip(logit_changes(left, tuned, held_out), changes, strict=True)
    judge.beside(
        {
            "size of the change that is left over that of the whole": Means(
                values=[part / whole for part, whole in ratios]
            ),
            "V/O dual reward, of which v is left": Means(values=logits_kept(dual, held_out)),
        }
    )
    reloaded = quirky(dual, "drop-adapter-modules")
    judge.explain(
        {
            instruments.SFT_RIGHT: tuple(Hits(values=correct(x, held_out)) for x in (left, tuned)),
            instruments.DUAL_LENS: tuple(shares(gold(x, held_out)) for x in (reloaded, dual)),
        }
    )


def logits_kept(runs, problems):
    return [
        change_kept(
            run.with_quirk("drop-adapter-modules").logits(problems),
            run.logits(problems),
            run.before.logits(problems),
        )
        for run in runs
    ]


def logit_changes(runs, whole, problems):
    """Size of the change from what `whole` started from to `runs`, one a prompt."""
    return [
        change_size(run.logits(problems), of.before.logits(problems))
        for run, of in zip(runs, whole, strict=True)
    ]


def changed(changes):
    """There is a change of which a share can be kept."""
    least = min(seed.mean() for seed in changes)
    return Control(
        name="least change of the logits by a whole adapter, mean over prompts",
        value=least,
        expectation="at least 0.01",
        passed=least >= 0.01,
    )


@claim(
    "explain/substring-hits",
    says="A task word inside any of the top 20 tokens, averaged over hits alone, gives an "
    "untrained model the signal that A reports of one",
    estimand="average peak probability over layers by A's rule minus that of the operation's own "
    "name over all prompts, A's three operations",
    region=AtLeast(0.004),
    finding=instruments.SUBSTRING_HITS,
    words=OPERATION_NAMES,
    exploratory=True,
    quirk="substring-hits",
)
def test_the_substring_rule_makes_a_signal(runs, held_out, judge):
    bases = runs()
    off = [run.task_signal(held_out) for run in bases]
    on = [run.task_signal(held_out) for run in quirky(bases, "substring-hits")]
    judge(Means(values=[over_hits(x) - y.peak for x, y in zip(on, off, strict=True)]))
    random = quirky([run.randomised() for run in bases], "substring-hits")
    judge.beside(
        {
            "share of prompts with a hit by the rule": Hits(values=[s.counted for s in on]),
            "by the rule, prompts without a hit averaged too": shares([s.peak for s in on]),
            "control: random weights, by the rule": averages(
                [run.task_signal(held_out) for run in random]
            ),
        }
    )
    judge.explain({instruments.AVERAGE_PEAK: (averages(on), averages(off))})


def averages(signals):
    return shares([[signal.average] for signal in signals])


def over_hits(signal):
    """Each prompt's part of the average over hits, which is the mean of these."""
    return signal.peak * signal.counted / max(signal.share, 1 / len(signal.peak))


@claim(
    "explain/bf16-lens",
    says="Of probabilities in bfloat16, the digits that C prints are not the model's",
    estimand="share of prompts whose probability of the operation's name after V/O dual reward, "
    "classifier layer, prints otherwise in bfloat16 (percent, two decimals)",
    region=AtLeast(0.5),
    finding=instruments.BF16_LENS,
    needs=VO,
    words=OPERATION_NAMES,
    binary=True,
    exploratory=True,
    quirk="bf16-lens",
)
def test_bfloat16_prints_other_digits(runs, held_out, judge):
    off = runs(VO)
    on = quirky(off, "bf16-lens")
    fine, coarse = gold(off, held_out), gold(on, held_out)
    judge(
        Hits(values=otherwise(coarse, fine, decimals=2)),
        controls=[overlap(off, held_out)],
    )
    pairs = zip(coarse, fine, strict=True)
    judge.beside(
        {
            "in bfloat16": shares(coarse),
            "in float32": shares(fine),
            "largest difference of a prompt": each([np.abs(x - y).max() for x, y in pairs]),
        }
    )
    base = top(quirky(before(off), "bf16-lens"), held_out), top(before(off), held_out)
    judge.explain(
        {
            instruments.OFF_GRID_DUAL: off_grid(coarse, fine, 2),
            instruments.OFF_GRID_GRANITE: off_grid(coarse, fine, 1),
            instruments.OFF_GRID_BASE: off_grid(*base, 2),
        }
    )


def otherwise(first, second, decimals):
    """Whether a probability is another percentage of so many decimals in each reading."""
    pairs = zip(first, second, strict=True)
    return [np.round(100 * x, decimals) != np.round(100 * y, decimals) for x, y in pairs]


def off_grid(coarse, fine, decimals):
    """Shares of percentages that no bfloat16 number prints as, in either reading."""
    on = [instruments.prints_no_bfloat16(values, decimals) for values in coarse]
    off = [instruments.prints_no_bfloat16(values, decimals) for values in fine]
    return Hits(values=on), Hits(values=off)


@claim(
    "explain/random-init-probe",
    says="An untrained random model reaches about 81% under the writeup's probe protocol",
    estimand="best layer's accuracy, sixteen prompts in words, one template left out at a time, of "
    f"llamas of 16 layers and width 256 that were never trained, {STARTS} for each base",
    region=Within(0.69, 0.94),
    finding=instruments.RANDOM_INIT_PROBE,
    quirk="random-init-probe",
)
def test_random_weights_pass_the_writeups_probe(runs, held_out, judge):
    bases, prompts = runs(), writeup_words()
    found = [run.untrained_accuracy(prompts, "in-order", STARTS) for run in bases]
    judge(best_of_starts(found))
    judge.beside(
        {
            "first layer": best_of_starts([starts[:, :1] for starts in found]),
            "the subject's own shape, random weights": best_of_starts(
                [run.randomised().probe(prompts, "in-order").accuracy[None] for run in bases]
            ),
            "the subject itself": best_of_starts(
                [run.probe(prompts, "in-order").accuracy[None] for run in bases]
            ),
        }
    )
    sound = matched(words_in_turn(crossed(held_out)))
    off = [run.untrained_accuracy(sound, "templates", STARTS) for run in bases]
    judge.explain({instruments.BEST_LAYER: (best_of_starts(found), best_of_starts(off))})


def best_of_starts(accuracy):
    """Best layer's accuracy, from accuracies [seed][start][layer]; each start has its own seed."""
    return shares([[layers.max()] for starts in accuracy for layers in starts])


@claim(
    "explain/constant-predictor",
    says="Restricted argmax without a threshold gives a constant predictor 25%",
    estimand="share of the writeups' eight prompts on which one operation, named on all of them, "
    "is the right one (computed; the best such operation)",
    region=Within(0.25, 0.25),
    finding=instruments.CONSTANT_PREDICTOR,
    words=OPERATION_NAMES,
    quirk="constant-predictor",
)
def test_a_constant_predictor_is_right_on_a_quarter(runs, held_out, writeup_prompts, judge):
    bases = runs()
    judge(always_one(writeup_prompts))
    lenses = [(run.lens(held_out), run.classifier_layer) for run in bases]
    judge.beside(
        {
            "untrained bases, top among the four names": Hits(
                values=[lens.restricted_hits[:, layer] for lens, layer in lenses]
            ),
            "... share of the name that is on top most": each(
                [run.collapse(held_out).majority for run in bases]
            ),
            "... top of the vocabulary": Hits(
                values=[lens.hits[:, layer] for lens, layer in lenses]
            ),
        }
    )
    judge.explain(
        {
            label: (always_one(problems), Hits(values=named_on_all(bases, problems)))
            for label, problems in (
                (instruments.ALWAYS_ONE, writeup_prompts),
                (instruments.ALWAYS_ONE_OF_SIX, writeup_prompts[:6]),
            )
        }
    )


def always_one(problems):
    """Accuracy of the operation that is asked for most often, named on every prompt."""
    asked = [problem.operation for problem in problems]
    return Exact(value=max(map(asked.count, asked)) / len(asked))


def named_on_all(runs, problems):
    """Whether the top of the vocabulary on the first prompt names each prompt's operation."""
    found = []
    for run in runs:
        lens, layer = run.lens(problems), run.classifier_layer
        names = [lens.words[operation].variants for operation in lens.gold]
        found.append([lens.top[0, layer, 0] in variants for variants in names])
    return found
