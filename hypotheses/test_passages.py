"""The passages with a number that no row of the list of claims judges.

Source: writeups A, C, D and E, by section in each claim; `reports/coverage.md` says which passage
is judged where. They are a family of their own and widen the interval of no other claim. Nothing is
trained for them: they read the bases, or what the families dual, grpo-dual and two-stage train.
"""

import numpy as np

from lazarus_bench import (
    OPERATION_NAMES,
    SHARE,
    Above,
    AtLeast,
    AtMost,
    Control,
    NotApplicable,
    Within,
    all_of,
    beside,
    best_layer,
    claim,
    mean,
    ratio,
    trained,
)
from lazarus_bench.analysis.probe_prompts import crossed, in_symbols, matched, words_in_turn
from lazarus_bench.tasks.arithmetic import training_problems
from lazarus_bench.training import DualReward, Fuse, Grpo, GrpoDual, Sft

from .writeups import passages as writeup
from .writeups.probe_prompts import writeup_symbols

vo = trained(DualReward(targets="vo", weight=0.4, steps=500))
"""The family dual's."""

SHARED = GrpoDual(answers=4, shared_target=True)
shared = trained(SHARED)
balanced = trained(GrpoDual(answers=4, shared_target=False, balanced=True))
alone = trained(Grpo(prompts=SHARED.prompts, answers=SHARED.answers, iterations=SHARED.iterations))
"""The family grpo-dual's: the writeup's recipe, its first fix, and GRPO alone."""

fifty_fifty = trained(
    Sft(rank=16, scale=2.0, checkpoints=(0, 500)),
    Fuse(),
    DualReward(rank=8, weight=0.5, learning_rate=5e-5),
)
"""The family two-stage's."""

CLUSTERS = "clusters of prompts"


def accuracy(runs, prompts, held_out):
    """Held-out accuracy of a probe over prompts that share their label, [seed, cluster, layer]."""
    return runs.probe(prompts, held_out).block_accuracy


def symbols(problems):
    return matched(in_symbols(crossed(problems)))


def words(problems):
    return matched(words_in_turn(crossed(problems)))


def fallen(found):
    """The first layer's accuracy minus that of every layer, at the layer where it is most."""
    return best_layer(found[:, :, :1] - found)


@claim(
    "passages/granite-trough",
    AtLeast(0.25),
    finding=writeup.GRANITE_TROUGH,
    subjects=("lab:granite",),
)
def test_granites_middle_layers_blur_the_symbols(base, held_out):
    """Granite's middle layers blur what a probe reads of operator symbols.

    maximum over layers of held-out accuracy at L0 minus that of the layer, prompts in symbols,
    operand pairs held out.
    """
    if not str(base[0].loaded.config["model_type"]).startswith("granite"):
        raise NotApplicable("asks for a Granite: add --lb-model ibm-granite/granite-3.1-2b-base")
    return fallen(accuracy(base, symbols(held_out), "pairs"))


@beside(test_granites_middle_layers_blur_the_symbols)
def _(base, held_out):
    own, random = (writeup_symbols(), "in-order"), base.randomised()
    control = fallen(accuracy(random, symbols(held_out), "pairs"))
    yield "the writeups' protocol, 16 prompts", fallen(accuracy(base, *own))
    yield "control: random weights", control
    yield "... the writeups' protocol", fallen(accuracy(random, *own))


def each_above(steps):
    """Every step of the curve is a rise."""
    return all_of({name: (step, Above(0.0)) for name, step in steps.items()})


GRANITE_PHASES = writeup.granite_phases(each_above)


@claim("passages/granite-phases", Above(0.0), finding=GRANITE_PHASES, subjects=())
def test_sixteen_prompts_show_granites_phases():
    """Sixteen prompts show five phases of Granite's curve, and that instruction tuning shifts its
    trough.

    the least of six differences of printed accuracies of two layers, each the higher minus the
    lower.
    """
    return GRANITE_PHASES.evidence


def lost(found):
    """Accuracy of every layer minus the last one's, at the layer where it is most."""
    return best_layer(found - found[:, :, -1:])


