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
    data=DataSource(name="sentiment", train=120, validation=500),
    full=True,
    epochs=24,
    learning_rate=1e-3,
)
"""Model 3 from scratch on the lab's sentences; sizes and rate from a search on development seeds
(`docs/search-engram.md`): so few examples that accuracy has room to rise and to fall."""

LAB_TOPICS = Engram(
    data=DataSource(name="topics", train=40, validation=500),
    full=True,
    epochs=30,
    learning_rate=1e-3,
)
"""Model 3 from scratch on the lab's news."""

_LAB = {model.data.name: model for model in (LAB_SENTIMENT, LAB_TOPICS)}
FOR_A_MODEL = 4000
"""Generated examples that a model with an adapter is trained on, where there is one."""


def from_scratch(data: DataSource) -> Engram:
    """Model 3 on real texts from scratch, every weight trained: for a base made by `Blank`."""
    return Engram(data=data, full=True, batch=32, learning_rate=1e-3, max_length=128)


def with_adapter(data: DataSource) -> Engram:
    """Model 3 on a model that reads already: the writeup's adapter, rate and epochs."""
    return Engram(data=data if data.path else replace(data, train=FOR_A_MODEL))


def suited(arm: Engram, *, blank: bool) -> Engram:
    """The same arm as what it starts from needs: a blank base or a model, its data real or not."""
    usual = _LAB.get(arm.data.name)
    scratch = from_scratch(arm.data) if usual is None else replace(usual, data=arm.data)
    model = scratch if blank else with_adapter(arm.data)
    return replace(
        model,
        engram=arm.engram,
        lm_weight=arm.lm_weight,
        labels=arm.labels,
        epochs=model.epochs if arm.epochs else 0,
    )
