"""LoRA against full fine-tuning, on the same data for the same steps.

Source: writeup B, *Training Comparison*, *Results: Accuracy* and *Results: Classifier Emergence*.
Both learning rates are the writeup's, 1e-4 for LoRA and 1e-5 for full fine-tuning. A lab base has
learned the task already, and at these rates neither moves it far.
"""

import numpy as np

from lazarus_bench import (
    SHARE,
    SHARE_DIFFERENCE,
    Above,
    AtLeast,
    AtMost,
    Control,
    Differences,
    HitDifferences,
    Hits,
    Means,
    Ratios,
    Within,
    claim,
)
from lazarus_bench.session.controls import overlap
from lazarus_bench.session.shown import training_curves
from lazarus_bench.tasks.arithmetic import Operation
from lazarus_bench.training import FinetuneCost, Sft

from .writeups import classifier_emergence_cli as writeup

LORA = Sft()
FULL = Sft(full=True, learning_rate=1e-5, checkpoints=(0, 500))
COST = FinetuneCost()


def focus(run, problems):
    """Share of the synonyms' mass that their top token holds, at layer round(0.625 · layers)."""
    mass = run.synonyms(problems)[:, round(0.625 * run.depth)]
    return mass.max(axis=1) / mass.sum(axis=1)


def each(numbers, unit=1.0):
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


@claim(
    "finetune/params",
    says="LoRA r=8 on all linears of Llama-3.2-1B trains 5.6M parameters (0.46%), full training "
    "973M (78.7%)",
    estimand="largest distance of the four counts from the printed numbers, in units of the last "
    "printed digit; up to a half a count rounds to the print",
    region=AtMost(0.5),
    finding=writeup.FINETUNE_PARAMS,
    subjects=(),
)
def test_counts_are_the_printed_ones(judge):
    judge(writeup.FINETUNE_PARAMS.evidence)


@claim(
    "finetune/memory",
    says="LoRA needs far less memory",
    estimand="peak memory of mlx's allocator, full over LoRA, paired repeats on one device",
    region=AtLeast(2.0),
    finding=writeup.FINETUNE_MEMORY,
    needs=COST,
)
def test_lora_needs_less_memory(runs, judge):
    costs = runs(COST)[0].costs
    lora, full = ([c.peak_memory for c in kind] for kind in (costs.lora, costs.full))
    judge(Ratios(numerator=full, denominator=lora, over="repeats"))
    where = f"MB on {costs.device}"
    judge.beside(
        {
            f"LoRA, {where}": each(lora, 1e6),
            f"full, {where}": each(full, 1e6),
        }
    )


@claim(
    "finetune/speed",
    says="LoRA is faster",
    estimand="tokens fed a second, LoRA over full, paired repeats on one device",
    region=AtLeast(1.2),
    finding=writeup.FINETUNE_SPEED,
    needs=COST,
)
def test_lora_is_faster(runs, judge):
    costs = runs(COST)[0].costs
    lora, full = ([c.tokens_per_second for c in kind] for kind in (costs.lora, costs.full))
    judge(Ratios(numerator=lora, denominator=full, over="repeats"))
    where = f"tok/s on {costs.device}"
    judge.beside({f"LoRA, {where}": each(lora), f"full, {where}": each(full)})


@claim(
    "finetune/same-loss",
    says="Both reach the same validation loss",
    estimand="last validation loss, LoRA minus full, over their mean, paired by seed",
    region=Within(-0.05, 0.05),
    finding=writeup.SAME_LOSS,
    needs=(LORA, FULL),
)
def test_validation_losses_are_alike(runs, held_out, judge):
    lora, full = runs(LORA), runs(FULL)
    last = [[run.validation[max(run.validation)] for run in kind] for kind in (lora, full)]
    apart = [(one - other) / ((one + other) / 2) for one, other in zip(*last, strict=True)]
    before = np.mean([run.validation[0] for run in full])
    fall = [1 - np.mean(losses) / before for losses in last]
    judge(
        Means(values=[[d] for d in apart]),
        controls=[
            overlap([*lora, *full], held_out),
            learned(0.0, fall, 0.05, "share of the validation loss"),
        ],
    )
    judge.beside(
        {
            "LoRA": Means(values=[[loss] for loss in last[0]]),
            "full": Means(values=[[loss] for loss in last[1]]),
            "before training": Means(values=[[run.validation[0]] for run in full]),
        }
    )
    judge.show(training_curves("LoRA", lora, ("loss",)))
    judge.show(training_curves("Full fine-tuning", full, ("loss",)))


@claim(
    "finetune/same-accuracy",
    says="Both answer comparably well",
    estimand="exact-match accuracy on held-out operands, LoRA minus full, paired",
    region=Within(-0.1, 0.1),
    finding=writeup.SAME_ACCURACY,
    needs=(LORA, FULL),
    binary=True,
    difference=True,
)
def test_accuracies_are_alike(runs, held_out, judge):
    lora, full = runs(LORA), runs(FULL)
    first, second, before = (
        [run.answers(held_out).correct for run in kind]
        for kind in (lora, full, [run.before for run in lora])
    )
    reached = [np.mean(first), np.mean(second)]
    judge(
        HitDifferences(first=first, second=second),
        controls=[
            overlap([*lora, *full], held_out),
            learned(np.mean(before), reached, 0.1, "accuracy"),
        ],
    )
    judge.beside(
        {
            "LoRA": Hits(values=first),
            "full": Hits(values=second),
            "before training": Hits(values=before),
        }
    )


@claim(
    "finetune/lora-focused",
    says="LoRA concentrates the subtraction signal in one token, full fine-tuning spreads it",
    estimand="share of the remaining/remainder mass on its top token at layer round(0.625 · "
    "layers), LoRA minus full, paired",
    region=Above(0.0),
    finding=writeup.LORA_FOCUSED,
    needs=(LORA, FULL),
)
def test_lora_focuses_the_signal(runs, held_out, judge):
    problems = tuple(p for p in held_out if p.operation is Operation.SUBTRACT)
    lora, full = runs(LORA), runs(FULL)
    first, second = ([focus(run, problems) for run in kind] for kind in (lora, full))
    judge(
        Differences(first=first, second=second, paired="prompts", bounds=SHARE_DIFFERENCE),
        controls=[overlap([*lora, *full], problems)],
    )
    before = [focus(run.before, problems) for run in lora]
    layer = round(0.625 * lora[0].depth)
    mass = [run.synonym_mass(problems)[:, layer] for run in lora]
    judge.beside(
        {
            "LoRA": Means(values=first, bounds=SHARE),
            "full": Means(values=second, bounds=SHARE),
            "control: before training": Means(values=before, bounds=SHARE),
            "mass of all synonyms, LoRA": Means(values=mass, bounds=SHARE),
        }
    )
