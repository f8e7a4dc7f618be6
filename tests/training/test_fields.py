"""Fields of specs: every number is checked where a spec is made, and numpy's become Python's."""

import dataclasses
import json
import math
import typing
from dataclasses import asdict

import numpy as np
import pytest

from lazarus_bench import trained
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.spec import Job
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.training import (
    Blank,
    DualReward,
    Engram,
    Fuse,
    Grpo,
    GrpoDual,
    Pretrain,
    Recipe,
    Sft,
    known_recipes,
)
from lazarus_bench.training.recipe import check_base

RECIPES = list(known_recipes().values())


def fields_of(kind: type) -> list[tuple[type[Recipe], str]]:
    """Fields that hold a `kind`, or one or None."""
    found = []
    for cls in RECIPES:
        for name, hint in typing.get_type_hints(cls).items():
            named = name in {field.name for field in dataclasses.fields(cls)}
            if named and (hint is kind or kind in typing.get_args(hint)):
                found.append((cls, name))
    return found


def digest(recipe: Recipe) -> str:
    return Job(recipe=recipe, base=None, seed=0).digest


def named(one: object) -> str | None:
    return getattr(one, "__name__", None)


@pytest.mark.parametrize(("cls", "name"), fields_of(int), ids=named)
def test_an_integer_is_one(cls, name):
    for value in (2.5, 30.0, True, "30", math.nan, -1, np.float64(30), [3.0]):
        with pytest.raises(UserError, match=rf"{cls.__name__}\.{name} = .* must be .*an integer"):
            cls(**{name: value})


@pytest.mark.parametrize(("cls", "name"), fields_of(float), ids=named)
def test_a_number_is_finite_and_where_it_means_something(cls, name):
    for value in (math.nan, math.inf, -math.inf, "1e-4", True, -0.5, 10**400, [1]):
        with pytest.raises(UserError, match=rf"{cls.__name__}\.{name} = .* be a finite number"):
            cls(**{name: value})


@pytest.mark.parametrize(("cls", "name"), fields_of(bool), ids=named)
def test_a_switch_is_true_or_false(cls, name):
    for value in (1, "no", None):
        with pytest.raises(UserError, match=rf"{cls.__name__}\.{name} = .* must be True or False:"):
            cls(**{name: value})


def test_every_field_of_every_recipe_is_of_a_kind_tested_here():
    kinds = {cls_name for kind in (int, float, bool, str) for cls_name in fields_of(kind)}
    others = ("targets", "match_targets", "checkpoints", "labels", "data", "quirks", "texts")
    literals = {(cls, n) for cls in RECIPES for n in others}
    for cls in RECIPES:
        assert {(cls, field.name) for field in dataclasses.fields(cls)} <= kinds | literals


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (Sft(steps=np.int64(600), rank=np.int32(4)), Sft(steps=600, rank=4)),
        (Sft(checkpoints=(np.int64(0), np.int8(100))), Sft(checkpoints=(0, 100))),
        (Sft(checkpoints=[0, 100]), Sft(checkpoints=(0, 100))),
        (Sft(full=np.bool_(True)), Sft(full=True)),
        (Sft(learning_rate=np.float64(3e-4)), Sft(learning_rate=3e-4)),
        (DualReward(alpha=np.int64(8), layer=np.int64(2)), DualReward(alpha=8.0, layer=2)),
        (GrpoDual(entropy=1, kl=0), GrpoDual(entropy=1.0, kl=0.0)),
        (Engram(lm_weight=0), Engram(lm_weight=0.0)),
    ],
)
def test_numpys_numbers_become_pythons(given, plain):
    assert given == plain
    assert hash(given) == hash(plain)
    assert digest(given) == digest(plain)
    assert json.dumps(asdict(given)) == json.dumps(asdict(plain))


@pytest.mark.parametrize("narrow", [np.float32, np.float16])
def test_a_float_of_fewer_bits_is_another_number_and_refused(narrow):
    with pytest.raises(
        UserError, match=rf"this float\d\d is {float(narrow(1e-3))}.*such as 0.0001"
    ):
        Sft(learning_rate=narrow(1e-3))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: Grpo(answers=2.5),
            "Grpo.answers = 2.5 must be an integer of at least 2, as a group of one has no "
            "advantage: give one such as 8",
        ),
        (
            lambda: DualReward(layer=2.5),
            "DualReward.layer = 2.5 must be an integer of at least 0 or None",
        ),
        (
            lambda: Sft(checkpoints=(0, 1.5)),
            "Sft.checkpoints = (0, 1.5) must be a tuple, each item an integer of at least 0: give "
            "one such as (0, 100, 300, 500)",
        ),
        (
            lambda: Sft(targets=3),
            "Sft.targets = 3 must be one of vo, qk, mlp, all: give one such as 'all'",
        ),
        (lambda: Pretrain(family=3), "Pretrain.family = 3 must be text: give one such as 'llama'"),
        (
            lambda: Engram(labels="random"),
            "Engram.labels = 'random' must be one of true, shuffled: give one such as 'true'",
        ),
        (
            lambda: Engram(bits=1),
            "Engram.bits = 1 must be an integer of at least 2 and of at most 8 or None",
        ),
        (
            lambda: Engram(warm_up=0.8),
            "Engram.warm_up = 0.8 must be a finite number of at least 0 and of at most 0.5, as the "
            "other half falls: give one such as 0.1",
        ),
        (
            lambda: Engram(bits=7),
            "Engram.bits = 7 is no width of mlx's: give 2, 3, 4, 5, 6 or 8",
        ),
        (
            lambda: Engram(bits=4, full=True),
            "Engram(full=True, bits=4) would train quantised weights, which have no gradient: give "
            "one of the two",
        ),
        (
            lambda: Engram(batch=7),
            "Engram.batch = 7 must be even, as its first half gives engrams to the second: give "
            "one such as 8",
        ),
        (
            lambda: Blank(width=100, heads=3),
            "Blank.width = 100 must be an even number of dimensions for each of 3 heads: give a "
            "multiple of 6",
        ),
    ],
)
def test_one_sentence_names_field_value_and_remedy(make, sentence):
    with pytest.raises(UserError) as refusal:
        make()
    assert str(refusal.value) == sentence


def test_a_record_in_a_field_is_checked_as_the_spec_is():
    with pytest.raises(UserError, match=r"Engram.data = 'sst2' must be a DataSource: give one"):
        Engram(data="sst2")
    with pytest.raises(UserError, match=r"DataSource.train = 2.5 must be an integer"):
        Engram(data=DataSource(train=2.5))


@pytest.mark.parametrize("stage", [Sft, Fuse, "sft", None])
def test_what_is_no_recipe_is_no_stage(stage):
    remedy = f"such as {stage.__name__}" if isinstance(stage, type) else "such as Sft"
    with pytest.raises(UserError, match=rf"is no recipe: give one that is made, {remedy}\(\)"):
        check_base(stage, None)
    with pytest.raises(UserError, match="is no recipe"):
        trained(Sft(), stage)
