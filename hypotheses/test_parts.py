"""Parts of passages with a number that the claims of the other families leave out.

Source: all but writeup E, by section in each claim; `reports/coverage.md` says which part is judged
where. They were registered late, after reports of the other families could be read, though before
any of their own readings was taken; so they are a family of their own, and no interval of another
claim widens for them. Nothing is trained for them: they read the bases, or what the families sft,
finetune, dual and two-stage train.
"""

import numpy as np

from lazarus_bench import (
    LAB_BOTH,
    OPERATION_NAMES,
    SHARE,
    Above,
    AtLeast,
    AtMost,
    Below,
    NotApplicable,
    Within,
    all_of,
    beside,
    best_layer,
    claim,
    difference,
    mean,
    ratio,
    trained,
)
from lazarus_bench.analysis.probe_prompts import crossed, in_symbols, matched, words_in_turn
from lazarus_bench.session.controls import room_to_lose
from lazarus_bench.tasks.arithmetic import Operation
from lazarus_bench.training import DualReward, Fuse, Sft

from .writeups import passage_parts as writeup
from .writeups.probe_prompts import writeup_symbols, writeup_words

lora = trained(Sft())
full = trained(Sft(full=True, learning_rate=1e-5, checkpoints=(0, 500)))
"""The family finetune's."""

VO = DualReward(targets="vo", weight=0.4, steps=500)
vo = trained(VO)
vo_instruct = trained(VO, instruct=True)
"""The family dual's."""

FUSED = (Sft(rank=16, scale=2.0, checkpoints=(0, 500)), Fuse())
fifty_fifty = trained(*FUSED, DualReward(rank=8, weight=0.5, learning_rate=5e-5))
twenty_eighty = trained(*FUSED, DualReward(rank=8, weight=0.8, steps=200, learning_rate=1e-3))
"""The family two-stage's."""


def accuracy(runs, prompts, held_out):
    """Held-out accuracy of a probe over prompts that share their label, [seed, cluster, layer]."""
    return runs.probe(prompts, held_out).block_accuracy


def symbols(problems):
    return matched(in_symbols(crossed(problems)))


def words(problems):
    return matched(words_in_turn(crossed(problems)))


def subtractions(problems):
    return tuple(p for p in problems if p.operation is Operation.SUBTRACT)


def confidence(run, problems):
    """Probability of the top token after a prompt."""
    logits = run.logits(problems).astype(np.float64)
    top = logits.max(axis=1)
    return 1 / np.exp(logits - top[:, None]).sum(axis=1)


def begins_right(run, problems):
    """Whether that token begins the right answer."""
    from lazarus_bench.analysis.prompts import first_answer_tokens

    return run.logits(problems).argmax(axis=1) == first_answer_tokens(run.loaded, problems)


def answer_sureness(runs, problems):
    sure = runs.each(confidence, problems).within(SHARE)
    return difference(sure, runs.each(begins_right, problems), paired="prompts")


@claim("parts/answer-confidence", Within(-0.1, 0.1), finding=writeup.ANSWER_CONFIDENCE)
def test_an_answers_probability_is_its_accuracy(lora, held_out):
    """After fine-tuning, the probability that an answer gets says how often it is right.

    probability of the top token after the prompt minus whether it begins the right answer, held-out
    prompts in symbols.
    """
    return answer_sureness(lora, held_out)


@beside(test_an_answers_probability_is_its_accuracy)
def _(lora, full, held_out):
    yield "full fine-tuning", answer_sureness(full, held_out)
    yield "before training", answer_sureness(lora.before, held_out)


BETWEEN = (11 / 16, 12 / 16)
"""Depths of the layers between B's subtraction word and the answer."""


def between(runs):
    return sorted({round(depth * runs.depth) for depth in BETWEEN})


def shown_between(runs, problems):
    """The most that the answer's first token or a synonym of remaining has between the two."""
    synonyms = runs.synonyms(problems).max("tokens")
    either = np.maximum(runs.lens(problems).answer, synonyms)
    return mean(either[:, :, between(runs)].max("layers"))


