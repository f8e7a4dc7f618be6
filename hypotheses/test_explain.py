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
    Above,
    AtLeast,
    AtMost,
    Control,
    Exact,
    HitDifferences,
    Hits,
    Means,
    NotApplicable,
    OnOff,
    Within,
    all_of,
    beside,
    claim,
    difference,
    mean,
    ratio,
    trained,
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


def with_quirk(runs, quirk):
    """The same training with the defect switched on in its recipe, of several in the last one."""
    *below, last = runs.recipes
    return trained(*below, replace(last, quirks=(quirk,)))


vo = trained(DualReward(targets="vo", weight=0.4, steps=500))
"""The family dual's."""

FUSED = (Sft(rank=16, scale=2.0, checkpoints=(0, 500)), Fuse())
twenty_eighty = trained(*FUSED, DualReward(rank=8, weight=0.8, steps=200, learning_rate=1e-3))
fifty_fifty = trained(*FUSED, DualReward(rank=8, weight=0.5, learning_rate=5e-5))
"""The family two-stage's."""

alone = trained(Grpo(prompts=8, answers=4, iterations=100))
"""The family grpo-dual's."""

no_reward = trained(Grpo(prompts=8, answers=4, iterations=50, reward="none"))
"""Its length was chosen on development seeds 100 and 101, where accuracy fell by 0.17 and 0.20 in
the writeup's 20 iterations and by 0.28 and 0.34 in 50."""

sft = trained(Sft())

unshifted = with_quirk(vo, "unshifted-labels")
unshifted_20_80 = with_quirk(twenty_eighty, "unshifted-labels")
unbounded = with_quirk(no_reward, "unbounded-kl")
sgd = with_quirk(fifty_fifty, "sgd")
at_answer_end = with_quirk(vo, "class-at-answer-end")
to_reference = with_quirk(alone, "clip-to-reference")
leaky = with_quirk(sft, "eval-in-train")


def correct(runs, problems):
    """Which prompts in symbols each run answers rightly."""
    return runs.answers(problems).correct


def gold(runs, problems):
    """Probability of the operation's name at the classifier layer, [seed, prompt]."""
    return runs.lens(problems).at("classifier").gold_probability


def drop(runs, problems):
    """Accuracy of what a training started from minus that after it."""
    return mean(correct(runs.before, problems) - correct(runs, problems))


def at_end(runs, part):
    """A logged part over the last ten steps, [seed]."""
    return runs.log(part)[:, -1]


def at_step(runs, part, step=0):
    return runs.log(part, every_step=True)[:, step]


def fall(runs, part):
    """A part at the end over that at the start."""
    return ratio(at_end(runs, part), at_step(runs, part))


def later_fall(runs, part):
    """A part at the end over that at step 100, from where on the writeup prints it."""
    return ratio(at_end(runs, part), at_step(runs, part, 99))


@claim(
    "explain/unshifted-destroys",
    AtLeast(0.2),
    finding=writeup.UNSHIFTED_DESTROYS,
    quirk="unshifted-labels",
    binary=True,
    words=OPERATION_NAMES,
    difference=True,
)
def test_unshifted_labels_destroy_computation(vo, unshifted, held_out):
    """Scoring logits against unshifted labels is what destroys computation under dual reward.

    exact-match accuracy on held-out operands after V/O dual reward, shifted labels minus unshifted
    ones, paired by prompt and seed.
    """
    apart = mean(correct(vo, held_out) - correct(unshifted, held_out))
    return apart, room_to_lose(vo, held_out, by=0.2)


@beside(test_unshifted_labels_destroy_computation)
def _(vo, unshifted, twenty_eighty, unshifted_20_80, held_out):
    drops = OnOff(drop(unshifted_20_80, held_out), drop(twenty_eighty, held_out))
    yield "accuracy, unshifted", mean(correct(unshifted, held_out))
    yield "accuracy, shifted", mean(correct(vo, held_out))
    yield "accuracy before", mean(correct(vo.before, held_out))
    yield writeup.DROP_20_80, drops


