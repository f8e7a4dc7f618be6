"""Recipes: fields are checked and numpy's numbers become Python's, quirks show, digests stay."""

import dataclasses
import json
import math
import typing
from dataclasses import asdict, replace
from itertools import permutations
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench import trained, training
from lazarus_bench.errors import UserError
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.tasks.text_rows import TextSource
from lazarus_bench.training import (
    Blank,
    DualReward,
    Engram,
    FinetuneCost,
    Fuse,
    Grpo,
    GrpoDual,
    Instruct,
    Pretrain,
    Recipe,
    Sft,
    known_recipes,
)
from lazarus_bench.training.recipe import QUIRKS, Quirk, check_base, quirks_of

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


@pytest.mark.parametrize(
    ("make", "bound"),
    [
        (lambda: Grpo(iterations=1), "of at least 2, as the warm-up's first has rate 0"),
        (lambda: Grpo(clip=0.0), "a finite number above 0"),
        (lambda: GrpoDual(weight=1.2), "of at least 0 and of at most 1"),
        (lambda: FinetuneCost(steps=19), "of at least 20, as the first ten warm up"),
        (lambda: FinetuneCost(repeats=1), "of at least 2, as one pair shows no spread"),
        (lambda: Instruct(questions=0), "of at least 1"),
    ],
)
def test_a_bound_is_told_with_its_reason(make, bound):
    with pytest.raises(UserError, match=bound):
        make()


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


QUIRKY = (Sft, DualReward, Grpo, GrpoDual)
CASES = [(cls, quirk) for cls in QUIRKY for quirk in cls.possible_quirks]


def job(recipe, base=None) -> Job:
    return Job(recipe=recipe, base=base, seed=0)


def test_every_quirk_is_of_a_recipe_and_off_unless_it_is_asked_for():
    assert {quirk for _, quirk in CASES} == set(QUIRKS) == set(get_args(Quirk))
    assert all(cls().quirks == () for cls in QUIRKY)
    assert quirks_of(Pretrain()) == ()


@pytest.mark.parametrize(("cls", "quirk"), CASES)
def test_a_quirk_shows_in_the_label_and_in_the_digest(cls, quirk):
    usual, odd = cls(), cls(quirks=(quirk,))
    assert odd.label == f"{usual.label}, QUIRK {quirk}"
    assert job(odd).digest != job(usual).digest
    assert job(odd).canonical()["recipe"]["quirks"] == (quirk,)