@claim("parts/answer-transition", AtMost(0.1), finding=writeup.ANSWER_TRANSITION)
def test_the_lens_shows_neither_between(lora, held_out):
    """Between the layer of the subtraction word and that of the answer the lens shows neither.

    the larger of the lens probabilities of the answer's first token and of a remaining/remainder
    token, the larger at layers round(0.6875 · layers) and round(0.75 · layers), mean over
    subtractions.
    """
    return shown_between(lora, subtractions(held_out))


@beside(test_the_lens_shows_neither_between)
def _(lora, held_out):
    before = shown_between(lora.before, subtractions(held_out))
    yield "control: before training", before


def first_tokens(run, number):
    """The first tokens of a number as it stands and after a blank."""
    encode = run.loaded.tokenizer.encode
    spelt = (encode(text, add_special_tokens=False) for text in (str(number), f" {number}"))
    return {ids[0] for ids in spelt}


def operand_shown(run, problems, operands):
    """Whether an operand begins with a prompt's top lens token at a layer before the answer."""
    top = run.lens(problems).top[:, between(run), 0]
    numbers = ({*first_tokens(run, p.a), *first_tokens(run, p.b)} for p in operands)
    shown = zip(numbers, top.tolist(), strict=True)
    return np.array([bool(known & set(row)) for known, row in shown])


def others(problems):
    """For every prompt, that which is half the list away."""
    half = len(problems) // 2
    return (*problems[half:], *problems[:half])


def operands_shown(runs, problems):
    """Own operands minus those of a prompt half the list away."""
    own = runs.each(operand_shown, problems, problems)
    return difference(own, runs.each(operand_shown, problems, others(problems)), paired="prompts")


@claim(
    "parts/operand-recognised",
    AtLeast(0.1),
    finding=writeup.OPERAND_RECOGNISED,
    binary=True,
    difference=True,
    words=OPERATION_NAMES,
)
def test_the_lens_shows_an_operand(lora, held_out):
    """After fine-tuning, the lens shows an operand in the layers before the answer.

    share of prompts whose top lens token at layer round(0.6875 · layers) or round(0.75 · layers)
    begins an operand, minus the same with another prompt's operands.
    """
    return operands_shown(lora, held_out)


@beside(test_the_lens_shows_an_operand)
def _(lora, held_out):
    yield "its own operands", mean(lora.each(operand_shown, held_out, held_out))
    yield "control: before training", operands_shown(lora.before, held_out)


def each_reaches(masses):
    """Every method's mass on the synonyms is at least 0.4, the family sft's threshold."""
    return all_of({name: (mass, AtLeast(0.4)) for name, mass in masses.items()})


def synonym_mass(runs, problems):
    """Mass on remaining/remainder at layer round(0.625 · layers)."""
    return mean(runs.synonym_mass(subtractions(problems)).at(round(0.625 * runs.depth)))


@claim("parts/subtraction-both", AtLeast(0.0), finding=writeup.subtraction_both(each_reaches))
def test_both_methods_decode_subtraction(lora, full, held_out):
    """LoRA and full fine-tuning both make subtraction decode to remaining/remainder at 62.5% depth.

    the smaller of the two methods' mean probability of remaining/remainder/... at layer round(0.625
    · layers), minus 0.4.
    """
    masses = {"LoRA": synonym_mass(lora, held_out), "full": synonym_mass(full, held_out)}
    return each_reaches(masses)


@beside(test_both_methods_decode_subtraction)
def _(lora, full, held_out):
    yield "LoRA", synonym_mass(lora, held_out)
    yield "full", synonym_mass(full, held_out)
    yield "control: before training", synonym_mass(lora.before, held_out)


def peaks_near(runs, problems):
    """Share of prompts whose synonym mass peaks within a layer of 0.625 · layers, minus chance."""
    middle = round(0.625 * runs.depth)
    near = abs(np.arange(runs.depth) - middle) <= 1
    peaks = runs.synonym_mass(subtractions(problems)).argmax("layers")
    return mean(abs(peaks - middle) <= 1, minus=near.mean())


@claim(
    "parts/subtraction-peak",
    Above(0.0),
    finding=writeup.SUBTRACTION_PEAK,
    binary=True,
    difference=True,
)
def test_the_subtraction_word_peaks_there(lora, held_out):
    """The subtraction word is at its strongest at 62.5% depth.

    share of subtractions whose mass on remaining/remainder/... peaks within one layer of 0.625 ·
    layers, minus chance.
    """
    return peaks_near(lora, held_out)


