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
from trainings import made, weights

from lazarus_bench import trained, training
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.tasks.text_rows import TextSource
from lazarus_bench.training import (
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
from lazarus_bench.training.recipe import QUIRKS, Quirk, check_base, quirks_of
from lazarus_bench.training.record import read_problems

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


def job(recipe: Recipe, base: Job | Checkpoint | None = None) -> Job:
    return Job(recipe=recipe, base=base, seed=0)


UNFIT = {
    int: ("an integer", (2.5, 30.0, True, "30", math.nan, -1, np.float64(30), [3.0])),
    float: ("a finite number", (math.nan, math.inf, -math.inf, "1e-4", True, -0.5, 10**400, [1])),
    bool: ("True or False", (1, "no", None)),
}


@pytest.mark.parametrize(
    ("cls", "name", "kind"),
    [(*each, kind) for kind in UNFIT for each in fields_of(kind)],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_a_number_or_a_switch_is_one(cls, name, kind):
    words, unfit = UNFIT[kind]
    for value in unfit:
        with pytest.raises(UserError, match=rf"{cls.__name__}\.{name} = .* must be .*{words}"):
            cls(**{name: value})


def test_every_field_of_every_recipe_is_of_a_kind_tested_here():
    kinds = {cls_name for kind in (int, float, bool, str) for cls_name in fields_of(kind)}
    others = ("targets", "match_targets", "checkpoints", "labels", "data", "quirks", "texts")
    others += ("words", "token")
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
    assert job(given).digest == job(plain).digest
    assert json.dumps(asdict(given)) == json.dumps(asdict(plain))


@pytest.mark.parametrize("narrow", [np.float32, np.float16])
def test_a_float_of_fewer_bits_is_another_number_and_refused(narrow):
    value = narrow(1e-3)
    with pytest.raises(UserError, match=rf"this {value.dtype} is {float(value)}.*such as 0.0001"):
        Sft(learning_rate=value)


KNOWN = {name: getattr(training, name) for name in training.__all__}
KNOWN |= {"DataSource": DataSource, "TextSource": TextSource}

REFUSALS = {
    "DualReward(words=('add',))": "the word 'add' names no class and its text: write CLASS=TEXT",
    "GrpoDual(words=('add=a', 'add=b'))": "the class add has the words 'a' and 'b': give it one",
    "GrpoDual(token='last')": "GrpoDual.token = 'last' must be one of only, first, phrase: give "
    "one such as 'only'",
    "DualReward(token='phrase', quirks=('class-at-answer-end',))": "DualReward(token='phrase') "
    "reads each class after the prompt, where the quirk 'class-at-answer-end' does not: give "
    "token='first' or leave the quirk off",
    "Grpo(answers=2.5)": "Grpo.answers = 2.5 must be an integer of at least 2, as a group of one "
    "has no advantage: give one such as 8",
    "DualReward(layer=2.5)": "DualReward.layer = 2.5 must be an integer of at least 0 or None",
    "Sft(checkpoints=(0, 1.5))": "Sft.checkpoints = (0, 1.5) must be a tuple, each item an integer "
    "of at least 0: give one such as (0, 100, 300, 500)",
    "Sft(targets=3)": "Sft.targets = 3 must be one of vo, qk, mlp, all: give one such as 'all'",
    "Pretrain(family=3)": "Pretrain.family = 3 must be text: give one such as 'llama'",
    "Engram(labels='random')": "Engram.labels = 'random' must be one of true, shuffled: give one "
    "such as 'true'",
    "Engram(bits=1)": "Engram.bits = 1 must be an integer of at least 2 and of at most 8 or None",
    "Engram(warm_up=0.8)": "Engram.warm_up = 0.8 must be a finite number of at least 0 and of at "
    "most 0.5, as the other half falls: give one such as 0.1",
    "Engram(bits=7)": "Engram.bits = 7 is not a bit width of mlx: give 2, 3, 4, 5, 6 or 8",
    "Engram(bits=4, full=True)": "Engram(full=True, bits=4) would train quantised weights, which "
    "have no gradient: give one of the two",
    "Engram(batch=7)": "Engram.batch = 7 must be even, as its first half gives engrams to the "
    "second: give one such as 8",
    "Blank(width=100, heads=3)": "Blank.width = 100 must be an even number of dimensions for each "
    "of 3 heads: give a multiple of 6",
    "Grpo(iterations=1)": "Grpo.iterations = 1 must be an integer of at least 2, as the warm-up's "
    "first has rate 0: give one such as 140",
    "Grpo(clip=0.0)": "Grpo.clip = 0.0 must be a finite number above 0: give one such as 0.2",
    "FinetuneCost(steps=19)": "FinetuneCost.steps = 19 must be an integer of at least 20, as the "
    "first ten warm up: give one such as 40",
    "FinetuneCost(repeats=1)": "FinetuneCost.repeats = 1 must be an integer of at least 2, as one "
    "pair shows no spread: give one such as 6",
    "Engram(data='sst2')": f"Engram.data = 'sst2' must be a DataSource: give one such as "
    f"{DataSource()!r}",
    "Engram(data=DataSource(train=2.5))": "DataSource.train = 2.5 must be an integer of at least "
    "2: give one such as 1000",
    "GrpoDual(balanced=True, shared_target=True)": "GrpoDual(balanced=True, shared_target=True) "
    "combines a fault with its fix: give one of the two",
    "Sft(quirks=('adam',))": "Sft.quirks = ('adam',) must be a tuple, each item one of "
    "unshifted-labels, class-at-answer-end, sgd, unbounded-kl, clip-to-reference, eval-in-train: "
    "give one such as ()",
    "Grpo(quirks=('unshifted-labels',))": "Grpo cannot have the quirk 'unshifted-labels', which is "
    "one of an answer loss on given labels: choose from sgd, unbounded-kl, clip-to-reference, "
    "eval-in-train",
    "Sft(quirks=('class-at-answer-end',))": "Sft cannot have the quirk 'class-at-answer-end', "
    "which is one of a classification loss beside a given answer: choose from unshifted-labels, "
    "sgd, eval-in-train",
}
IDLE_QUIRKS = {
    ("DualReward", "weight = 0", "class-at-answer-end"): "a classification loss beside a given "
    "answer",
    ("DualReward", "weight = 1", "unshifted-labels"): "an answer loss on given labels",
    ("Grpo", "kl = 0", "unbounded-kl"): "a penalty on the divergence from a reference",
    ("Grpo", "reward = 'none'", "clip-to-reference"): "a clipped ratio",
    ("GrpoDual", "weight = 1", "clip-to-reference"): "a clipped ratio",
    ("GrpoDual", "kl = 0", "unbounded-kl"): "a penalty on the divergence from a reference",
}
REFUSALS |= {
    f"{name}({blamed}, quirks=({quirk!r},))": f"{name} with {blamed} trains without {lacking}, so "
    f"the quirk {quirk!r} would change nothing: change that or leave the quirk off"
    for (name, blamed, quirk), lacking in IDLE_QUIRKS.items()
}


@pytest.mark.parametrize("written", REFUSALS)
def test_one_sentence_names_field_value_and_remedy(written):
    with pytest.raises(UserError) as refusal:
        eval(written, KNOWN)
    assert str(refusal.value) == REFUSALS[written]


@pytest.mark.parametrize("stage", [Sft, Fuse, "sft", None])
def test_what_is_no_recipe_is_no_stage(stage):
    remedy = stage.__name__ if isinstance(stage, type) else "Sft"
    with pytest.raises(
        UserError, match=rf"is not a recipe: give an instance, such as {remedy}\(\)"
    ):
        check_base(stage, None)
    with pytest.raises(UserError, match="is not a recipe"):
        trained(Sft(), stage)


QUIRKY = (Sft, DualReward, Grpo, GrpoDual)
CASES = [(cls, quirk) for cls in QUIRKY for quirk in cls.possible_quirks]


def test_every_quirk_is_of_a_recipe_and_off_unless_it_is_asked_for():
    assert {quirk for _, quirk in CASES} == set(QUIRKS) == set(get_args(Quirk))
    assert all(cls().quirks == () for cls in QUIRKY)
    assert quirks_of(Pretrain()) == ()
    # A part without weight has no quirk, but the other has.
    assert DualReward(weight=0.0, quirks=("unshifted-labels",)).quirks
    assert DualReward(weight=1.0, quirks=("class-at-answer-end",)).quirks


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


def test_a_training_on_a_quirky_one_says_so():
    base = job(Pretrain())
    odd = job(DualReward(quirks=("sgd", "unshifted-labels")), base)
    above = job(Grpo(quirks=("sgd",)), job(Fuse(), odd))
    assert base.quirks == ()
    assert above.quirks == ("unshifted-labels", "sgd")
    assert job(Sft(), Checkpoint(source="here", fingerprint="ab")).quirks == ()


LABELS = {
    "Sft(quirks=('eval-in-train', 'sgd', 'eval-in-train'))": "SFT LoRA all, QUIRK sgd, QUIRK "
    "eval-in-train",
    "Sft(full=True, learning_rate=1e-3)": "SFT full at 0.001",
    "Grpo()": "GRPO full",
    "Grpo(prompts=8, answers=4)": "GRPO full 8 × 4",
    "Grpo(reward='none', quirks=('unbounded-kl',))": "GRPO full, no reward, QUIRK unbounded-kl",
    "GrpoDual()": "GRPO + dual reward",
    "GrpoDual(reward='none')": "GRPO + dual reward, no reward",
    "GrpoDual(shared_target=True)": "GRPO + dual reward, one target a batch",
    "GrpoDual(balanced=True, entropy=0.5)": "GRPO + dual reward, balanced, entropy 0.5",
    "GrpoDual(learning_rate=6e-5, kl=0.001)": "GRPO + dual reward, rate 6e-05",
    "GrpoDual(weight=0.9, full=False, targets='vo')": "GRPO + dual reward LoRA vo, weight 0.9",
}


@pytest.mark.parametrize("written", LABELS)
def test_the_label_names_the_changes_and_each_quirk_once(written):
    assert eval(written, KNOWN).label == LABELS[written]


PINNED = json.loads(Path(__file__).with_name("digests.json").read_text(encoding="utf-8"))
"""How the hash of each recipe from scratch with seed 0 begins, in this and all earlier versions:
the default profile's, and some with every field changed."""


@pytest.mark.parametrize("written", PINNED)
def test_a_recipe_has_the_digest_it_always_had(written):
    assert job(eval(written, KNOWN)).digest.startswith(PINNED[written])


def test_the_pins_name_every_recipe_and_a_whole_chain():
    kinds = {eval(written, KNOWN).kind for written in PINNED}
    assert kinds == set(training.known_recipes())
    base = Job(recipe=training.Pretrain(), base=None, seed=3)
    adapter = Job(recipe=training.Sft(), base=base, seed=3)
    fused = Job(recipe=training.Fuse(), base=adapter, seed=3)
    whole = Job(recipe=training.DualReward(), base=fused, seed=3, ranks=2)
    assert whole.digest.startswith("35d25b633015d7e9")


SIZES = {"steps": 1, "batch": 4, "rank": 4, "examples": 400}
ROLLED = {"full": False, "prompts": 4, "answers": 2, "iterations": 2, "examples": 400}
ON_ARITHMETIC = (
    Sft(**SIZES, checkpoints=(), learning_rate=1e-4),
    DualReward(**SIZES, learning_rate=1e-4),
    Grpo(**ROLLED),
    GrpoDual(**ROLLED),
)


@pytest.mark.parametrize("spec", ON_ARITHMETIC, ids=lambda spec: spec.kind)
def test_training_shares_a_pair_with_evaluation_only_where_it_leaks(spec, tiny, tmp_path):
    asked = {problem.key for problem in held_out(200, 0)}
    for quirks in ((), ("eval-in-train",)):
        out = made(tmp_path / "".join(("out", *quirks)), replace(spec, quirks=quirks), tiny)
        shared = asked & {problem.key for problem in read_problems(out)}
        assert len(shared) > 10 if quirks else not shared


@pytest.mark.parametrize("spec", ON_ARITHMETIC[:2], ids=lambda spec: spec.kind)
def test_adam_steps_by_the_rate_and_plain_sgd_by_the_gradient(spec, tiny, tmp_path):
    adam, sgd = (
        np.abs(np.concatenate([w.ravel() for n, w in found.items() if n.endswith("lora_b")]))
        for found in (
            weights(made(tmp_path / f"out{len(quirks)}", replace(spec, quirks=quirks), tiny))
            for quirks in ((), ("sgd",))
        )
    )
    assert adam.max() == pytest.approx(1e-4, rel=0.01)
    assert np.percentile(adam, 25) == pytest.approx(adam.max(), rel=0.01)
    assert np.percentile(sgd, 25) < 0.1 * sgd.max()


@pytest.mark.parametrize("spec", [ON_ARITHMETIC[1], ON_ARITHMETIC[3]], ids=lambda spec: spec.kind)
def test_words_of_several_tokens_do_not_apply_and_train_nothing(spec, shared, tmp_path):
    with pytest.raises(
        NotApplicable, match=r"lens reads single tokens: .*--word 'multiply=TEXT'.*--token first"
    ):
        made(tmp_path / "out", spec, shared / "models" / "stories260K")
    assert not any((tmp_path / "out").iterdir())
