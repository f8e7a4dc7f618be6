"""The passages with a number that no row of the list of claims judges.

Source: writeups A, C, D and E, by section in each claim; `reports/coverage.md` says which passage
is judged where. They are a family of their own and widen the interval of no other claim. Nothing is
trained for them: they read the bases, or what the families dual, grpo-dual and two-stage train.
"""

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
    Hits,
    LayerMax,
    Means,
    NotApplicable,
    Ratios,
    Stages,
    Within,
    claim,
)
from lazarus_bench.analysis.probe_prompts import crossed, in_symbols, matched, words_in_turn
from lazarus_bench.session.controls import overlap
from lazarus_bench.session.probe_confidence import probe_confidence
from lazarus_bench.tasks.arithmetic import training_problems
from lazarus_bench.training import DualReward, Fuse, Grpo, GrpoDual, Sft

from .writeups import passages as writeup
from .writeups.probe_prompts import writeup_symbols

VO = DualReward(targets="vo", weight=0.4, steps=500)
"""The family dual's."""

SHARED = GrpoDual(answers=4, shared_target=True)
BALANCED = GrpoDual(answers=4, shared_target=False, balanced=True)
ALONE = Grpo(prompts=SHARED.prompts, answers=SHARED.answers, iterations=SHARED.iterations)
"""The family grpo-dual's: the writeup's recipe, its first fix, and GRPO alone."""

FIFTY_FIFTY = Stages(
    recipes=(
        Sft(rank=16, scale=2.0, checkpoints=(0, 500)),
        Fuse(),
        DualReward(rank=8, weight=0.5, learning_rate=5e-5),
    )
)
"""The family two-stage's."""

CLUSTERS = "clusters of prompts"


def accuracy(run, prompts, held_out):
    """Held-out accuracy `[cluster, layer]` of a probe over prompts that share their label."""
    return run.probe(prompts, held_out).block_accuracy


def symbols(problems):
    return matched(in_symbols(crossed(problems)))


def words(problems):
    return matched(words_in_turn(crossed(problems)))


def only_granite(run):
    if not str(run.loaded.config["model_type"]).startswith("granite"):
        raise NotApplicable("asks for a Granite: add --lb-model ibm-granite/granite-3.1-2b-base")


def fallen(values):
    """The first layer's accuracy minus that of every layer, at the layer where it is most."""
    return LayerMax(
        values=[seed[:, :1] - seed for seed in values], items=CLUSTERS, bounds=SHARE_DIFFERENCE
    )


@claim(
    "passages/granite-trough",
    says="Granite's middle layers blur what a probe reads of operator symbols",
    estimand="maximum over layers of held-out accuracy at L0 minus that of the layer, prompts in "
    "symbols, operand pairs held out",
    region=AtLeast(0.25),
    finding=writeup.GRANITE_TROUGH,
    subjects=("lab:granite",),
)
def test_granites_middle_layers_blur_the_symbols(runs, held_out, judge):
    bases, prompts = runs(), symbols(held_out)
    only_granite(bases[0])
    judge(fallen([accuracy(run, prompts, "pairs") for run in bases]))
    random = [run.randomised() for run in bases]
    judge.beside(
        {
            "the writeups' protocol, 16 prompts": fallen(
                [accuracy(run, writeup_symbols(), "in-order") for run in bases]
            ),
            "control: random weights": fallen([accuracy(run, prompts, "pairs") for run in random]),
            "... the writeups' protocol": fallen(
                [accuracy(run, writeup_symbols(), "in-order") for run in random]
            ),
        }
    )


def each_above(steps):
    """Every step of the curve is a rise."""
    return AllOf(
        conditions=[
            Condition(name=name, evidence=step, region=Above(0.0)) for name, step in steps.items()
        ]
    )


GRANITE_PHASES = writeup.granite_phases(each_above)


@claim(
    "passages/granite-phases",
    says="Sixteen prompts show five phases of Granite's curve, and that instruction tuning shifts "
    "its trough",
    estimand="the least of six differences of printed accuracies of two layers, each the higher "
    "minus the lower",
    region=Above(0.0),
    finding=GRANITE_PHASES,
    subjects=(),
)
def test_sixteen_prompts_show_granites_phases(judge):
    judge(GRANITE_PHASES.evidence)


def lost(values):
    """Accuracy of every layer minus the last one's, at the layer where it is most."""
    return LayerMax(
        values=[seed - seed[:, -1:] for seed in values], items=CLUSTERS, bounds=SHARE_DIFFERENCE
    )


