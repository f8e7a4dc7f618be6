"""Dual reward: a classification loss on V/O adapters makes a middle layer name the operation.

Source: writeup C, *BREAKTHROUGH: Dual-Reward Training Achieves GPT-OSS Levels*.
"""

from lazarus_bench import (
    OPERATION_NAMES,
    SHARE,
    Above,
    AtLeast,
    AtMost,
    Within,
    beside,
    claim,
    mean,
    ratio,
    trained,
)
from lazarus_bench.session.controls import room_to_lose
from lazarus_bench.session.shown import lens_heatmap, lens_table, training_curves
from lazarus_bench.training import DualReward, Sft

from .writeups import emergence_results as writeup

VO = DualReward(targets="vo", weight=0.4, steps=500)
vo = trained(VO)
vo_instruct = trained(VO, instruct=True)
sft = trained(Sft())
ARMS = ("vo", "qk", "mlp", "all")
with_loss = {arm: trained(DualReward(targets=arm, match_targets="vo")) for arm in ARMS} | {"vo": vo}
without = {arm: trained(DualReward(targets=arm, match_targets="vo", weight=0.0)) for arm in ARMS}


def gold(runs, problems):
    """Probability of the operation's name at the classifier layer, [seed, prompt]."""
    return runs.lens(problems).at("classifier").gold_probability


def hits(runs, problems):
    return runs.lens(problems).at("classifier").hits


@claim("dual/vo-36", AtLeast(0.36), finding=writeup.VO_36)
def test_vo_reaches_36_percent(vo, held_out):
    """V/O dual reward puts at least 36% on the right operation word at the classifier layer.

    mean probability of the operation's name, classifier layer.
    """
    return mean(gold(vo, held_out))


@beside(test_vo_reaches_36_percent)
def _(vo, held_out, writeup_prompts):
    named = gold(vo, held_out)
    names = vo.lens(held_out).at("classifier").bare.sum("operations")
    yield "share of prompts with at least 0.36", mean(named >= 0.36)
    yield "the writeups' eight prompts", mean(gold(vo, writeup_prompts))
    yield "control: the three other operations' names", mean(((names - named) / 3).within(SHARE))
    yield "control: before training", mean(gold(vo.before, held_out))
    yield lens_table("Dual reward on V/O, seed 0", vo[0], writeup_prompts)
    yield lens_heatmap("Before training", vo.before, writeup_prompts, held_out)
    yield lens_heatmap("Dual reward on V/O", vo, writeup_prompts, held_out)


@claim(
    "dual/vo-all-right",
    AtLeast(0.9),
    finding=writeup.VO_ALL_RIGHT,
    binary=True,
    words=OPERATION_NAMES,
)
def test_vo_names_the_operation_on_every_prompt(vo, held_out):
    """V/O dual reward makes the right operation word the top token on every prompt.

    share of prompts whose top lens token names the operation (exact).
    """
    return mean(hits(vo, held_out))


@beside(test_vo_names_the_operation_on_every_prompt)
def _(vo, held_out, writeup_prompts):
    yield "the writeups' eight prompts", mean(hits(vo, writeup_prompts))
    yield "control: before training", mean(hits(vo.before, held_out))


@claim("dual/beats-sft", AtLeast(0.3), finding=writeup.BEATS_SFT)
def test_dual_reward_beats_sft(vo, sft, held_out):
    """Dual reward is far above standard LoRA.

    mean probability of the operation's name, dual reward minus SFT, paired by seed.
    """
    return mean(gold(vo, held_out) - gold(sft, held_out))


@beside(test_dual_reward_beats_sft)
def _(sft, writeup_prompts):
    yield lens_table("Standard LoRA fine-tuning, seed 0", sft[0], writeup_prompts)


@claim("dual/base-beats-instruct", Above(0.0), finding=writeup.BASE_BEATS_INSTRUCT)
def test_base_beats_instruct(vo, vo_instruct, held_out):
    """Base models take to it better than instruct models.

    mean probability of the operation's name, base minus instruct, paired by seed.
    """
    return mean(gold(vo, held_out) - gold(vo_instruct, held_out))


@beside(test_base_beats_instruct)
def _(vo, vo_instruct, held_out, writeup_prompts):
    yield "hit rate, base − instruct", mean(hits(vo, held_out) - hits(vo_instruct, held_out))
    yield "instruct", mean(gold(vo_instruct, held_out))
    first = ratio(vo_instruct.log("class")[:, 0], vo.log("class")[:, 0])
    yield "classification loss at the first step, instruct over base", first
    title = "Dual reward on V/O, instruct"
    yield lens_table(f"{title}, seed 0", vo_instruct[0], writeup_prompts)
    yield lens_heatmap(title, vo_instruct, writeup_prompts, held_out)


@claim("dual/loss-falls", AtMost(0.1), finding=writeup.DUAL_LOSS_FALLS)
def test_classification_loss_falls(vo):
    """The classification loss converges.

    classification loss, last ten steps over the first step.
    """
    loss = vo.log("class")
    return ratio(loss[:, -1], loss[:, 0])


@beside(test_classification_loss_falls)
def _(vo):
    yield training_curves("Dual reward on V/O", vo, ["loss", "class", "answer"])


@claim(
    "dual/answers-survive",
    AtLeast(-0.1),
    finding=writeup.ANSWERS_SURVIVE,
    binary=True,
    words=OPERATION_NAMES,
    difference=True,
)
def test_answers_survive(vo, held_out):
    """Answering is not harmed.

    exact-match accuracy on held-out operands, after minus before.
    """
    after, before = vo.answers(held_out).correct, vo.before.answers(held_out).correct
    return mean(after - before), room_to_lose(vo.before, held_out, by=0.1)


@beside(test_answers_survive)
def _(vo, held_out):
    yield "after", mean(vo.answers(held_out).correct)
    yield "before", mean(vo.before.answers(held_out).correct)


@claim("dual/params", Within(851_968, 851_968), finding=writeup.PARAMS, subjects=())
def test_vo_parameters():
    """V/O LoRA of Llama-3.2-1B trains 851,968 parameters.

    parameters counted from the published configuration, rank 8, no weights.
    """
    return writeup.PARAMS.evidence


@claim("dual/vo-is-the-key", Above(0.0), finding=writeup.VO_IS_THE_KEY)
def test_vo_is_the_key(with_loss, held_out):
    """V/O is what matters, not merely the classification loss.

    mean probability of the operation's name given the loss, V/O minus whichever of Q/K and MLP does
    better over all seeds at matched parameters, paired by seed.
    """
    named = {arm: gold(runs, held_out) for arm, runs in with_loss.items()}
    better = max(("qk", "mlp"), key=lambda arm: named[arm].mean())
    return mean(named["vo"] - named[better])


@beside(test_vo_is_the_key)
def _(with_loss, without, held_out):
    named = {arm: gold(runs, held_out) for arm, runs in with_loss.items()}
    for arm in ("qk", "mlp", "all"):
        yield f"V/O minus {arm}", mean(named["vo"] - named[arm])
    for arm in ARMS:
        yield f"{arm} with the loss", mean(named[arm])
    for arm in ARMS:
        yield f"{arm} without the loss", mean(gold(without[arm], held_out))
