"""Dual reward: a classification loss on V/O adapters makes a middle layer name the operation.

Source: writeup C, *BREAKTHROUGH: Dual-Reward Training Achieves GPT-OSS Levels*.
"""

import numpy as np

from lazarus_bench import (
    OPERATION_NAMES,
    SHARE,
    SHARE_DIFFERENCE,
    Above,
    AtLeast,
    AtMost,
    Differences,
    HitDifferences,
    Hits,
    Means,
    OnInstruct,
    Ratios,
    Within,
    claim,
)
from lazarus_bench.session.controls import overlap, room_to_lose
from lazarus_bench.session.curves import training_curves
from lazarus_bench.session.heatmaps import lens_heatmap
from lazarus_bench.session.tables import lens_table
from lazarus_bench.training import DualReward, Sft

from .writeups import emergence_results as writeup

VO = DualReward(targets="vo", weight=0.4, steps=500)
ARMS = ("vo", "qk", "mlp", "all")
WITH = {arm: DualReward(targets=arm, match_targets="vo") for arm in ARMS} | {"vo": VO}
WITHOUT = {arm: DualReward(targets=arm, match_targets="vo", weight=0.0) for arm in ARMS}


def gold(run, problems):
    """Probability of the operation's name at the classifier layer, one a prompt."""
    return run.lens(problems).gold_probability[:, run.classifier_layer]


def hits(run, problems):
    return run.lens(problems).hits[:, run.classifier_layer]


@claim(
    "dual/vo-36",
    says="V/O dual reward puts at least 36% on the right operation word at the classifier layer",
    estimand="mean probability of the operation's name, classifier layer",
    region=AtLeast(0.36),
    finding=writeup.VO_36,
    needs=VO,
)
def test_vo_reaches_36_percent(runs, held_out, writeup_prompts, judge):
    trained = runs(VO)
    judge(
        Means(values=[gold(run, held_out) for run in trained], bounds=SHARE),
        controls=[overlap(trained, held_out)],
    )
    reached = [gold(run, held_out) >= 0.36 for run in trained]
    wrong = [other_names(run, held_out) for run in trained]
    judge.beside(
        {
            "share of prompts with at least 0.36": Hits(values=reached),
            "the writeups' eight prompts": Means(
                values=[gold(run, writeup_prompts) for run in trained], bounds=SHARE
            ),
            "control: the three other operations' names": Means(values=wrong, bounds=SHARE),
            "control: before training": Means(
                values=[gold(run.before, held_out) for run in trained], bounds=SHARE
            ),
        }
    )
    judge.show(lens_table("Dual reward on V/O, seed 0", trained[0], writeup_prompts))
    before = [run.before for run in trained]
    judge.show(lens_heatmap("Before training", before, writeup_prompts, held_out))
    judge.show(lens_heatmap("Dual reward on V/O", trained, writeup_prompts, held_out))


def other_names(run, problems):
    lens = run.lens(problems)
    names = lens.bare[:, run.classifier_layer].sum(axis=1)
    return (names - lens.gold_probability[:, run.classifier_layer]) / 3


@claim(
    "dual/vo-all-right",
    says="V/O dual reward makes the right operation word the top token on every prompt",
    estimand="share of prompts whose top lens token names the operation (exact)",
    region=AtLeast(0.9),
    finding=writeup.VO_ALL_RIGHT,
    needs=VO,
    binary=True,
    words=OPERATION_NAMES,
)
def test_vo_names_the_operation_on_every_prompt(runs, held_out, writeup_prompts, judge):
    trained = runs(VO)
    judge(
        Hits(values=[hits(run, held_out) for run in trained]),
        controls=[overlap(trained, held_out)],
    )
    own = [hits(run, writeup_prompts) for run in trained]
    before = [hits(run.before, held_out) for run in trained]
    judge.beside(
        {
            "the writeups' eight prompts": Hits(values=own),
            "control: before training": Hits(values=before),
        }
    )


@claim(
    "dual/beats-sft",
    says="Dual reward is far above standard LoRA",
    estimand="mean probability of the operation's name, dual reward minus SFT, paired by seed",
    region=AtLeast(0.3),
    finding=writeup.BEATS_SFT,
    needs=(VO, Sft()),
)
def test_dual_reward_beats_sft(runs, held_out, writeup_prompts, judge):
    dual, sft = runs(VO), runs(Sft())
    judge(
        Differences(
            first=[gold(run, held_out) for run in dual],
            second=[gold(run, held_out) for run in sft],
            paired="prompts",
            bounds=SHARE_DIFFERENCE,
        ),
        controls=[overlap([*dual, *sft], held_out)],
    )
    judge.show(lens_table("Standard LoRA fine-tuning, seed 0", sft[0], writeup_prompts))


