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

from lazarus_bench import OPERATION_NAMES, AtMost, beside, claim, mean, trained
from lazarus_bench.session.controls import room_to_lose
from lazarus_bench.tasks.arithmetic import partners
from lazarus_bench.training import DualReward

from .writeups import task_classifier_emergence as writeup

vo = trained(DualReward(targets="vo", weight=0.4, steps=500))
LEAST_ACCURACY = 0.2
FITTED = 200
"""Problems of the training, about, that means and directions are taken from: none is judged."""


def without(runs, problems, **how):
    """What the models do without their classifier layer, or a part of it."""
    return runs.ablated(problems, runs.classifier_layer, **how)


def fitted_on(run):
    """Problems of the training at even distances, since they are listed by operation."""
    return run.trained_on[:: max(1, len(run.trained_on) // FITTED)]


@claim(
    "intervention/classifier-layer-needed",
    AtMost(0.0),
    finding=writeup.CLASSIFIER_LAYER_NEEDED,
    words=OPERATION_NAMES,
    exploratory=True,
)
def test_removing_the_classifier_layer_breaks_the_task(vo, held_out):
    """Removing the classifier layer breaks the task.

    exact-match accuracy on held-out operands without the classifier layer minus half of the
    accuracy with it, V/O dual reward.
    """
    kept = without(vo, held_out).correct - vo.behaviour(held_out).correct / 2
    return mean(kept.single()), room_to_lose(vo, held_out, by=LEAST_ACCURACY)


@beside(test_removing_the_classifier_layer_breaks_the_task)
def answers(vo, held_out):
    excess = vo.ablation(held_out).excess(vo.classifier_layer)
    before = vo.before
    in_its_place = without(vo, held_out, reference=vo.each(fitted_on)).correct
    yield "accuracy", mean(vo.behaviour(held_out).correct)
    yield "accuracy without the classifier layer", mean(without(vo, held_out).correct)
    yield "control: lost beyond the mean of the other middle layers", mean(excess)
    yield "control: accuracy before training", mean(before.behaviour(held_out).correct)
    yield "control: before training, without that layer", mean(without(before, held_out).correct)
    for name, part in (("attention", "attention"), ("MLP", "mlp")):
        yield f"accuracy without its {name}", mean(without(vo, held_out, part=part).correct)
    yield "accuracy with a mean in its place", mean(in_its_place)


@beside(test_removing_the_classifier_layer_breaks_the_task)
def names_one_layer_up(vo, held_out):
    """Probability of an operation's name one layer above the classifier layer."""
    layer = vo.classifier_layer
    same, other = (partners(held_out, same_operation=same) for same in (True, False))
    toward = [problem.operation for problem in other]

    def named(behaviour, operations=None):
        return mean(behaviour.naming(operations).at(layer + 1))

    def patched(sources):
        return vo.patched(held_out, layer, sources)

    def steered(at_random):
        return vo.steered(held_out, layer, toward, vo.each(fitted_on), at_random)

    yield "the name, one layer up", named(vo.behaviour(held_out))
    yield "the name without the classifier layer", named(without(vo, held_out))
    yield "control: the name, patched from the same operation", named(patched(same))
    yield "the name, patched from another operation", named(patched(other))
    yield "the other's name, patched from it", named(patched(other), toward)
    yield "the other's name, steered to it", named(steered(False), toward)
    yield "control: the other's name, steered at random", named(steered(True), toward)
