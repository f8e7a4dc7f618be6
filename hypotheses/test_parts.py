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
    SHARE_DIFFERENCE,
    Above,
    AllOf,
    AtLeast,
    AtMost,
    Below,
    Condition,
    Differences,
    HitDifferences,
    Hits,
    LayerMax,
    Means,
    NotApplicable,
    OnInstruct,
    Ratios,
    Stages,
    Within,
    claim,
)
from lazarus_bench.analysis.probe_prompts import crossed, in_symbols, matched, words_in_turn
from lazarus_bench.session.controls import overlap, room_to_lose
from lazarus_bench.tasks.arithmetic import Operation
from lazarus_bench.training import DualReward, Fuse, Sft

from .writeups import passage_parts as writeup
from .writeups.probe_prompts import writeup_symbols, writeup_words

LORA = Sft()
FULL = Sft(full=True, learning_rate=1e-5, checkpoints=(0, 500))
"""The family finetune's."""

VO = DualReward(targets="vo", weight=0.4, steps=500)
"""The family dual's."""

FUSED = (Sft(rank=16, scale=2.0, checkpoints=(0, 500)), Fuse())
FIFTY_FIFTY = Stages(recipes=(*FUSED, DualReward(rank=8, weight=0.5, learning_rate=5e-5)))
TWENTY_EIGHTY = Stages(
    recipes=(*FUSED, DualReward(rank=8, weight=0.8, steps=200, learning_rate=1e-3))
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


def subtractions(problems):
    return tuple(p for p in problems if p.operation is Operation.SUBTRACT)


def answer_sureness(runs, problems):
    """Probability of the top token after a prompt minus whether it begins the right answer."""
    from lazarus_bench.analysis.prompts import first_answer_tokens

    sure, right = [], []
    for run in runs:
        logits = run.logits(problems).astype(np.float64)
        top = logits.max(axis=1)
        sure.append(1 / np.exp(logits - top[:, None]).sum(axis=1))
        right.append(logits.argmax(axis=1) == first_answer_tokens(run.loaded, problems))
    return Differences(first=sure, second=right, paired="prompts", bounds=SHARE_DIFFERENCE)


@claim(
    "parts/answer-confidence",
    says="After fine-tuning, the probability that an answer gets says how often it is right",
    estimand="probability of the top token after the prompt minus whether it begins the right "
    "answer, held-out prompts in symbols",
    region=Within(-0.1, 0.1),
    finding=writeup.ANSWER_CONFIDENCE,
    needs=(LORA, FULL),
)
def test_an_answers_probability_is_its_accuracy(runs, held_out, judge):
    tuned = runs(LORA)
    judge(answer_sureness(tuned, held_out), controls=[overlap(tuned, held_out)])
    judge.beside(
        {
            "full fine-tuning": answer_sureness(runs(FULL), held_out),
            "before training": answer_sureness([run.before for run in tuned], held_out),
        }
    )


BETWEEN = (11 / 16, 12 / 16)
"""Depths of the layers between B's subtraction word and the answer."""


def between(run):
    return sorted({round(depth * run.depth) for depth in BETWEEN})


def shown_between(runs, problems):
    """The most that the answer's first token or a synonym of remaining has between the two."""
    found = []
    for run in runs:
        either = np.maximum(run.lens(problems).answer, run.synonyms(problems).max(axis=2))
        found.append(either[:, between(run)].max(axis=1))
    return Means(values=found, bounds=SHARE)


@claim(
    "parts/answer-transition",
    says="Between the layer of the subtraction word and that of the answer the lens shows neither",
    estimand="the larger of the lens probabilities of the answer's first token and of a "
    "remaining/remainder token, the larger at layers round(0.6875 · layers) and round(0.75 · "
    "layers), mean over subtractions",
    region=AtMost(0.1),
    finding=writeup.ANSWER_TRANSITION,
    needs=LORA,
)
def test_the_lens_shows_neither_between(runs, held_out, judge):
    tuned, problems = runs(LORA), subtractions(held_out)
    judge(shown_between(tuned, problems), controls=[overlap(tuned, problems)])
    judge.beside(
        {"control: before training": shown_between([run.before for run in tuned], problems)}
    )


def first_tokens(run, number):
    """The first tokens of a number as it stands and after a blank."""
    encode = run.loaded.tokenizer.encode
    spelt = (encode(text, add_special_tokens=False) for text in (str(number), f" {number}"))
    return {ids[0] for ids in spelt}


def operand_shown(run, problems, operands):
    """Whether an operand begins with a prompt's top lens token at a layer before the answer."""
    top = run.lens(problems).top[:, between(run), 0]
    numbers = ({*first_tokens(run, p.a), *first_tokens(run, p.b)} for p in operands)
    return [bool(known & set(row)) for known, row in zip(numbers, top.tolist(), strict=True)]


def operands_shown(runs, problems):
    """Own operands minus those of a prompt half the list away."""
    half = len(problems) // 2
    others = (*problems[half:], *problems[:half])
    return HitDifferences(
        first=[operand_shown(run, problems, problems) for run in runs],
        second=[operand_shown(run, problems, others) for run in runs],
    )


@claim(
    "parts/operand-recognised",
    says="After fine-tuning, the lens shows an operand in the layers before the answer",
    estimand="share of prompts whose top lens token at layer round(0.6875 · layers) or round(0.75 "
    "· layers) begins an operand, minus the same with another prompt's operands",
    region=AtLeast(0.1),
    finding=writeup.OPERAND_RECOGNISED,
    needs=LORA,
    binary=True,
    difference=True,
    words=OPERATION_NAMES,
)
def test_the_lens_shows_an_operand(runs, held_out, judge):
    tuned = runs(LORA)
    judge(operands_shown(tuned, held_out), controls=[overlap(tuned, held_out)])
    judge.beside(
        {
            "its own operands": Hits(
                values=[operand_shown(run, held_out, held_out) for run in tuned]
            ),
            "control: before training": operands_shown([run.before for run in tuned], held_out),
        }
    )


def each_reaches(masses):
    """Every method's mass on the synonyms is at least 0.4, the family sft's threshold."""
    return AllOf(
        conditions=[
            Condition(name=name, evidence=mass, region=AtLeast(0.4))
            for name, mass in masses.items()
        ]
    )


def synonym_mass(runs, problems):
    """Mass on remaining/remainder at layer round(0.625 · layers)."""
    found = [run.synonym_mass(problems)[:, round(0.625 * run.depth)] for run in runs]
    return Means(values=found, bounds=SHARE)


@claim(
    "parts/subtraction-both",
    says="LoRA and full fine-tuning both make subtraction decode to remaining/remainder at 62.5% "
    "depth",
    estimand="the smaller of the two methods' mean probability of remaining/remainder/... at layer "
    "round(0.625 · layers), minus 0.4",
    region=AtLeast(0.0),
    finding=writeup.subtraction_both(each_reaches),
    needs=(LORA, FULL),
)
def test_both_methods_decode_subtraction(runs, held_out, judge):
    lora, full, problems = runs(LORA), runs(FULL), subtractions(held_out)
    masses = {"LoRA": synonym_mass(lora, problems), "full": synonym_mass(full, problems)}
    judge(each_reaches(masses), controls=[overlap([*lora, *full], problems)])
    judge.beside(masses)
    judge.beside({"control: before training": synonym_mass([run.before for run in lora], problems)})


def peaks_near(runs, problems):
    """Share of prompts whose synonym mass peaks within a layer of 0.625 · layers, minus chance."""
    depth = runs[0].depth
    near = [layer for layer in range(depth) if abs(layer - round(0.625 * depth)) <= 1]
    peaks = [run.synonym_mass(problems).argmax(axis=1) for run in runs]
    return Hits(values=[np.isin(seed, near) for seed in peaks], minus=len(near) / depth)


@claim(
    "parts/subtraction-peak",
    says="The subtraction word is at its strongest at 62.5% depth",
    estimand="share of subtractions whose mass on remaining/remainder/... peaks within one layer "
    "of 0.625 · layers, minus chance",
    region=Above(0.0),
    finding=writeup.SUBTRACTION_PEAK,
    needs=(LORA, FULL),
    binary=True,
    difference=True,
)
def test_the_subtraction_word_peaks_there(runs, held_out, judge):
    tuned, problems = runs(LORA), subtractions(held_out)
    judge(peaks_near(tuned, problems), controls=[overlap(tuned, problems)])
    judge.beside(
        {
            "full fine-tuning": peaks_near(runs(FULL), problems),
            "control: before training": peaks_near([run.before for run in tuned], problems),
        }
    )


def peak(run, problems):
    """Each prompt's highest probability of the operation's name over layers."""
    return run.lens(problems).gold_probability.max(axis=1)


@claim(
    "parts/full-stronger",
    says="Full fine-tuning gives a stronger signal than LoRA",
    estimand="peak probability of the operation's name over layers, full fine-tuning minus LoRA, "
    "paired",
    region=Above(0.0),
    finding=writeup.FULL_STRONGER,
    needs=(LORA, FULL),
    exploratory=True,
)
def test_full_fine_tuning_gives_a_stronger_signal(runs, held_out, judge):
    lora, full = runs(LORA), runs(FULL)
    first, second = ([peak(run, held_out) for run in kind] for kind in (full, lora))
    judge(
        Differences(first=first, second=second, paired="prompts", bounds=SHARE_DIFFERENCE),
        controls=[overlap([*lora, *full], held_out)],
    )
    judge.beside(
        {
            "full": Means(values=first, bounds=SHARE),
            "LoRA": Means(values=second, bounds=SHARE),
            "before training": Means(
                values=[peak(run.before, held_out) for run in lora], bounds=SHARE
            ),
        }
    )


def only_granite(run):
    if not str(run.loaded.config["model_type"]).startswith("granite"):
        raise NotApplicable("asks for a Granite: add --lb-model ibm-granite/granite-3.1-2b-base")


@claim(
    "parts/granite-architecture",
    says="Granite's architecture is enough to keep a probe from reading operations in words",
    estimand="best layer's held-out accuracy of a Granite pretrained on the lab's corpus, prompts "
    "in words, templates held out; the edge lies midway between C's 31.2% and 81.2%",
    region=AtMost(0.5625),
    finding=writeup.GRANITE_ARCHITECTURE,
    subjects=("lab:granite",),
    exploratory=True,
)
def test_granites_architecture_is_enough(runs, held_out, judge):
    bases, prompts = runs(), words(held_out)
    only_granite(bases[0])
    judge(best(accuracy(run, prompts, "templates") for run in bases))
    random = [run.randomised() for run in bases]
    judge.beside(
        {"control: random weights": best(accuracy(run, prompts, "templates") for run in random)}
    )


def best(values):
    """Accuracy at the layer where it is most."""
    return LayerMax(values=list(values), items=CLUSTERS, bounds=SHARE)


def named_by_step(runs, last):
    """Geometric mean of the name's probability over the ten steps up to `last`, one a seed."""
    losses = [[step.parts["class"] for step in run.steps[last - 10 : last]] for run in runs]
    return Means(values=[[np.exp(-np.mean(seed))] for seed in losses], bounds=SHARE)


@claim(
    "parts/fewer-steps",
    says="Half of the 500 steps of V/O dual reward are enough for 36%",
    estimand="geometric mean of the probability of the operation's name at the classifier layer, "
    "training prompts of steps 241 to 250 (the rate is constant, so that a training of 250 steps "
    "is these)",
    region=AtLeast(0.36),
    finding=writeup.FEWER_STEPS,
    needs=VO,
    words=OPERATION_NAMES,
    exploratory=True,
)
def test_half_of_the_steps_are_enough(runs, judge):
    trained = runs(VO)
    judge(named_by_step(trained, VO.steps // 2))
    judge.beside(
        {
            "steps 91 to 100": named_by_step(trained, 100),
            "the last ten of 500": named_by_step(trained, VO.steps),
        }
    )


@claim(
    "parts/dual-probe",
    says="A probe reads the operation of 81% of prompts in words from a V/O dual-reward model",
    estimand="maximum over layers of held-out accuracy after V/O dual reward, prompts in words, "
    "templates held out",
    region=AtLeast(0.81),
    finding=writeup.DUAL_PROBE,
    needs=VO,
    words=OPERATION_NAMES,
)
def test_a_probe_reads_81_percent_after_dual_reward(runs, held_out, judge):
    trained, prompts = runs(VO), words(held_out)
    judge(
        best(accuracy(run, prompts, "templates") for run in trained),
        controls=[overlap(trained, held_out)],
    )
    own = writeup_words()
    judge.beside(
        {
            "the writeups' protocol, 16 prompts": best(
                accuracy(run, own, "in-order") for run in trained
            ),
            "before training": best(accuracy(run.before, prompts, "templates") for run in trained),
            "control: random weights": best(
                accuracy(run.before.randomised(), prompts, "templates") for run in trained
            ),
        }
    )


def drop(second, problems):
    """Accuracy in symbols of stage 1 minus that of stage 2."""
    return HitDifferences(
        first=[run.before.answers(problems).correct for run in second],
        second=[run.answers(problems).correct for run in second],
    )


@claim(
    "parts/fusing-preserves",
    says="Fusing stage 1 before stage 2 is what preserves computation, whatever the balance",
    estimand="exact-match accuracy on held-out operands in symbols, stage 1 fused minus stage 2 "
    "at 20/80",
    region=AtMost(0.1),
    finding=writeup.FUSING_PRESERVES,
    needs=(TWENTY_EIGHTY, FIFTY_FIFTY),
    binary=True,
    words=OPERATION_NAMES,
    difference=True,
)
def test_fusing_preserves_computation(runs, held_out, judge):
    second = runs(TWENTY_EIGHTY)
    first = [run.before for run in second]
    judge(
        drop(second, held_out),
        controls=[
            overlap([*second, *(run.before for run in first)], held_out),
            room_to_lose(first, held_out, by=0.1),
        ],
    )
    judge.beside({"at 50/50": drop(runs(FIFTY_FIFTY), held_out)})


def first_class_loss(runs):
    return [run.metrics[0].parts["class"] for run in runs]


@claim(
    "parts/instruct-starts-higher",
    says="An instruct model starts V/O dual reward at a higher classification loss than its base",
    estimand="classification loss at the first step, instruct over base, paired by seed",
    region=Above(1.0),
    finding=writeup.INSTRUCT_STARTS_HIGHER,
    needs=(VO, OnInstruct(recipe=VO)),
    words=OPERATION_NAMES,
)
def test_instruct_starts_at_a_higher_loss(runs, judge):
    base, instruct = (first_class_loss(runs(need)) for need in (VO, OnInstruct(recipe=VO)))
    judge(Ratios(numerator=instruct, denominator=base))
    judge.beside(
        {
            "base, nats": Means(values=[[loss] for loss in base]),
            "instruct, nats": Means(values=[[loss] for loss in instruct]),
        }
    )


def late_above_early(values):
    """Accuracy at the depth of TinyLlama's L16 minus that at its L5, cluster by cluster."""
    last = values[0].shape[1] - 1
    late, early = (round(depth * last) for depth in (writeup.LATE_DEPTH, writeup.EARLY_DEPTH))
    return Differences(
        first=[seed[:, late] for seed in values],
        second=[seed[:, early] for seed in values],
        paired="prompts",
        items=CLUSTERS,
        bounds=SHARE_DIFFERENCE,
    )


@claim(
    "parts/peaks-late",
    says="What a probe reads of prompts in words peaks late",
    estimand="held-out accuracy at layer round(0.76 · last layer) minus that at round(0.24 · last "
    "layer), prompts in words, templates held out",
    region=Above(0.0),
    finding=writeup.PEAKS_LATE,
)
def test_the_operation_is_read_best_late(runs, held_out, judge):
    bases, prompts = runs(), words(held_out)
    judge(late_above_early([accuracy(run, prompts, "templates") for run in bases]))
    random = [run.randomised() for run in bases]
    judge.beside(
        {
            "control: random weights": late_above_early(
                [accuracy(run, prompts, "templates") for run in random]
            )
        }
    )


def at_first_layer(runs, prompts, held_out):
    found = [accuracy(run, prompts, held_out)[:, 0] for run in runs]
    return Means(values=found, items=CLUSTERS, bounds=SHARE)


@claim(
    "parts/below-random",
    says="At the first layer a probe reads prompts in words worse than by guessing",
    estimand="held-out accuracy at L0, prompts in words, templates held out; guessing has 0.25",
    region=Below(0.25),
    finding=writeup.BELOW_RANDOM,
    subjects=("lab:llama", "lab:granite"),
)
def test_words_start_below_chance(runs, held_out, judge):
    bases, prompts = runs(), words(held_out)
    judge(at_first_layer(bases, prompts, "templates"))
    random = [run.randomised() for run in bases]
    judge.beside(
        {
            "the writeups' protocol, 16 prompts": at_first_layer(
                bases, writeup_words(), "in-order"
            ),
            "... random weights": at_first_layer(random, writeup_words(), "in-order"),
            "control: random weights": at_first_layer(random, prompts, "templates"),
        }
    )


def most_errors(values):
    """Share of prompts read wrongly at the layer where it is most."""
    return LayerMax(values=[1 - seed for seed in values], items=CLUSTERS, bounds=SHARE)


@claim(
    "parts/symbols-every-layer",
    says="A probe reads operator symbols at every layer of a Llama",
    estimand="maximum over layers of the share of prompts in symbols read wrongly, operand pairs "
    "held out",
    region=AtMost(0.05),
    finding=writeup.SYMBOLS_EVERY_LAYER,
    subjects=LAB_BOTH,
)
def test_symbols_are_read_at_every_layer(runs, held_out, judge):
    bases, prompts = runs(), symbols(held_out)
    judge(most_errors([accuracy(run, prompts, "pairs") for run in bases]))
    random = [run.randomised() for run in bases]
    judge.beside(
        {
            "the writeups' protocol, 16 prompts": most_errors(
                [accuracy(run, writeup_symbols(), "in-order") for run in bases]
            ),
            "control: random weights": most_errors(
                [accuracy(run, prompts, "pairs") for run in random]
            ),
        }
    )
