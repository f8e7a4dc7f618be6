"""The trainings that one engram question compares: the writeup's three models and the controls.

Source: writeup E, *Three Models*; the controls are ours. No mlx: claim files import it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.training.specs import Engram


@dataclass(frozen=True, kw_only=True)
class EngramArms:
    """Trainings that differ in nothing but what their names say.

    `classifier`, `dual_head` and `dual_engram` are E's models 1, 2 and 3. `class_engram` is model 3
    without the language model's loss: the same bottleneck, fed back in the same way, trained by
    classification alone. `shuffled` and `untrained` are model 3 on permuted labels and before its
    first step.
    """

    classifier: Engram
    dual_head: Engram
    dual_engram: Engram
    class_engram: Engram
    shuffled: Engram
    untrained: Engram


def engram_arms(model: Engram) -> EngramArms:
    """All arms of `model`, a model 3."""
    return EngramArms(
        classifier=replace(model, engram=False, lm_weight=0.0),
        dual_head=replace(model, engram=False),
        dual_engram=model,
        class_engram=replace(model, lm_weight=0.0),
        shuffled=replace(model, labels="shuffled"),
        untrained=replace(model, epochs=0),
    )


LAB_SENTIMENT = Engram(
    data=DataSource(name="sentiment", train=1600, validation=1000),
    batch=16,
    learning_rate=3e-3,
)
"""Model 3 on the lab's sentences; sizes and rate from a search on development seeds
(`docs/search-engram.md`)."""

LAB_TOPICS = Engram(
    data=DataSource(name="topics", train=800, validation=1000),
    batch=32,
    learning_rate=3e-3,
)
"""Model 3 on the lab's news."""


def from_scratch(data: DataSource) -> Engram:
    """Model 3 on real texts from scratch, every weight trained: for a base made by `Blank`."""
    return Engram(data=data, full=True, batch=32, learning_rate=1e-3, max_length=128)


def on_blank(arm: Engram) -> Engram:
    """The same arm on the same data from scratch."""
    model = from_scratch(arm.data)
    return replace(
        model,
        engram=arm.engram,
        lm_weight=arm.lm_weight,
        labels=arm.labels,
        epochs=model.epochs if arm.epochs else 0,
    )
