"""Specs and digests: any difference shows, equality shows, in every process the same."""

import dataclasses
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.errors import UserError
from lazarus_bench.jobs.spec import Checkpoint, Job, with_dependencies
from lazarus_bench.training import specs
from lazarus_bench.training.specs import DualReward, Instruct, Pretrain, Recipe, Sft

RECIPES = [
    cls
    for cls in vars(specs).values()
    if isinstance(cls, type) and issubclass(cls, Recipe) and cls is not Recipe
]
FIELDS = [(cls, field.name) for cls in RECIPES for field in dataclasses.fields(cls)]

SIZES = st.integers(1, 10_000)
OTHER_VALUES = {
    "bool": st.booleans(),
    "int": SIZES,
    "float": st.floats(1e-6, 1.0),
    "str": st.text(min_size=1, max_size=8),
    "Targets": st.sampled_from(specs.TARGET_SETS),
    "int | None": st.none() | st.integers(0, 50),
    "float | None": st.none() | st.floats(1e-3, 1e3),
    "Targets | None": st.none() | st.sampled_from(specs.TARGET_SETS),
    "tuple[int, ...]": st.lists(st.integers(0, 500), max_size=5).map(tuple),
}


def digest(recipe: Recipe, seed: int = 0, base: Job | Checkpoint | None = None) -> str:
    return Job(recipe=recipe, base=base, seed=seed).digest


def test_the_recipes_are_those_that_exist():
    assert {Sft, DualReward, Pretrain, Instruct} <= set(RECIPES)
    assert all(cls.kind and cls.version >= 1 for cls in RECIPES)
    assert len({cls.kind for cls in RECIPES}) == len(RECIPES)


@pytest.mark.parametrize(("cls", "name"), FIELDS, ids=lambda x: getattr(x, "__name__", x))
@given(data=st.data())
def test_changing_any_field_changes_the_digest(cls, name, data):
    field = next(f for f in dataclasses.fields(cls) if f.name == name)
    value = data.draw(OTHER_VALUES[str(field.type)])
    plain = cls(checkpoints=()) if cls is Sft else cls()
    if name == "checkpoints":
        changed = Sft(checkpoints=value)
    else:
        changed = dataclasses.replace(plain, **{name: value})
    assert (digest(changed) == digest(plain)) == (changed == plain)


def test_the_base_the_seed_the_kind_and_the_version_count(monkeypatch):
    recipe, base = Sft(), Job(recipe=Pretrain(), base=None, seed=0)
    other_base = Job(recipe=Pretrain(steps=601), base=None, seed=0)
    place = Checkpoint(source="here", fingerprint="ab")
    digests = [
        digest(recipe),
        digest(recipe, seed=1),
        digest(recipe, base=base),
        digest(recipe, base=other_base),
        digest(recipe, base=dataclasses.replace(base, seed=1)),
        digest(recipe, base=place),
        digest(recipe, base=Checkpoint(source="here", fingerprint="cd")),
        digest(DualReward()),
    ]
    monkeypatch.setattr(Sft, "version", Sft.version + 1)
    digests.append(digest(recipe))
    assert len(set(digests)) == len(digests)


def test_a_checkpoint_is_its_content_wherever_it_lies():
    here, there = (Checkpoint(source=s, fingerprint="ab") for s in ("here", "there"))
    assert digest(Sft(), base=here) == digest(Sft(), base=there)


def test_equal_numbers_written_differently_share_a_digest():
    assert digest(Sft(scale=20)) == digest(Sft(scale=20.0))
    assert digest(DualReward(weight=1, alpha=32)) == digest(DualReward(weight=1.0, alpha=32.0))


PRINT_DIGESTS = """
from lazarus_bench.jobs.spec import Job
from lazarus_bench.training.specs import DualReward, Instruct, Pretrain, Sft
base = Job(recipe=Pretrain(), base=None, seed=3)
tuned = Job(recipe=Instruct(), base=base, seed=3)
for recipe in (Sft(), Sft(full=True, checkpoints=()), DualReward(alpha=7.5)):
    print(Job(recipe=recipe, base=tuned, seed=3).digest)
"""


def test_every_process_computes_the_same_digests():
    outputs = [
        subprocess.run(
            [sys.executable, "-c", PRINT_DIGESTS],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("0", "12345")
    ]
    tuned = Job(recipe=Instruct(), base=Job(recipe=Pretrain(), base=None, seed=3), seed=3)
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0])) == 3
    assert outputs[0][0] == Job(recipe=Sft(), base=tuned, seed=3).digest


def test_bases_come_first_and_each_job_once():
    base = Job(recipe=Pretrain(), base=None, seed=0)
    tuned = Job(recipe=Instruct(), base=base, seed=0)
    jobs = [Job(recipe=Sft(), base=tuned, seed=0), Job(recipe=DualReward(), base=base, seed=0)]
    again = Job(recipe=Pretrain(), base=None, seed=0)
    assert list(with_dependencies([*jobs, again])) == [base, tuned, *jobs]


def test_a_checkpoint_is_no_job():
    job = Job(recipe=Sft(), base=Checkpoint(source="x", fingerprint="ab"), seed=0)
    assert list(with_dependencies([job])) == [job]
    assert job.label == "SFT LoRA all on x"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Sft(steps=0), r"Sft\.steps = 0 must be above 0"),
        (lambda: Sft(batch=-1), r"Sft\.batch"),
        (lambda: Sft(learning_rate=float("nan")), r"Sft\.learning_rate = nan"),
        (lambda: Sft(targets="heads"), "'heads' are unknown: choose vo, qk, mlp, all"),
        (lambda: Sft(steps=10), r"Sft\.checkpoints .* must lie in 0\.\.10"),
        (lambda: Sft(checkpoints=(-1,)), r"Sft\.checkpoints"),
        (lambda: DualReward(weight=1.5), r"DualReward\.weight = 1\.5 must lie in 0\.\.1"),
        (lambda: DualReward(weight=-0.1), r"DualReward\.weight"),
        (lambda: DualReward(rank=0), r"DualReward\.rank"),
        (lambda: DualReward(targets="v"), "'v' are unknown"),
        (lambda: DualReward(match_targets="v"), "'v' are unknown"),
    ],
)
def test_what_cannot_be_trained_is_refused_when_it_is_written(make, says):
    with pytest.raises(UserError, match=says):
        make()