@given(chosen=st.lists(st.sampled_from(DualReward.possible_quirks), max_size=6))
def test_the_same_quirks_in_any_order_are_the_same_recipe(chosen):
    first = DualReward(quirks=tuple(chosen))
    for order in list(permutations(set(chosen)))[:6]:
        again = DualReward(quirks=order)
        assert again == first
        assert job(again).digest == job(first).digest
    assert sorted(first.quirks) == sorted(set(chosen))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: Grpo(quirks=("unshifted-labels",)),
            "Grpo cannot have the quirk 'unshifted-labels', which is one of an answer loss on "
            "given labels: choose from sgd, unbounded-kl, clip-to-reference, eval-in-train",
        ),
        (
            lambda: GrpoDual(quirks=("class-at-answer-end",)),
            "GrpoDual cannot have the quirk 'class-at-answer-end', which is one of a "
            "classification loss beside a given answer: choose from sgd, unbounded-kl, "
            "clip-to-reference, eval-in-train",
        ),
        (
            lambda: Sft(quirks=("class-at-answer-end",)),
            "Sft cannot have the quirk 'class-at-answer-end', which is one of a classification "
            "loss beside a given answer: choose from unshifted-labels, sgd, eval-in-train",
        ),
        (
            lambda: DualReward(weight=0.0, quirks=("class-at-answer-end",)),
            "DualReward with weight = 0 trains without a classification loss beside a given "
            "answer, so the quirk 'class-at-answer-end' would change nothing: change that or "
            "leave the quirk off",
        ),
        (
            lambda: DualReward(weight=1.0, quirks=("unshifted-labels",)),
            "DualReward with weight = 1 trains without an answer loss on given labels, so the "
            "quirk 'unshifted-labels' would change nothing: change that or leave the quirk off",
        ),
        (
            lambda: Grpo(kl=0.0, quirks=("unbounded-kl",)),
            "Grpo with kl = 0 trains without a penalty on the divergence from a reference, so the "
            "quirk 'unbounded-kl' would change nothing: change that or leave the quirk off",
        ),
        (
            lambda: Grpo(reward="none", quirks=("clip-to-reference",)),
            "Grpo with reward = 'none' trains without a clipped ratio, so the quirk "
            "'clip-to-reference' would change nothing: change that or leave the quirk off",
        ),
        (
            lambda: GrpoDual(weight=1.0, quirks=("clip-to-reference",)),
            "GrpoDual with weight = 1 trains without a clipped ratio, so the quirk "
            "'clip-to-reference' would change nothing: change that or leave the quirk off",
        ),
        (
            lambda: Sft(quirks=("adam",)),
            "Sft.quirks = ('adam',) must be a tuple, each item one of unshifted-labels, "
            "class-at-answer-end, sgd, unbounded-kl, clip-to-reference, eval-in-train: give one "
            "such as ()",
        ),
    ],
)
def test_an_impossible_combination_is_refused_in_one_sentence(make, sentence):
    with pytest.raises(UserError) as refusal:
        make()
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_part_without_weight_has_no_quirk_but_the_other_has(weight):
    other = "unshifted-labels" if weight == 0 else "class-at-answer-end"
    assert DualReward(weight=weight, quirks=(other,)).quirks == (other,)


def test_a_training_on_a_quirky_one_says_so():
    base = job(Pretrain())
    odd = job(DualReward(quirks=("sgd", "unshifted-labels")), base)
    above = job(Grpo(quirks=("sgd",)), job(Fuse(), odd))
    assert base.quirks == ()
    assert above.quirks == ("unshifted-labels", "sgd")
    assert job(Sft(), Checkpoint(source="here", fingerprint="ab")).quirks == ()


def test_quirks_are_told_once_and_in_order():
    spec = Sft(quirks=("eval-in-train", "sgd", "eval-in-train"))
    assert spec.label == f"{Sft().label}, QUIRK sgd, QUIRK eval-in-train"


def test_no_reward_shows_in_the_label():
    assert Grpo(reward="none", quirks=("unbounded-kl",)).label == (
        "GRPO full, no reward, QUIRK unbounded-kl"
    )
    assert replace(GrpoDual(), reward="none").label == "GRPO + dual reward, no reward"


PINNED = json.loads(Path(__file__).with_name("digests.json").read_text(encoding="utf-8"))
"""The first digits of the digest of each recipe from scratch with seed 0, as that version had it.

They are the default profile's, and some in which every field has another value than usual.
"""

KNOWN = {name: getattr(training, name) for name in training.__all__}
KNOWN |= {"DataSource": DataSource, "TextSource": TextSource}


@pytest.mark.parametrize("written", PINNED)
def test_a_recipe_has_the_digest_it_always_had(written):
    recipe = eval(written, KNOWN)
    assert Job(recipe=recipe, base=None, seed=0).digest.startswith(PINNED[written])


def test_every_recipe_is_pinned():
    kinds = {eval(written, KNOWN).kind for written in PINNED}
    assert kinds == set(training.known_recipes())


def test_a_job_has_the_digest_it_always_had():
    base = Job(recipe=training.Pretrain(), base=None, seed=3)
    adapter = Job(recipe=training.Sft(), base=base, seed=3)
    fused = Job(recipe=training.Fuse(), base=adapter, seed=3)
    job = Job(recipe=training.DualReward(), base=fused, seed=3, ranks=2)
    assert job.digest.startswith("35d25b633015d7e9")