@claim("passages/last-layers-lose", AtLeast(0.1), finding=writeup.LAST_LAYERS_LOSE)
def test_the_last_layers_lose_the_operation(base, held_out):
    """What a probe reads of prompts in words is partly lost in the last layers.

    maximum over layers of held-out accuracy minus that of the last layer, prompts in words,
    templates held out.
    """
    return lost(accuracy(base, words(held_out), "templates"))


@beside(test_the_last_layers_lose_the_operation)
def _(base, held_out):
    prompts = words(held_out)
    best = accuracy(base, prompts, "templates").mean(CLUSTERS).argmax("layers")
    depth = (best / (base.depth - 1)).within(SHARE)
    yield "control: random weights", lost(accuracy(base.randomised(), prompts, "templates"))
    yield "depth of the best layer, 0 to 1", mean(depth)


def sureness(found):
    """Confidence minus whether the prediction is right, paired by prompt."""
    return mean(found.probability - found.right)


def taught(count):
    """Distinct problems on the models' training side, so no pair of theirs is held out."""
    drawn = training_problems(np.random.default_rng(0), 3 * count)
    return tuple({problem.key: problem for problem in drawn}.values())[:count]


@claim(
    "passages/probe-confidence",
    Within(-0.1, 0.1),
    finding=writeup.PROBE_CONFIDENCE,
    subjects=("lab:llama", "lab:granite"),
)
def test_a_probes_confidence_is_its_accuracy(base, held_out):
    """A probe's confidence says how well it tells operations apart.

    probability of the predicted operation minus whether it is right, held-out prompts in symbols,
    probe of the writeups' protocol at its best layer.
    """
    return sureness(base.probe_confidence(writeup_symbols(), symbols(held_out), "in-order"))


@beside(test_a_probes_confidence_is_its_accuracy)
def _(base, held_out):
    own = base.probe_confidence(writeup_symbols(), symbols(held_out), "in-order")
    many = symbols(taught(len(held_out))), symbols(held_out), "pairs"
    yield "confidence", mean(own.probability)
    yield "share right", mean(own.right)
    sound = sureness(base.probe_confidence(*many))
    yield "standardised states, hundreds of prompts", sound


def gradients(runs, problems):
    """Of the class loss and the answer loss in the weights of every block."""

    def gradient(run, problems):
        from lazarus_bench.training.losses import class_gradient

        return class_gradient(run.directory, problems, run.classifier_layer)

    return runs.each(gradient, problems[:64])


@claim(
    "passages/class-gradient-beyond",
    AtLeast(0.9),
    finding=writeup.CLASS_GRADIENT,
    words=OPERATION_NAMES,
)
def test_the_class_loss_has_a_gradient_in_later_layers(base, held_out):
    """A classification loss at the classifier layer has a gradient in all later layers.

    share of the blocks after the classifier layer in whose weights the class loss has a gradient at
    all.
    """
    norm, beyond = gradients(base, held_out).class_norm, base.classifier_layer + 1
    least = float(norm[:, :beyond].min())
    return mean(norm[:, beyond:] > 0, items="blocks"), Control(
        name="least norm of the class loss's gradient in a block up to the classifier layer",
        value=least,
        expectation="above 0",
        passed=least > 0,
    )


@beside(test_the_class_loss_has_a_gradient_in_later_layers)
def _(base, held_out):
    cosine = gradients(base, held_out).cosine[:, : base.classifier_layer + 1].within((-1, 1))
    label = "cosine of the class loss's gradient with the answer loss's, blocks up to it"
    yield label, mean(cosine, items="blocks")
    yield "... lowest of these blocks", mean(cosine.min("prompts"))


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
    return ratio(runs.each(spread, problems), runs.before.each(spread, problems))


@claim(
    "passages/states-collapse", AtMost(0.5), finding=writeup.STATES_COLLAPSE, words=OPERATION_NAMES
)
def test_hidden_states_collapse_to_one_direction(shared, held_out):
    """Training the whole model with GRPO and the classification loss pulls all hidden states toward
    one direction.

    1 minus the mean cosine of the states of two prompts at the classifier layer, after the training
    over before it.
    """
    return narrowed(shared, held_out)