@claim(
    "passages/last-layers-lose",
    says="What a probe reads of prompts in words is partly lost in the last layers",
    estimand="maximum over layers of held-out accuracy minus that of the last layer, prompts in "
    "words, templates held out",
    region=AtLeast(0.1),
    finding=writeup.LAST_LAYERS_LOSE,
)
def test_the_last_layers_lose_the_operation(runs, held_out, judge):
    bases, prompts = runs(), words(held_out)
    found = [accuracy(run, prompts, "templates") for run in bases]
    judge(lost(found))
    random = [run.randomised() for run in bases]
    depth = bases[0].depth
    judge.beside(
        {
            "control: random weights": lost(
                [accuracy(run, prompts, "templates") for run in random]
            ),
            "depth of the best layer, 0 to 1": Means(
                values=[[seed.mean(axis=0).argmax() / (depth - 1)] for seed in found], bounds=SHARE
            ),
        }
    )


def sureness(runs, train, test, held_out):
    """Confidence minus whether the prediction is right, paired by prompt."""
    found = [probe_confidence(run, train, test, held_out) for run in runs]
    return Differences(
        first=[reading.probability for reading in found],
        second=[reading.right for reading in found],
        paired="prompts",
        bounds=SHARE_DIFFERENCE,
    )


def taught(count):
    """Distinct problems on the models' training side, so no pair of theirs is held out."""
    drawn = training_problems(np.random.default_rng(0), 3 * count)
    return tuple({problem.key: problem for problem in drawn}.values())[:count]


@claim(
    "passages/probe-confidence",
    says="A probe's confidence says how well it tells operations apart",
    estimand="probability of the predicted operation minus whether it is right, held-out prompts "
    "in symbols, probe of the writeups' protocol at its best layer",
    region=Within(-0.1, 0.1),
    finding=writeup.PROBE_CONFIDENCE,
    subjects=("lab:llama", "lab:granite"),
)
def test_a_probes_confidence_is_its_accuracy(runs, held_out, judge):
    bases, asked = runs(), symbols(held_out)
    judge(sureness(bases, writeup_symbols(), asked, "in-order"))
    read = [probe_confidence(run, writeup_symbols(), asked, "in-order") for run in bases]
    judge.beside(
        {
            "confidence": Means(values=[reading.probability for reading in read], bounds=SHARE),
            "share right": Hits(values=[reading.right for reading in read]),
            "standardised states, hundreds of prompts": sureness(
                bases, symbols(taught(len(held_out))), asked, "pairs"
            ),
        }
    )


@claim(
    "passages/class-gradient-beyond",
    says="A classification loss at the classifier layer has a gradient in all later layers",
    estimand="share of the blocks after the classifier layer in whose weights the class loss has a "
    "gradient at all",
    region=AtLeast(0.9),
    finding=writeup.CLASS_GRADIENT,
    words=OPERATION_NAMES,
)
def test_the_class_loss_has_a_gradient_in_later_layers(runs, held_out, judge):
    from lazarus_bench.training.losses import class_gradient

    bases = runs()
    layer = bases[0].classifier_layer
    found = [class_gradient(run.directory, held_out[:64], layer) for run in bases]
    judge(
        Hits(values=[reading.class_norm[layer + 1 :] > 0 for reading in found], items="blocks"),
        controls=[reaches([reading.class_norm[: layer + 1] for reading in found])],
    )
    up_to = [reading.cosine[: layer + 1] for reading in found]
    judge.beside(
        {
            "cosine of the class loss's gradient with the answer loss's, blocks up to it": Means(
                values=up_to, items="blocks", bounds=(-1, 1)
            ),
            "... lowest of these blocks": Means(
                values=[[cosines.min()] for cosines in up_to], bounds=(-1, 1)
            ),
        }
    )


def reaches(norms):
    """There is a gradient of which later layers could have a part."""
    least = min(float(seed.min()) for seed in norms)
    return Control(
        name="least norm of the class loss's gradient in a block up to the classifier layer",
        value=least,
        expectation="above 0",
        passed=least > 0,
    )


def spread(run, problems):
    """1 minus the mean cosine of pairs of prompts' states, classifier layer."""
    states = run.states([problem.symbols for problem in problems])[:, run.classifier_layer]
    wide = states.astype(np.float64)
    directions = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    count = len(directions)
    pairs = (np.square(directions.sum(axis=0)).sum() - count) / (count * (count - 1))
    return 1 - pairs


def narrowed(runs, problems):
    """The spread after a training over that before it."""
    return Ratios(
        numerator=[spread(run, problems) for run in runs],
        denominator=[spread(run.before, problems) for run in runs],
    )