@beside(test_the_subtraction_word_peaks_there)
def _(lora, full, held_out):
    yield "full fine-tuning", peaks_near(full, held_out)
    yield "control: before training", peaks_near(lora.before, held_out)


def peak(runs, problems):
    """Each prompt's highest probability of the operation's name over layers."""
    return runs.lens(problems).gold_probability.max("layers")


@claim("parts/full-stronger", Above(0.0), finding=writeup.FULL_STRONGER, exploratory=True)
def test_full_fine_tuning_gives_a_stronger_signal(lora, full, held_out):
    """Full fine-tuning gives a stronger signal than LoRA.

    peak probability of the operation's name over layers, full fine-tuning minus LoRA, paired.
    """
    return mean(peak(full, held_out) - peak(lora, held_out))


@beside(test_full_fine_tuning_gives_a_stronger_signal)
def _(lora, full, held_out):
    yield "full", mean(peak(full, held_out))
    yield "LoRA", mean(peak(lora, held_out))
    yield "before training", mean(peak(lora.before, held_out))


@claim(
    "parts/granite-architecture",
    AtMost(0.5625),
    finding=writeup.GRANITE_ARCHITECTURE,
    subjects=("lab:granite",),
    exploratory=True,
)
def test_granites_architecture_is_enough(base, held_out):
    """Granite's architecture is enough to keep a probe from reading operations in words.

    best layer's held-out accuracy of a Granite pretrained on the lab's corpus, prompts in words,
    templates held out; the edge lies midway between C's 31.2% and 81.2%.
    """
    if not str(base[0].loaded.config["model_type"]).startswith("granite"):
        raise NotApplicable("asks for a Granite: add --lb-model ibm-granite/granite-3.1-2b-base")
    return best_layer(accuracy(base, words(held_out), "templates"))


@beside(test_granites_architecture_is_enough)
def _(base, held_out):
    random = accuracy(base.randomised(), words(held_out), "templates")
    yield "control: random weights", best_layer(random)


def named_by_step(runs, last):
    """Geometric mean of the name's probability over the ten steps up to `last`, one a seed."""
    loss = runs.log("class", every_step=True)[:, last - 10 : last]
    return mean(np.exp(-loss.mean("steps")).within(SHARE))