@claim(
    "explain/unshifted-looks-converged",
    Above(0.0),
    finding=writeup.UNSHIFTED_LOOKS_CONVERGED,
    quirk="unshifted-labels",
    words=OPERATION_NAMES,
)
def test_unshifted_labels_look_converged(unshifted):
    """... while the reported answer loss still falls toward 0.

    the smaller of two changes under unshifted labels, in nats: the fall of the reported answer loss
    and the rise of the true one, first step against the last ten.
    """
    reported = at_step(unshifted, "answer") - at_end(unshifted, "answer")
    true = at_end(unshifted, "true answer") - at_step(unshifted, "true answer")
    return all_of(
        {
            "fall of the reported loss": (mean(reported.single()), Above(0.0)),
            "rise of the true loss": (mean(true.single()), Above(0.0)),
        }
    )


@beside(test_unshifted_labels_look_converged)
def _(vo, unshifted):
    on, off = unshifted, vo
    falls = OnOff(later_fall(on, "answer"), later_fall(off, "answer"))
    yield "true answer loss at the end, unshifted", mean(at_end(on, "true answer"))
    yield "... shifted", mean(at_end(off, "answer"))
    yield "answer loss at the start", mean(at_step(off, "answer"))
    yield writeup.ANSWER_LOSS, OnOff(mean(at_end(on, "answer")), mean(at_end(off, "answer")))
    yield writeup.ANSWER_FALL, falls
    yield training_curves("Unshifted labels", on, ("answer", "true answer", "class"))


@claim(
    "explain/kl-alone-collapses",
    AtLeast(0.1),
    finding=writeup.KL_ALONE_COLLAPSES,
    quirk="unbounded-kl",
    binary=True,
    difference=True,
)
def test_the_unbounded_kl_alone_collapses(no_reward, unbounded, held_out):
    """The unbounded "KL" alone, without any reward, drives "KL" negative and accuracy down.

    exact-match accuracy on held-out operands after GRPO with reward 0, k3 minus the unbounded
    estimator, paired by prompt and seed.
    """
    apart = mean(correct(no_reward, held_out) - correct(unbounded, held_out))
    return apart, room_to_lose(no_reward, held_out, by=0.1)


@beside(test_the_unbounded_kl_alone_collapses)
def _(no_reward, unbounded, held_out):
    true, odd = mean(at_end(unbounded, "kl")), mean(at_end(unbounded, "unbounded kl"))
    yield "accuracy, unbounded", mean(correct(unbounded, held_out))
    yield "accuracy, k3", mean(correct(no_reward, held_out))
    yield "true divergence (k3) at the end, unbounded", true
    yield writeup.KL_END, OnOff(odd, mean(at_end(no_reward, "kl")))
    yield training_curves('The unbounded "KL" alone', unbounded, ("unbounded kl", "kl"))


def largest_weight(runs):
    """The largest weight of the adapter's B, [seed]."""
    return runs.each(lambda run: run.largest_adapter_weight)


def largest_change(runs, problems):
    """The largest relative change of a logit by the adapter."""

    def largest(run, problems):
        from lazarus_bench.analysis.logits import relative_difference

        return relative_difference(run.logits(problems), run.before.logits(problems)).max()

    return mean(runs.each(largest, problems))


def adam_moves(runs):
    """With the optimizer that was meant, the same weights move."""
    least = float(largest_weight(runs).min())
    return Control(
        name="least of the runs' largest weights of B under Adam",
        value=least,
        expectation="above 0.001",
        passed=least > 1e-3,
    )


