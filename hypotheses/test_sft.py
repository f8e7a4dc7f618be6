"""Standard fine-tuning: the task is learned, and the lens stays weak.

Source: writeups A (*Training Progression*, *After 500 Steps*) and B (*Results: Classifier
Emergence*).
"""

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
    LayerMax,
    Means,
    Ratios,
    Trend,
    claim,
)
from lazarus_bench.session.controls import overlap, room_to_gain
from lazarus_bench.session.curves import training_curves
from lazarus_bench.session.heatmaps import lens_heatmap
from lazarus_bench.tasks.arithmetic import Operation
from lazarus_bench.training import Sft

from .writeups import classifier_emergence_cli as cli
from .writeups import task_classifier_emergence as writeup

SFT = Sft()
TENFOLD = Sft(learning_rate=1e-3)
"""The writeups' recipe at ten times their learning rate, shown beside it: a lab base has learned
the task already, and 500 steps at 1e-4 hardly move it."""


def peak(run, problems):
    """Each prompt's highest probability of the operation's name over layers."""
    return run.lens(problems).gold_probability.max(axis=1)


def only(problems, *operations):
    return tuple(p for p in problems if p.operation in operations)


@claim(
    "sft/loss-falls",
    says="LoRA fine-tuning learns the task",
    estimand="validation loss at the last over the first checkpoint",
    region=AtMost(0.5),
    finding=writeup.LOSS_FALLS,
    needs=SFT,
)
def test_validation_loss_falls(runs, judge):
    trained = runs(SFT)
    losses = [run.validation for run in trained]
    judge(Ratios(numerator=[v[max(v)] for v in losses], denominator=[v[0] for v in losses]))
    judge.show(training_curves("Standard LoRA fine-tuning", trained, ["loss"]))


@claim(
    "sft/lens-stays-weak",
    says="Without a classification loss the lens stays near 1%",
    estimand="maximum over layers of the mean probability of the operation's name",
    region=AtMost(0.02),
    finding=writeup.LENS_STAYS_WEAK,
    needs=(SFT, TENFOLD),
)
def test_lens_stays_weak(runs, held_out, writeup_prompts, judge):
    trained = runs(SFT)
    readings = [run.lens(held_out).gold_probability for run in trained]
    judge(LayerMax(values=readings, bounds=SHARE), controls=[overlap(trained, held_out)])
    own = [run.lens(writeup_prompts).gold_probability for run in trained]
    before = [run.before.lens(held_out).gold_probability for run in trained]
    tenfold = [run.lens(held_out).gold_probability for run in runs(TENFOLD)]
    judge.beside(
        {
            "the writeups' eight prompts": LayerMax(values=own, bounds=SHARE),
            "at ten times the learning rate": LayerMax(values=tenfold, bounds=SHARE),
            "control: before training": LayerMax(values=before, bounds=SHARE),
        }
    )
    judge.show(lens_heatmap("Standard LoRA fine-tuning", trained, writeup_prompts, held_out))


@claim(
    "sft/lens-grows",
    says="More steps make the signal stronger",
    estimand="rank correlation of checkpoint (0/100/300/500) and mean peak probability, over seeds",
    region=Above(0.0),
    finding=writeup.LENS_GROWS,
    needs=SFT,
)
def test_lens_grows_with_steps(runs, held_out, judge):
    def course(run):
        return [peak(run.checkpoint(step), held_out).mean() for step in SFT.checkpoints]

    courses = [course(run) for run in runs(SFT)]
    judge(Trend(values=courses))
    first, last = [[c[0]] for c in courses], [[c[-1]] for c in courses]
    judge.beside(
        {
            "mean peak probability, step 0": Means(values=first, bounds=SHARE),
            "... last step": Means(values=last, bounds=SHARE),
        }
    )


@claim(
    "sft/peak-at-56",
    says="The signal concentrates at about 56% depth",
    estimand="share of prompts peaking within one layer of 0.56 · layers, minus chance",
    region=Above(0.0),
    finding=writeup.PEAK_AT_56,
    needs=SFT,
    binary=True,
    words=OPERATION_NAMES,
    difference=True,
)
def test_signal_peaks_at_56_percent(runs, held_out, judge):
    trained = runs(SFT)
    depth = trained[0].depth
    near = {layer for layer in range(depth) if abs(layer - round(0.56 * depth)) <= 1}
    peaks = [run.lens(held_out).gold_probability.argmax(axis=1) for run in trained]
    within = [[float(layer in near) for layer in seed] for seed in peaks]
    judge(Hits(values=within, minus=len(near) / depth), controls=[overlap(trained, held_out)])


@claim(
    "sft/sub-weakest",
    says="Subtraction is weaker than multiplication and addition",
    estimand="peak probability of the operation's name, multiplication and addition minus "
    "subtraction, paired by seed",
    region=Above(0.0),
    finding=writeup.SUB_WEAKEST,
    needs=SFT,
)
def test_subtraction_is_weakest(runs, held_out, judge):
    trained = runs(SFT)
    others = only(held_out, Operation.MULTIPLY, Operation.ADD)
    subtractions = only(held_out, Operation.SUBTRACT)
    first = [peak(run, others) for run in trained]
    second = [peak(run, subtractions) for run in trained]
    paired = "seeds" if len(trained) > 1 else "no"
    judge(Differences(first=first, second=second, paired=paired, bounds=SHARE_DIFFERENCE))


@claim(
    "sft/remaining-token",
    says="Fine-tuning makes subtraction decode to remaining/remainder at about 62.5% depth",
    estimand="mean probability of remaining/remainder/... at layer round(0.625 · layers)",
    region=AtLeast(0.4),
    finding=cli.REMAINING_TOKEN,
    needs=SFT,
)
def test_subtraction_decodes_to_remaining(runs, held_out, judge):
    trained = runs(SFT)
    problems = only(held_out, Operation.SUBTRACT)

    def at_layer(run):
        return run.synonym_mass(problems)[:, round(0.625 * run.depth)]

    judge(
        Means(values=[at_layer(run) for run in trained], bounds=SHARE),
        controls=[overlap(trained, problems)],
    )
    best = [run.synonym_mass(problems) for run in trained]
    judge.beside(
        {
            "best layer instead": LayerMax(values=best, bounds=SHARE),
            "control: before training": Means(
                values=[at_layer(run.before) for run in trained], bounds=SHARE
            ),
        }
    )


@claim(
    "sft/learns-arithmetic",
    says="Fine-tuning answers correctly, beyond the base",
    estimand="exact-match accuracy on held-out operands, after minus before",
    region=AtLeast(0.1),
    finding=cli.LEARNS_ARITHMETIC,
    needs=(SFT, TENFOLD),
    binary=True,
    difference=True,
)
def test_fine_tuning_learns_arithmetic(runs, held_out, judge):
    trained = runs(SFT)
    after = [run.answers(held_out).correct for run in trained]
    before = [run.before.answers(held_out).correct for run in trained]
    judge(
        HitDifferences(first=after, second=before),
        controls=[
            overlap(trained, held_out),
            room_to_gain([run.before for run in trained], held_out, by=0.1),
        ],
    )
    tenfold = [run.answers(held_out).correct for run in runs(TENFOLD)]
    judge.beside(
        {
            "after": Hits(values=after),
            "before": Hits(values=before),
            "gain at ten times the learning rate": HitDifferences(first=tenfold, second=before),
        }
    )
    for operation in Operation:
        asked = only(held_out, operation)
        own = [run.before.answers(asked).correct for run in trained]
        judge.beside({f"before, {operation}": Hits(values=own)})