@beside(test_hidden_states_collapse_to_one_direction)
def _(shared, vo, balanced, alone, held_out):
    before = mean(shared.before.each(spread, held_out))
    yield "V/O dual reward", narrowed(vo, held_out)
    yield "balanced batches, a target for each prompt", narrowed(balanced, held_out)
    yield "control: GRPO alone", narrowed(alone, held_out)
    yield "before training: 1 minus the mean cosine", before


def separation(runs, problems):
    """Mean cosine within operations minus between them, centred, at the classifier layer."""
    return runs.separation(symbols(problems)).at("classifier")


def separated_more(first, second, problems):
    return mean(separation(first, problems) - separation(second, problems), support=False)


@claim(
    "passages/classes-unseparated",
    AtLeast(0.05),
    finding=writeup.CLASSES_UNSEPARATED,
    words=OPERATION_NAMES,
)
def test_full_training_does_not_separate_the_operations(vo, shared, held_out):
    """V/O dual reward keeps the operations apart in hidden space, and full training with GRPO and
    the classification loss does not.

    cluster separation of the operations at the classifier layer (centred), prompts in symbols, V/O
    dual reward minus GRPO + dual reward, paired by seed.
    """
    return separated_more(vo, shared, held_out)


@beside(test_full_training_does_not_separate_the_operations)
def _(vo, shared, balanced, held_out):
    fixed = separated_more(vo, balanced, held_out)
    yield "minus GRPO + dual reward with balanced batches", fixed
    yield "V/O dual reward", mean(separation(vo, held_out))
    yield "GRPO + dual reward", mean(separation(shared, held_out))
    yield "before training", mean(separation(vo.before, held_out))


@claim(
    "passages/class-loss-stays",
    AtLeast(0.5),
    finding=writeup.CLASS_LOSS_STAYS,
    words=OPERATION_NAMES,
)
def test_the_class_loss_stays_high(fifty_fifty):
    """At 50/50 and a very low learning rate the classification loss stays high.

    classification loss of stage 2, last ten steps over the first step.
    """
    loss = fifty_fifty.log("class")
    return ratio(loss[:, -1], loss[:, 0])


@beside(test_the_class_loss_stays_high)
def _(fifty_fifty):
    loss = fifty_fifty.log("class")
    yield "at the first step, nats", mean(loss[:, 0])
    yield "over the last ten, nats", mean(loss[:, -1])


@claim("passages/tinyllama-cannot", AtMost(0.01), finding=writeup.TINYLLAMA_CANNOT, subjects=())
def test_tinyllama_cannot_announce_an_operation():
    """TinyLlama's size (22 layers) or its layer L12 keeps a classification loss from putting an
    operation's word into the lens there.

    probability of the word on top of TinyLlama's lens at L12, an operation's on every prompt, after
    training with a classification loss there.
    """
    return writeup.TINYLLAMA_CANNOT.evidence


@claim("passages/engram-parameters", AtMost(0.5), finding=writeup.ENGRAM_PARAMETERS, subjects=())
def test_the_engrams_count_is_the_printed_one():
    """LoRA of rank 16 on the seven linears of Qwen2.5-7B, with the classification head, trains ~41M
    parameters.

    distance of the count from 41M, in units of the last printed digit; up to a half it rounds to
    the print.
    """
    return writeup.ENGRAM_PARAMETERS.evidence


@claim(
    "passages/ten-thousand-steps",
    AtLeast(0.5),
    finding=writeup.TEN_THOUSAND_STEPS,
    subjects=(),
    exploratory=True,
)
def test_ten_thousand_steps_reach_gpt_oss():
    """As A's signal grows with steps, 10,000 of them reach GPT-OSS's 50%.

    mean peak probability at step 10,000 on the straight line through the printed ones.
    """
    return writeup.TEN_THOUSAND_STEPS.evidence