@claim(
    "parts/fewer-steps",
    AtLeast(0.36),
    finding=writeup.FEWER_STEPS,
    words=OPERATION_NAMES,
    exploratory=True,
)
def test_half_of_the_steps_are_enough(vo):
    """Half of the 500 steps of V/O dual reward are enough for 36%.

    geometric mean of the probability of the operation's name at the classifier layer, training
    prompts of steps 241 to 250 (the rate is constant, so that a training of 250 steps is these).
    """
    return named_by_step(vo, VO.steps // 2)


@beside(test_half_of_the_steps_are_enough)
def _(vo):
    yield "steps 91 to 100", named_by_step(vo, 100)
    yield "the last ten of 500", named_by_step(vo, VO.steps)


@claim("parts/dual-probe", AtLeast(0.81), finding=writeup.DUAL_PROBE, words=OPERATION_NAMES)
def test_a_probe_reads_81_percent_after_dual_reward(vo, held_out):
    """A probe reads the operation of 81% of prompts in words from a V/O dual-reward model.

    maximum over layers of held-out accuracy after V/O dual reward, prompts in words, templates held
    out.
    """
    return best_layer(accuracy(vo, words(held_out), "templates"))


@beside(test_a_probe_reads_81_percent_after_dual_reward)
def _(vo, held_out):
    own, prompts = accuracy(vo, writeup_words(), "in-order"), (words(held_out), "templates")
    random = vo.before.randomised()
    yield "the writeups' protocol, 16 prompts", best_layer(own)
    yield "before training", best_layer(accuracy(vo.before, *prompts))
    yield "control: random weights", best_layer(accuracy(random, *prompts))


def drop(second, problems):
    """Accuracy in symbols of stage 1 minus that of stage 2."""
    return mean(second.before.answers(problems).correct - second.answers(problems).correct)


@claim(
    "parts/fusing-preserves",
    AtMost(0.1),
    finding=writeup.FUSING_PRESERVES,
    binary=True,
    words=OPERATION_NAMES,
    difference=True,
)
def test_fusing_preserves_computation(twenty_eighty, held_out):
    """Fusing stage 1 before stage 2 is what preserves computation, whatever the balance.

    exact-match accuracy on held-out operands in symbols, stage 1 fused minus stage 2 at 20/80.
    """
    room = room_to_lose(twenty_eighty.before, held_out, by=0.1)
    return drop(twenty_eighty, held_out), room


@beside(test_fusing_preserves_computation)
def _(fifty_fifty, held_out):
    yield "at 50/50", drop(fifty_fifty, held_out)


def first_class_loss(runs):
    return runs.log("class")[:, 0]


@claim(
    "parts/instruct-starts-higher",
    Above(1.0),
    finding=writeup.INSTRUCT_STARTS_HIGHER,
    words=OPERATION_NAMES,
)
def test_instruct_starts_at_a_higher_loss(vo, vo_instruct):
    """An instruct model starts V/O dual reward at a higher classification loss than its base.

    classification loss at the first step, instruct over base, paired by seed.
    """
    return ratio(first_class_loss(vo_instruct), first_class_loss(vo))


@beside(test_instruct_starts_at_a_higher_loss)
def _(vo, vo_instruct):
    yield "base, nats", mean(first_class_loss(vo))
    yield "instruct, nats", mean(first_class_loss(vo_instruct))


def late_above_early(found):
    """Accuracy at the depth of TinyLlama's L16 minus that at its L5, cluster by cluster."""
    last = found.shape[2] - 1
    late, early = (round(depth * last) for depth in (writeup.LATE_DEPTH, writeup.EARLY_DEPTH))
    return mean(found[:, :, late] - found[:, :, early])


@claim("parts/peaks-late", Above(0.0), finding=writeup.PEAKS_LATE)
def test_the_operation_is_read_best_late(base, held_out):
    """What a probe reads of prompts in words peaks late.

    held-out accuracy at layer round(0.76 · last layer) minus that at round(0.24 · last layer),
    prompts in words, templates held out.
    """
    return late_above_early(accuracy(base, words(held_out), "templates"))


@beside(test_the_operation_is_read_best_late)
def _(base, held_out):
    random = accuracy(base.randomised(), words(held_out), "templates")
    yield "control: random weights", late_above_early(random)


def at_first_layer(runs, prompts, held_out):
    return mean(accuracy(runs, prompts, held_out)[:, :, 0])


@claim(
    "parts/below-random",
    Below(0.25),
    finding=writeup.BELOW_RANDOM,
    subjects=("lab:llama", "lab:granite"),
)
def test_words_start_below_chance(base, held_out):
    """At the first layer a probe reads prompts in words worse than by guessing.

    held-out accuracy at L0, prompts in words, templates held out; guessing has 0.25.
    """
    return at_first_layer(base, words(held_out), "templates")


@beside(test_words_start_below_chance)
def _(base, held_out):
    own, random = (writeup_words(), "in-order"), base.randomised()
    yield "the writeups' protocol, 16 prompts", at_first_layer(base, *own)
    yield "... random weights", at_first_layer(random, *own)
    yield "control: random weights", at_first_layer(random, words(held_out), "templates")


def most_errors(found):
    """Share of prompts read wrongly at the layer where it is most."""
    return best_layer(1 - found)


@claim(
    "parts/symbols-every-layer",
    AtMost(0.05),
    finding=writeup.SYMBOLS_EVERY_LAYER,
    subjects=LAB_BOTH,
)
def test_symbols_are_read_at_every_layer(base, held_out):
    """A probe reads operator symbols at every layer of a Llama.

    maximum over layers of the share of prompts in symbols read wrongly, operand pairs held out.
    """
    return most_errors(accuracy(base, symbols(held_out), "pairs"))


@beside(test_symbols_are_read_at_every_layer)
def _(base, held_out):
    own = accuracy(base, writeup_symbols(), "in-order")
    random = accuracy(base.randomised(), symbols(held_out), "pairs")
    yield "the writeups' protocol, 16 prompts", most_errors(own)
    yield "control: random weights", most_errors(random)