@claim(
    "passages/states-collapse",
    says="Training the whole model with GRPO and the classification loss pulls all hidden states "
    "toward one direction",
    estimand="1 minus the mean cosine of the states of two prompts at the classifier layer, after "
    "the training over before it",
    region=AtMost(0.5),
    finding=writeup.STATES_COLLAPSE,
    needs=(SHARED, BALANCED, ALONE, VO),
    words=OPERATION_NAMES,
)
def test_hidden_states_collapse_to_one_direction(runs, held_out, judge):
    trained = runs(SHARED)
    judge(narrowed(trained, held_out), controls=[overlap(trained, held_out)])
    judge.beside(
        {
            "V/O dual reward": narrowed(runs(VO), held_out),
            "balanced batches, a target for each prompt": narrowed(runs(BALANCED), held_out),
            "control: GRPO alone": narrowed(runs(ALONE), held_out),
            "before training: 1 minus the mean cosine": Means(
                values=[[spread(run.before, held_out)] for run in trained]
            ),
        }
    )


def separation(runs, prompts):
    """Mean cosine within operations minus between them, centred, at the classifier layer."""
    return [[run.separation(prompts)[run.classifier_layer]] for run in runs]


def separated_more(first, second, prompts):
    return Differences(
        first=separation(first, prompts),
        second=separation(second, prompts),
        paired="prompts",
        support=False,
    )


@claim(
    "passages/classes-unseparated",
    says="V/O dual reward keeps the operations apart in hidden space, and full training with GRPO "
    "and the classification loss does not",
    estimand="cluster separation of the operations at the classifier layer (centred), prompts in "
    "symbols, V/O dual reward minus GRPO + dual reward, paired by seed",
    region=AtLeast(0.05),
    finding=writeup.CLASSES_UNSEPARATED,
    needs=(VO, SHARED, BALANCED),
    words=OPERATION_NAMES,
)
def test_full_training_does_not_separate_the_operations(runs, held_out, judge):
    light, both, fixed = runs(VO), runs(SHARED), runs(BALANCED)
    prompts = symbols(held_out)
    judge(separated_more(light, both, prompts), controls=[overlap([*light, *both], held_out)])
    judge.beside(
        {
            "minus GRPO + dual reward with balanced batches": separated_more(light, fixed, prompts),
            "V/O dual reward": Means(values=separation(light, prompts)),
            "GRPO + dual reward": Means(values=separation(both, prompts)),
            "before training": Means(values=separation([r.before for r in light], prompts)),
        }
    )


@claim(
    "passages/class-loss-stays",
    says="At 50/50 and a very low learning rate the classification loss stays high",
    estimand="classification loss of stage 2, last ten steps over the first step",
    region=AtLeast(0.5),
    finding=writeup.CLASS_LOSS_STAYS,
    needs=FIFTY_FIFTY,
    words=OPERATION_NAMES,
)
def test_the_class_loss_stays_high(runs, judge):
    second = runs(FIFTY_FIFTY)
    first, last = ([run.metrics[at].parts["class"] for run in second] for at in (0, -1))
    judge(Ratios(numerator=last, denominator=first))
    judge.beside(
        {
            "at the first step, nats": Means(values=[[loss] for loss in first]),
            "over the last ten, nats": Means(values=[[loss] for loss in last]),
        }
    )


@claim(
    "passages/tinyllama-cannot",
    says="TinyLlama's size (22 layers) or its layer L12 keeps a classification loss from putting "
    "an operation's word into the lens there",
    estimand="probability of the word on top of TinyLlama's lens at L12, an operation's on every "
    "prompt, after training with a classification loss there",
    region=AtMost(0.01),
    finding=writeup.TINYLLAMA_CANNOT,
    subjects=(),
)
def test_tinyllama_cannot_announce_an_operation(judge):
    judge(writeup.TINYLLAMA_CANNOT.evidence)


@claim(
    "passages/engram-parameters",
    says="LoRA of rank 16 on the seven linears of Qwen2.5-7B, with the classification head, trains "
    "~41M parameters",
    estimand="distance of the count from 41M, in units of the last printed digit; up to a half it "
    "rounds to the print",
    region=AtMost(0.5),
    finding=writeup.ENGRAM_PARAMETERS,
    subjects=(),
)
def test_the_engrams_count_is_the_printed_one(judge):
    judge(writeup.ENGRAM_PARAMETERS.evidence)


@claim(
    "passages/ten-thousand-steps",
    says="As A's signal grows with steps, 10,000 of them reach GPT-OSS's 50%",
    estimand="mean peak probability at step 10,000 on the straight line through the printed ones",
    region=AtLeast(0.5),
    finding=writeup.TEN_THOUSAND_STEPS,
    subjects=(),
    exploratory=True,
)
def test_ten_thousand_steps_reach_gpt_oss(judge):
    judge(writeup.TEN_THOUSAND_STEPS.evidence)