@claim(
    "explain/sgd-is-no-op",
    AtLeast(0.0),
    finding=writeup.SGD_IS_NO_OP,
    quirk="sgd",
    words=OPERATION_NAMES,
)
def test_plain_sgd_moves_nothing(fifty_fifty, sgd, held_out):
    """At learning rate 5e-5 plain SGD moves nothing.

    the larger of two changes in the second stage at 50/50 under plain SGD: the largest weight of
    the adapter's B, which starts at 0, and the largest change of a logit over the largest logit of
    its prompt; 0.001 minus it.
    """
    moved = {
        "largest weight of B": (mean(largest_weight(sgd)), AtMost(1e-3)),
        "largest change of a logit": (largest_change(sgd, held_out), AtMost(1e-3)),
    }
    return all_of(moved), adam_moves(fifty_fifty)


@beside(test_plain_sgd_moves_nothing)
def _(fifty_fifty, sgd, held_out):
    on, off = sgd, fifty_fifty
    yield "largest weight of B, SGD", mean(largest_weight(on))
    yield "largest weight of B, Adam", mean(largest_weight(off))
    yield "largest change of a logit, SGD", largest_change(on, held_out)
    yield "largest change of a logit, Adam", largest_change(off, held_out)
    yield writeup.DROP_50_50, OnOff(drop(on, held_out), drop(off, held_out))
    yield writeup.CLASS_LOSS, OnOff(mean(at_end(on, "class")), mean(at_end(off, "class")))
    yield writeup.LENS_50_50, OnOff(mean(gold(on, held_out)), mean(gold(off, held_out)))


@claim(
    "explain/class-at-answer-end",
    AtLeast(0.0),
    finding=writeup.CLASS_AT_ANSWER_END,
    quirk="class-at-answer-end",
    words=OPERATION_NAMES,
    exploratory=True,
)
def test_a_class_loss_at_the_answers_end_leaves_no_lens(vo, at_answer_end, held_out):
    """A classification loss at the last answer token looks converged and leaves no lens.

    the smaller of two margins: 0.1 minus the classification loss of the last ten steps over that of
    the first, and the probability of the operation's name at the last prompt position, loss there
    minus loss at the last answer token, minus 0.3.
    """
    lost = mean(gold(vo, held_out) - gold(at_answer_end, held_out))
    return all_of(
        {
            "loss left": (fall(at_answer_end, "class"), AtMost(0.1)),
            "probability lost": (lost, AtLeast(0.3)),
        }
    )


@beside(test_a_class_loss_at_the_answers_end_leaves_no_lens)
def _(vo, at_answer_end, held_out):
    on, off = at_answer_end, vo
    yield "accuracy, on minus off", mean(correct(on, held_out) - correct(off, held_out))
    yield writeup.CLASS_FALL, OnOff(later_fall(on, "class"), later_fall(off, "class"))
    yield writeup.LENS, OnOff(mean(gold(on, held_out)), mean(gold(off, held_out)))


