"""LoRA against full fine-tuning, on the same data for the same steps.

Source: writeup B, *Training Comparison*, *Results: Accuracy* and *Results: Classifier Emergence*.
Both learning rates are the writeup's, 1e-4 for LoRA and 1e-5 for full fine-tuning. A lab base has
learned the task already, and at these rates neither moves it far.
"""

from lazarus_bench import (
    SHARE,
    Above,
    AtLeast,
    AtMost,
    Control,
    Ratios,
    Within,
    beside,
    claim,
    mean,
    trained,
)
from lazarus_bench.session.controls import overlap
from lazarus_bench.session.samples import Asked
from lazarus_bench.session.shown import training_curves
from lazarus_bench.tasks.arithmetic import Operation
from lazarus_bench.training import FinetuneCost, Sft

from .writeups import classifier_emergence_cli as writeup

lora = trained(Sft())
full = trained(Sft(full=True, learning_rate=1e-5, checkpoints=(0, 500)))
cost = trained(FinetuneCost())


def synonyms(runs, problems):
    """Mass of each of subtraction's synonyms at layer round(0.625 · layers)."""
    subtractions = tuple(p for p in problems if p.operation is Operation.SUBTRACT)
    return runs.synonyms(subtractions).at(round(0.625 * runs.depth))


def focus(runs, problems):
    """Share of the synonyms' mass that their top token holds."""
    mass = synonyms(runs, problems)
    return (mass.max("tokens") / mass.sum("tokens")).within(SHARE)


def repeats(cost, part):
    """What was measured in each repeat, of LoRA and of full fine-tuning."""
    measured = cost[0].costs
    return ([getattr(repeat, part) for repeat in kind] for kind in (measured.lora, measured.full))


def geometric(numbers, unit=1.0):
    """Geometric mean of repeated measurements, in `unit`."""
    return Ratios(numerator=numbers, denominator=[unit] * len(numbers), over="repeats")


def learned(before, after, margin, what):
    """Arms that hardly moved are alike whatever was done: the better one must pass `margin`.

    `before` and `after` are means over seeds, `after` one an arm, of a number that is to rise.
    Equivalence needs a design that could have shown a difference (ICH E10, *assay sensitivity*).
    """
    gain = max(after) - before
    return Control(
        name=f"{what}, gained by the better arm",
        value=gain,
        expectation=f"at least the margin of {margin:g}: arms that learned nothing are alike",
        passed=gain >= margin,
    )


@claim("finetune/params", AtMost(0.5), finding=writeup.FINETUNE_PARAMS, subjects=())
def test_counts_are_the_printed_ones():
    """LoRA r=8 on all linears of Llama-3.2-1B trains 5.6M parameters (0.46%), full training 973M
    (78.7%).

    largest distance of the four counts from the printed numbers, in units of the last printed
    digit; up to a half a count rounds to the print.
    """
    return writeup.FINETUNE_PARAMS.evidence


@claim("finetune/memory", AtLeast(2.0), finding=writeup.FINETUNE_MEMORY)
def test_lora_needs_less_memory(cost):
    """LoRA needs far less memory.

    peak memory of mlx's allocator, full over LoRA, paired repeats on one device.
    """
    lora, full = repeats(cost, "peak_memory")
    return Ratios(numerator=full, denominator=lora, over="repeats")


@beside(test_lora_needs_less_memory)
def _(cost):
    lora, full = repeats(cost, "peak_memory")
    yield f"LoRA, MB on {cost[0].costs.device}", geometric(lora, 1e6)
    yield f"full, MB on {cost[0].costs.device}", geometric(full, 1e6)


@claim("finetune/speed", AtLeast(1.2), finding=writeup.FINETUNE_SPEED)
def test_lora_is_faster(cost):
    """LoRA is faster.

    tokens fed a second, LoRA over full, paired repeats on one device.
    """
    lora, full = repeats(cost, "tokens_per_second")
    return Ratios(numerator=lora, denominator=full, over="repeats")


@beside(test_lora_is_faster)
def _(cost):
    lora, full = repeats(cost, "tokens_per_second")
    yield f"LoRA, tok/s on {cost[0].costs.device}", geometric(lora)
    yield f"full, tok/s on {cost[0].costs.device}", geometric(full)


@claim("finetune/same-loss", Within(-0.05, 0.05), finding=writeup.SAME_LOSS)
def test_validation_losses_are_alike(lora, full, held_out):
    """Both reach the same validation loss.

    last validation loss, LoRA minus full, over their mean, paired by seed.
    """
    one, other = lora.validation[:, -1], full.validation[:, -1]
    before = full.validation[:, 0].mean()
    fall = [1 - loss.mean() / before for loss in (one, other)]
    apart = (one - other) / ((one + other) / 2)
    # Losses from a training's log imply no control, since nothing was asked of the model.
    held = Asked(runs=(*lora, *full), problems=frozenset(p.key for p in held_out))
    return mean(apart), overlap(held), learned(0.0, fall, 0.05, "share of the validation loss")


@beside(test_validation_losses_are_alike)
def _(lora, full):
    yield "LoRA", mean(lora.validation[:, -1])
    yield "full", mean(full.validation[:, -1])
    yield "before training", mean(full.validation[:, 0])
    yield training_curves("LoRA", lora, ("loss",))
    yield training_curves("Full fine-tuning", full, ("loss",))


@claim(
    "finetune/same-accuracy",
    Within(-0.1, 0.1),
    finding=writeup.SAME_ACCURACY,
    binary=True,
    difference=True,
)
def test_accuracies_are_alike(lora, full, held_out):
    """Both answer comparably well.

    exact-match accuracy on held-out operands, LoRA minus full, paired.
    """
    one, other = lora.answers(held_out).correct, full.answers(held_out).correct
    before = lora.before.answers(held_out).correct.mean()
    return mean(one - other), learned(before, [one.mean(), other.mean()], 0.1, "accuracy")


@beside(test_accuracies_are_alike)
def _(lora, full, held_out):
    yield "LoRA", mean(lora.answers(held_out).correct)
    yield "full", mean(full.answers(held_out).correct)
    yield "before training", mean(lora.before.answers(held_out).correct)


@claim("finetune/lora-focused", Above(0.0), finding=writeup.LORA_FOCUSED)
def test_lora_focuses_the_signal(lora, full, held_out):
    """LoRA concentrates the subtraction signal in one token, full fine-tuning spreads it.

    share of the remaining/remainder mass on its top token at layer round(0.625 · layers), LoRA
    minus full, paired.
    """
    return mean(focus(lora, held_out) - focus(full, held_out))


@beside(test_lora_focuses_the_signal)
def _(lora, full, held_out):
    yield "LoRA", mean(focus(lora, held_out))
    yield "full", mean(focus(full, held_out))
    yield "control: before training", mean(focus(lora.before, held_out))
    mass = synonyms(lora, held_out).sum("tokens")
    yield "mass of all synonyms, LoRA", mean(mass.within(SHARE))
