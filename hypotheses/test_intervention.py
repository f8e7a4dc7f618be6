"""Interventions: what happens to answers when the classifier layer is removed.

Source: writeup A, *Next Steps*, 4: "Ablation study: Does removing L9 break task performance?". No
writeup went on to answer it. The prediction registered for it is the affirmative: removing the
classifier layer breaks the task.

How it was made exact, on development seeds only and before any seed of the profile was run:

- *The classifier layer* is that of a model which has one: V/O dual reward puts the operation's name
  there, standard fine-tuning does not (`dual/beats-sft`).
- *Removing* is the whole block, its input handed on (layer ablation), while prompt and answer are
  read. Its attention, its MLP, and a mean in place of 0 are shown beside.
- *Breaks* is at least half of the accuracy lost. A fixed accuracy would call 0.12 of 0.9 unbroken,
  and a fixed loss could not be had from a weak base; half of its own accuracy means the same for
  any model, and takes a real collapse rather than the harm that `dual/answers-survive` counts.
  As accuracy after minus half of accuracy before it is linear, so that no model's 0 is a problem.
  The half was fixed when development seed 100 had been seen (0.31 with, 0.27 without the layer), so
  not blindly; at most 0.1 left would be refuted there as well.
- *Specific* is another question, which the prediction does not ask: any layer of a small model may
  matter. It is shown beside, as what is lost over the mean of the other middle layers, along with
  the same removal before training.
"""

from lazarus_bench import OPERATION_NAMES, SHARE, SHARE_DIFFERENCE, AtMost, Hits, Means, claim
from lazarus_bench.session.controls import overlap, room_to_lose
from lazarus_bench.tasks.arithmetic import partners
from lazarus_bench.training import DualReward

from .writeups import task_classifier_emergence as writeup

VO = DualReward(targets="vo", weight=0.4, steps=500)
LEAST_ACCURACY = 0.2
FITTED = 200
"""Problems of the training, about, that means and directions are taken from: none is judged."""


def removed(run, problems, **how):
    """What the model does without its classifier layer, or a part of it."""
    return run.ablated(problems, run.classifier_layer, **how)


def kept_over_half(run, problems):
    """Exact match without the classifier layer minus half of that with it, one a prompt."""
    before = run.behaviour(problems).correct
    return removed(run, problems).correct - before / 2


def fitted_on(run):
    """Problems of the training at even distances, since they are listed by operation."""
    return run.trained_on[:: max(1, len(run.trained_on) // FITTED)]


def next_layer(run, behaviour, operations=None):
    """Lens probability of each prompt's operation, or of a given one, one layer further up."""
    return behaviour.naming(operations)[:, run.classifier_layer + 1]


@claim(
    "intervention/classifier-layer-needed",
    says="Removing the classifier layer breaks the task",
    estimand="exact-match accuracy on held-out operands without the classifier layer minus half of "
    "the accuracy with it, V/O dual reward",
    region=AtMost(0.0),
    finding=writeup.CLASSIFIER_LAYER_NEEDED,
    needs=VO,
    words=OPERATION_NAMES,
    exploratory=True,
)
def test_removing_the_classifier_layer_breaks_the_task(runs, held_out, judge):
    trained = runs(VO)
    judge(
        Means(values=[kept_over_half(run, held_out) for run in trained], bounds=(-0.5, 1.0)),
        controls=[
            overlap(trained, held_out),
            room_to_lose(trained, held_out, by=LEAST_ACCURACY),
        ],
    )
    judge.beside(answers_beside(trained, held_out))
    judge.beside(names_beside(trained, held_out))


def answers_beside(trained, problems):
    def accuracy(read):
        return Hits(values=[read(run).correct for run in trained])

    without = {
        "without its attention": {"part": "attention"},
        "without its MLP": {"part": "mlp"},
    }
    shown = {
        "accuracy": accuracy(lambda run: run.behaviour(problems)),
        "accuracy without the classifier layer": accuracy(lambda run: removed(run, problems)),
        "control: lost beyond the mean of the other middle layers": Means(
            values=[run.ablation(problems).excess(run.classifier_layer) for run in trained],
            bounds=SHARE_DIFFERENCE,
        ),
        "control: accuracy before training": accuracy(lambda run: run.before.behaviour(problems)),
        "control: before training, without that layer": accuracy(
            lambda run: removed(run.before, problems)
        ),
    }
    for name, how in without.items():
        shown[f"accuracy {name}"] = accuracy(lambda run, how=how: removed(run, problems, **how))
    return shown | {
        "accuracy with a mean in its place": accuracy(
            lambda run: removed(run, problems, reference=fitted_on(run))
        )
    }


def names_beside(trained, problems):
    """Probability of an operation's name one layer above the classifier layer."""
    same, other = (partners(problems, same_operation=same) for same in (True, False))
    toward = [problem.operation for problem in other]

    def named(read, operations=None):
        return Means(
            values=[next_layer(run, read(run), operations) for run in trained], bounds=SHARE
        )

    def patched(run, sources):
        return run.patched(problems, run.classifier_layer, sources)

    def steered(run, at_random):
        return run.steered(problems, run.classifier_layer, toward, fitted_on(run), at_random)

    return {
        "the name, one layer up": named(lambda run: run.behaviour(problems)),
        "the name without the classifier layer": named(lambda run: removed(run, problems)),
        "control: the name, patched from the same operation": named(lambda run: patched(run, same)),
        "the name, patched from another operation": named(lambda run: patched(run, other)),
        "the other's name, patched from it": named(lambda run: patched(run, other), toward),
        "the other's name, steered to it": named(lambda run: steered(run, False), toward),
        "control: the other's name, steered at random": named(
            lambda run: steered(run, True), toward
        ),
    }
