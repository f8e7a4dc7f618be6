"""Quirks of recipes: off by default, in the digest and the label, refused where they cannot be."""

from dataclasses import replace
from itertools import permutations
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.errors import UserError
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.training import DualReward, Fuse, Grpo, GrpoDual, Pretrain, Sft
from lazarus_bench.training.recipe import QUIRKS, Quirk, quirks_of

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
