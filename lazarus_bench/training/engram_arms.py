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
(`docs/search-engram.md`). So few examples leave room above model 1; models 2 and 3 are right about
nearly every sentence."""

LAB_TOPICS = Engram(
    data=DataSource(name="topics", train=40, validation=500),
    full=True,
    epochs=30,
    learning_rate=1e-3,
)
"""Model 3 from scratch on the lab's news; so few examples leave room above every model."""

_LAB = {model.data.name: model for model in (LAB_SENTIMENT, LAB_TOPICS)}
REGISTERED = frozenset(arm for model in _LAB.values() for arm in vars(engram_arms(model)).values())
"""The arms that the claims name: these alone are made to suit, other recipes stay as written."""

FOR_A_MODEL = 4000
"""Generated examples that a model with an adapter is trained on, where there is one."""

MAX_LENGTH = 128
"""Tokens of a text that are read, where the model's context holds so many."""


def from_scratch(data: DataSource) -> Engram:
    """Model 3 on real texts from scratch, every weight trained: for a base made by `Blank`."""
    return Engram(data=data, full=True, batch=32, learning_rate=1e-3, max_length=MAX_LENGTH)


def with_adapter(data: DataSource) -> Engram:
    """Model 3 on a model that reads already: the writeup's adapter, rate and epochs."""
    fitting = data if data.path else replace(data, train=FOR_A_MODEL)
    return Engram(data=fitting, max_length=MAX_LENGTH)


def suited(arm: Engram, data: DataSource, *, blank: bool) -> Engram:
    """`arm`, which is registered, on `data` and as what it starts from needs it.

    That is a blank base or a model, and `data` are the arm's own or real ones in their place.
    """
    model = (_LAB.get(data.name) or from_scratch(data)) if blank else with_adapter(data)
    return replace(
        model,
        engram=arm.engram,
        lm_weight=arm.lm_weight,
        labels=arm.labels,
        epochs=model.epochs if arm.epochs else 0,
    )