@claim(
    "dual/base-beats-instruct",
    says="Base models take to it better than instruct models",
    estimand="mean probability of the operation's name, base minus instruct, paired by seed",
    region=Above(0.0),
    finding=writeup.BASE_BEATS_INSTRUCT,
    needs=(VO, OnInstruct(recipe=VO)),
)
def test_base_beats_instruct(runs, held_out, writeup_prompts, judge):
    base, instruct = runs(VO), runs(OnInstruct(recipe=VO))
    judge(
        Differences(
            first=[gold(run, held_out) for run in base],
            second=[gold(run, held_out) for run in instruct],
            paired="prompts",
            bounds=SHARE_DIFFERENCE,
        ),
        controls=[overlap([*base, *instruct], held_out)],
    )
    judge.beside(
        {
            "hit rate, base − instruct": HitDifferences(
                first=[hits(run, held_out) for run in base],
                second=[hits(run, held_out) for run in instruct],
            ),
            "instruct": Means(values=[gold(run, held_out) for run in instruct], bounds=SHARE),
            "classification loss at the first step, instruct over base": Ratios(
                numerator=[run.metrics[0].parts["class"] for run in instruct],
                denominator=[run.metrics[0].parts["class"] for run in base],
            ),
        }
    )
    judge.show(lens_table("Dual reward on V/O, instruct, seed 0", instruct[0], writeup_prompts))
    judge.show(lens_heatmap("Dual reward on V/O, instruct", instruct, writeup_prompts, held_out))


@claim(
    "dual/loss-falls",
    says="The classification loss converges",
    estimand="classification loss, last ten steps over the first step",
    region=AtMost(0.1),
    finding=writeup.DUAL_LOSS_FALLS,
    needs=VO,
)
def test_classification_loss_falls(runs, judge):
    trained = runs(VO)
    logs = [run.metrics for run in trained]
    judge(
        Ratios(
            numerator=[log[-1].parts["class"] for log in logs],
            denominator=[log[0].parts["class"] for log in logs],
        )
    )
    judge.show(training_curves("Dual reward on V/O", trained, ["loss", "class", "answer"]))


@claim(
    "dual/answers-survive",
    says="Answering is not harmed",
    estimand="exact-match accuracy on held-out operands, after minus before",
    region=AtLeast(-0.1),
    finding=writeup.ANSWERS_SURVIVE,
    needs=VO,
    binary=True,
    words=OPERATION_NAMES,
    difference=True,
)
def test_answers_survive(runs, held_out, judge):
    trained = runs(VO)
    after = [run.answers(held_out).correct for run in trained]
    before = [run.before.answers(held_out).correct for run in trained]
    judge(
        HitDifferences(first=after, second=before),
        controls=[
            overlap(trained, held_out),
            room_to_lose([run.before for run in trained], held_out, by=0.1),
        ],
    )
    judge.beside({"after": Hits(values=after), "before": Hits(values=before)})


@claim(
    "dual/params",
    says="V/O LoRA of Llama-3.2-1B trains 851,968 parameters",
    estimand="parameters counted from the published configuration, rank 8, no weights",
    region=Within(851_968, 851_968),
    finding=writeup.PARAMS,
    subjects=(),
)
def test_vo_parameters(judge):
    judge(writeup.PARAMS.evidence)


@claim(
    "dual/vo-is-the-key",
    says="V/O is what matters, not merely the classification loss",
    estimand="mean probability of the operation's name given the loss, V/O minus whichever of Q/K "
    "and MLP does better over all seeds at matched parameters, paired by seed",
    region=Above(0.0),
    finding=writeup.VO_IS_THE_KEY,
    needs=(*WITH.values(), *WITHOUT.values()),
)
def test_vo_is_the_key(runs, held_out, judge):
    with_loss = {arm: [gold(run, held_out) for run in runs(WITH[arm])] for arm in ARMS}
    without = {arm: [gold(run, held_out) for run in runs(WITHOUT[arm])] for arm in ARMS}
    better = max(("qk", "mlp"), key=lambda arm: np.mean(with_loss[arm]))
    judge(
        Differences(
            first=with_loss["vo"],
            second=with_loss[better],
            paired="prompts",
            bounds=SHARE_DIFFERENCE,
        ),
        controls=[overlap([run for arm in ARMS for run in runs(WITH[arm])], held_out)],
    )
    for arm in ("qk", "mlp", "all"):
        contrast = Differences(
            first=with_loss["vo"], second=with_loss[arm], paired="prompts", bounds=SHARE_DIFFERENCE
        )
        judge.beside({f"V/O minus {arm}": contrast})
    cells = {f"{arm} with the loss": with_loss[arm] for arm in ARMS}
    cells |= {f"{arm} without the loss": without[arm] for arm in ARMS}
    judge.beside({name: Means(values=values, bounds=SHARE) for name, values in cells.items()})