def late(runs, part):
    """Mean of a logged part over the last fifth of the iterations, [seed]."""
    steps = runs.log(part, every_step=True)
    return steps[:, -steps.shape[1] // 5 :].mean("steps")


def ratios_of_one(runs):
    """Where every ratio is 1 the gain is the mean advantage, 0 in every group, and so in the log.

    A clipped token leaves 0.2 of its advantage in the gain or more, an unclipped one what its ratio
    lacks of 1.
    """
    penalty = runs[0].made_by.kl * runs.log("kl", every_step=True)
    largest = float(abs(penalty - runs.log("loss", every_step=True)).max())
    return Control(
        name="largest gain in size of an iteration with the ratio to the sampling policy, nats",
        value=largest,
        expectation="at most 1e-4: every ratio is 1, and no token is clipped",
        passed=largest <= 1e-4,
    )


def probability_rise(runs, problems):
    """Probability of the right answer's first token, after minus before."""
    after, before = runs.likelihood(problems), runs.before.likelihood(problems)
    return mean(after.probability - before.probability)


@claim(
    "explain/clip-to-reference",
    AtLeast(0.5),
    finding=writeup.CLIP_TO_REFERENCE,
    quirk="clip-to-reference",
    exploratory=True,
)
def test_clipping_to_the_reference_ends_the_gradients(alone, to_reference):
    """Clipped to the frozen reference, GRPO's gradients vanish after a small drift.

    share of the sampled tokens with an advantage whose gain the clip leaves without a gradient,
    last fifth of the iterations, ratio to the reference minus ratio to the sampling policy, paired
    by seed.
    """
    # A step on fresh answers has a ratio of 1 to the policy that gave them, so none is clipped; the
    # log holds no share then, but it holds the gain, which shows that the ratios are 1.
    none = alone.each(lambda _: 0.0).within(SHARE)
    clipped = late(to_reference, "clipped").within(SHARE)
    return difference(clipped, none, paired="prompts"), ratios_of_one(alone)


@beside(test_clipping_to_the_reference_ends_the_gradients)
def _(alone, to_reference, held_out):
    on, off = to_reference, alone
    rises = OnOff(probability_rise(on, held_out), probability_rise(off, held_out))
    yield "reward, last fifth, on minus off", mean(late(on, "reward") - late(off, "reward"))
    apart = mean(late(on, "kl") - late(off, "kl"))
    yield "divergence (k3), nats a token, last fifth, on minus off", apart
    yield writeup.PROBABILITY_RISE, rises
    yield training_curves("Clipped to the reference", on, ("clipped", "reward"), "fraction")


def split(problems):
    """The problems that leaked into the training data, and the others."""
    leaked = tuple(problem for problem in problems if is_leaked(problem))
    return leaked, tuple(problem for problem in problems if not is_leaked(problem))


def seen(runs, leaked):
    """What is called leaked was trained on."""
    keys = [problem.key for problem in leaked]
    shares = runs.each(lambda run: np.isin(keys, [p.key for p in run.trained_on]).mean())
    return Control(
        name="least share of the leaked prompts that a training saw",
        value=float(shares.min()),
        expectation="1",
        passed=shares.min() == 1,
    )


@claim(
    "explain/eval-in-train",
    AtLeast(0.1),
    finding=writeup.EVAL_IN_TRAIN,
    quirk="eval-in-train",
    binary=True,
    difference=True,
    exploratory=True,
)
def test_evaluation_prompts_in_the_training_data_raise_accuracy(sft, leaky, held_out):
    """Evaluation prompts in the training data make fine-tuning look as if it computed better.

    exact-match accuracy on the evaluation prompts that leaked into the training data, trained with
    them minus trained without, paired by prompt and seed.
    """
    leaked, rest = split(held_out)
    on, off = correct(leaky, leaked), correct(sft, leaked)
    # Of bare values, which imply no control: here training and evaluation overlap on purpose.
    apart = HitDifferences(first=on.values, second=off.values)
    apart_from = overlap(correct(sft, held_out).asked), overlap(correct(leaky, rest).asked)
    return apart, *apart_from, seen(leaky, leaked)


@beside(test_evaluation_prompts_in_the_training_data_raise_accuracy)
def _(sft, leaky, held_out, writeup_prompts):
    leaked, rest = split(held_out)
    on, off = leaky, sft
    own = mean(correct(on, writeup_prompts) - correct(off, writeup_prompts))
    accuracy = OnOff(mean(correct(on, held_out)), mean(correct(off, held_out)))
    yield "on the prompts that did not leak", mean(correct(on, rest) - correct(off, rest))
    yield "on the writeups' eight prompts, half of which leaked", own
    yield "accuracy on what leaked, trained with it", mean(correct(on, leaked))
    yield "... without it", mean(correct(off, leaked))
    yield writeup.SFT_ACCURACY, accuracy


# From here on nothing is trained with a defect: the same models are read with it and without.

STARTS = 8
"""Untrained models for each base, drawn with seeds of their own."""


def top(runs, problems):
    """Probability of the top token at the classifier layer, [seed, prompt]."""
    return runs.lens(problems).at("classifier").top_probability[:, :, 0]


def highest(runs, problems):
    """Probability of the top token at the layer that gives it most, [seed, prompt]."""
    return runs.lens(problems).top_probability[:, :, :, 0].max("layers")


def distance(runs, problems):
    """Between the lens without masks and with them, [seed, prompt, layer]."""
    return runs.with_quirk("non-causal-lens").lens_moved(problems).within(SHARE)


@claim(
    "explain/non-causal-lens",
    AtLeast(0.1),
    finding=instruments.NON_CAUSAL_LENS,
    words=OPERATION_NAMES,
    quirk="non-causal-lens",
)
def test_a_lens_without_masks_shows_something_else(base, held_out):
    """Reading the lens without a causal mask changes what it shows.

    total variation distance between the lens without masks and with them, classifier layer.
    """
    return mean(distance(base, held_out).at("classifier"))


@beside(test_a_lens_without_masks_shows_something_else)
def _(base, held_out, writeup_prompts):
    on, off = base.with_quirk("non-causal-lens"), base
    moved, own = distance(base, held_out), abs(top(on, writeup_prompts) - top(off, writeup_prompts))
    random = mean(distance(base.randomised(), held_out).at("classifier"))
    sharper = mean(top(on, held_out) - top(off, held_out))
    named = mean(gold(on, held_out) - gold(off, held_out))
    yield "first layer, whose last position sees nothing new", mean(moved.at(0))
    yield "second layer", mean(moved.at(1))
    yield "last layer", mean(moved.at(-1))
    yield "control: random weights", random
    yield "top token's probability, without masks minus with", sharper
    yield "the operation's name, without masks minus with", named
    same = Exact(value=0.0, note="a lens with masks reads a prompt alike each time")
    yield instruments.APART, OnOff(mean(own), same)


@claim(
    "explain/granite-forward",
    AtLeast(0.3),
    finding=instruments.GRANITE_FORWARD,
    subjects=("lab:granite",),
    words=OPERATION_NAMES,
    quirk="granite-forward",
)
def test_wrong_multipliers_make_the_lens_confident(base, held_out):
    """Wrong Granite multipliers turn a flat lens into a confident one.

    probability of the top token at the classifier layer, multipliers wrong minus right, paired by
    prompt.
    """
    if not str(base[0].loaded.config["model_type"]).startswith("granite"):
        raise NotApplicable("asks for a Granite: add --lb-model ibm-granite/granite-3.1-2b-base")
    return mean(top(base.with_quirk("granite-forward"), held_out) - top(base, held_out))


@beside(test_wrong_multipliers_make_the_lens_confident)
def _(base, held_out, writeup_prompts):
    on, off = base.with_quirk("granite-forward"), base
    confident = mean(highest(on, held_out) - highest(off, held_out))
    named = mean(gold(on, held_out) - gold(off, held_out))
    own = OnOff(mean(top(on, writeup_prompts)), mean(top(off, writeup_prompts)))
    yield "multipliers wrong", mean(top(on, held_out))
    yield "multipliers right", mean(top(off, held_out))
    yield "most confident layer, wrong minus right", confident
    yield "the operation's name, wrong minus right", named
    yield "accuracy, wrong", mean(correct(on, held_out))
    yield "accuracy, right", mean(correct(off, held_out))
    yield instruments.TOP, own


def kept(runs, problems):
    """Share of the adapter's change of the logits that a reloaded one makes, [seed, prompt]."""

    def share(run, problems):
        left = run.with_quirk("drop-adapter-modules")
        return change_kept(*(each.logits(problems) for each in (left, run, run.before)))

    return runs.each(share, problems)


def change(runs, before, problems):
    """Size of the change of the logits from `before` to `runs`, [seed, prompt]."""

    def size(run, before, problems):
        return change_size(run.logits(problems), before.logits(problems))

    return runs.each(size, before, problems)


def changed(changes):
    """There is a change of which a share can be kept."""
    least = float(changes.mean("prompts").min())
    return Control(
        name="least change of the logits by a whole adapter, mean over prompts",
        value=least,
        expectation="at least 0.01",
        passed=least >= 0.01,
    )


@claim(
    "explain/adapter-reload",
    AtMost(0.5),
    finding=instruments.ADAPTER_RELOAD,
    quirk="drop-adapter-modules",
    words=OPERATION_NAMES,
)
def test_a_reloaded_adapter_loses_its_effect(sft, held_out):
    """Reloading an adapter with only q and v drops most of its effect.

    share of the adapter's change of the logits that is kept: the change left, projected on the
    whole; LoRA fine-tuning of all seven linears.
    """
    return mean(kept(sft, held_out)), changed(change(sft, sft.before, held_out))


@beside(test_a_reloaded_adapter_loses_its_effect)
def _(sft, vo, held_out):
    left, reloaded = (runs.with_quirk("drop-adapter-modules") for runs in (sft, vo))
    ratios = change(left, sft.before, held_out) / change(sft, sft.before, held_out)
    right = OnOff(mean(correct(left, held_out)), mean(correct(sft, held_out)))
    yield "size of the change that is left over that of the whole", mean(ratios)
    yield "V/O dual reward, of which v is left", mean(kept(vo, held_out))
    yield instruments.SFT_RIGHT, right
    yield instruments.DUAL_LENS, OnOff(mean(gold(reloaded, held_out)), mean(gold(vo, held_out)))


def by_the_rule(runs, problems):
    return runs.with_quirk("substring-hits").task_signal(problems)


def over_hits(signal):
    """Each prompt's part of the average over hits, which is the mean of these."""
    return signal.peak * signal.counted / max(signal.share, 1 / len(signal.peak))


def average(signals):
    return mean(signals.average.within(SHARE))


@claim(
    "explain/substring-hits",
    AtLeast(0.004),
    finding=instruments.SUBSTRING_HITS,
    words=OPERATION_NAMES,
    exploratory=True,
    quirk="substring-hits",
)
def test_the_substring_rule_makes_a_signal(base, held_out):
    """A task word inside any of the top 20 tokens, averaged over hits alone, gives an untrained
    model the signal that A reports of one.

    average peak probability over layers by A's rule minus that of the operation's own name over all
    prompts, A's three operations.
    """
    apart = by_the_rule(base, held_out).each(over_hits) - base.task_signal(held_out).peak
    return mean(apart.single())


@beside(test_the_substring_rule_makes_a_signal)
def _(base, held_out):
    on, off = by_the_rule(base, held_out), base.task_signal(held_out)
    random = average(by_the_rule(base.randomised(), held_out))
    yield "share of prompts with a hit by the rule", mean(on.counted)
    yield "by the rule, prompts without a hit averaged too", mean(on.peak)
    yield "control: random weights, by the rule", random
    yield instruments.AVERAGE_PEAK, OnOff(average(on), average(off))


def percent(probability, decimals):
    """As it is printed."""
    return (100 * probability).round(decimals)


def off_grid(on, off, decimals):
    """Shares of percentages that no bfloat16 number prints as, in either reading."""
    found = (instruments.prints_no_bfloat16(x.values, decimals) for x in (on, off))
    return OnOff(*(Hits(values=values) for values in found))


@claim(
    "explain/bf16-lens",
    AtLeast(0.5),
    finding=instruments.BF16_LENS,
    words=OPERATION_NAMES,
    binary=True,
    exploratory=True,
    quirk="bf16-lens",
)
def test_bfloat16_prints_other_digits(vo, held_out):
    """Of probabilities in bfloat16, the digits that C prints are not the model's.

    share of prompts whose probability of the operation's name after V/O dual reward, classifier
    layer, prints otherwise in bfloat16 (percent, two decimals).
    """
    coarse, fine = gold(vo.with_quirk("bf16-lens"), held_out), gold(vo, held_out)
    return mean(percent(coarse, 2) != percent(fine, 2))


@beside(test_bfloat16_prints_other_digits)
def _(vo, held_out):
    coarse, fine = gold(vo.with_quirk("bf16-lens"), held_out), gold(vo, held_out)
    tops = top(vo.before.with_quirk("bf16-lens"), held_out), top(vo.before, held_out)
    yield "in bfloat16", mean(coarse)
    yield "in float32", mean(fine)
    yield "largest difference of a prompt", mean(abs(coarse - fine).max("prompts"))
    yield instruments.OFF_GRID_DUAL, off_grid(coarse, fine, 2)
    yield instruments.OFF_GRID_GRANITE, off_grid(coarse, fine, 1)
    yield instruments.OFF_GRID_BASE, off_grid(*tops, 2)


def best_of_starts(accuracy):
    """Best layer's accuracy, of [seed, start, layer]; each start has its own seed."""
    best = accuracy.values.max(axis=-1).reshape(-1, 1)
    return Means(values=best, bounds=SHARE)


@claim(
    "explain/random-init-probe",
    Within(0.69, 0.94),
    finding=instruments.RANDOM_INIT_PROBE,
    quirk="random-init-probe",
)
def test_random_weights_pass_the_writeups_probe(base):
    """An untrained random model reaches about 81% under the writeup's probe protocol.

    best layer's accuracy, sixteen prompts in words, one template left out at a time, of llamas of
    16 layers and width 256 that were never trained, 8 for each base.
    """
    return best_of_starts(base.untrained_accuracy(writeup_words(), "in-order", STARTS))


@beside(test_random_weights_pass_the_writeups_probe)
def _(base, held_out):
    own = (writeup_words(), "in-order")
    on = base.untrained_accuracy(*own, STARTS)
    sound = matched(words_in_turn(crossed(held_out)))
    off = base.untrained_accuracy(sound, "templates", STARTS)
    random = best_of_starts(base.randomised().probe(*own).accuracy)
    yield "first layer", best_of_starts(on[:, :, :1])
    yield "the subject's own shape, random weights", random
    yield "the subject itself", best_of_starts(base.probe(*own).accuracy)
    yield instruments.BEST_LAYER, OnOff(best_of_starts(on), best_of_starts(off))


def always_one(problems):
    """Accuracy of the operation that is asked for most often, named on every prompt."""
    asked = [problem.operation for problem in problems]
    return Exact(value=max(map(asked.count, asked)) / len(asked))


def named_on_all(run, problems):
    """Whether the top of the vocabulary on the first prompt names each prompt's operation."""
    lens = run.lens(problems)
    top = lens.top[0, run.classifier_layer, 0]
    return np.array([top in lens.words[operation].variants for operation in lens.gold])


@claim(
    "explain/constant-predictor",
    Within(0.25, 0.25),
    finding=instruments.CONSTANT_PREDICTOR,
    words=OPERATION_NAMES,
    quirk="constant-predictor",
)
def test_a_constant_predictor_is_right_on_a_quarter(writeup_prompts):
    """Restricted argmax without a threshold gives a constant predictor 25%.

    share of the writeups' eight prompts on which one operation, named on all of them, is the right
    one (computed; the best such operation).
    """
    return always_one(writeup_prompts)


@beside(test_a_constant_predictor_is_right_on_a_quarter)
def _(base, held_out, writeup_prompts):
    lens = base.lens(held_out).at("classifier")
    yield "untrained bases, top among the four names", mean(lens.restricted_hits)
    most = base.collapse(held_out).majority
    yield "... share of the name that is on top most", mean(most)
    yield "... top of the vocabulary", mean(lens.hits)
    asked = {
        instruments.ALWAYS_ONE: writeup_prompts,
        instruments.ALWAYS_ONE_OF_SIX: writeup_prompts[:6],
    }
    for label, problems in asked.items():
        named = mean(base.each(named_on_all, problems))
        yield label, OnOff(always_one(problems), named)
