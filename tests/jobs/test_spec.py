"""Specs and digests: any difference shows, equality shows, in every process the same."""

import dataclasses
import json
import os
import subprocess
import sys
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from lazarus_bench.errors import UserError
from lazarus_bench.jobs.spec import (
    Checkpoint,
    Job,
    check,
    digest_of,
    reads,
    with_dependencies,
    with_ranks,
)
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.tasks.text_rows import TextSource
from lazarus_bench.training import (
    DualReward,
    FinetuneCost,
    Fuse,
    Instruct,
    Pretrain,
    Recipe,
    Sft,
    known_recipes,
)

RECIPES = list(known_recipes().values())
FIELDS = [(cls, field.name) for cls in RECIPES for field in dataclasses.fields(cls)]

PLAIN = {
    bool: st.booleans(),
    int: st.integers(0, 10_000),
    float: st.floats(0.0, 1.0) | st.floats(1.0, 1e3),
    str: st.text(min_size=1, max_size=8),
    type(None): st.none(),
}


SOURCES = (
    DataSource(),
    DataSource(name="topics"),
    DataSource(train=40),
    DataSource(validation=40),
    DataSource(digest="f" * 64),
)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, those its recipe refuses among them."""
    arguments = typing.get_args(hint)
    if hint is DataSource:
        return st.sampled_from(SOURCES)
    if hint is TextSource:
        return st.sampled_from([TextSource(digest=sign * 64) for sign in "0ef"])
    if typing.get_origin(hint) is Callable:
        return st.nothing()
    if typing.get_origin(hint) is typing.Literal:
        return st.sampled_from(arguments)
    if typing.get_origin(hint) is tuple:
        return st.lists(values(arguments[0]), max_size=5).map(tuple)
    return st.one_of(map(values, arguments)) if arguments else PLAIN[hint]


@st.composite
def recipes(draw, cls: type[Recipe], names: Sequence[str]) -> Recipe:
    """A `cls` with other values in the fields `names`, and defaults elsewhere."""
    hints = typing.get_type_hints(cls)
    try:
        return cls(**{name: draw(values(hints[name])) for name in names})
    except UserError:
        reject()


@st.composite
def any_recipe(draw) -> Recipe:
    """Any recipe with up to two fields changed."""
    cls = draw(st.sampled_from(RECIPES))
    names = [field.name for field in dataclasses.fields(cls)]
    chosen = st.lists(st.sampled_from(names), max_size=2, unique=True) if names else st.just([])
    return draw(recipes(cls, draw(chosen)))


def digest(recipe: Recipe, seed: int = 0, base: Job | Checkpoint | None = None) -> str:
    return Job(recipe=recipe, base=base, seed=seed).digest


MANY_REFUSED = settings(
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], max_examples=40
)


@pytest.mark.parametrize(("cls", "name"), FIELDS, ids=lambda x: getattr(x, "__name__", x))
@MANY_REFUSED
@given(data=st.data())
def test_changing_any_field_changes_the_digest(cls, name, data):
    changed = data.draw(recipes(cls, [name]))
    assert (digest(changed) == digest(cls())) == (changed == cls())


@settings(MANY_REFUSED, max_examples=300)
@given(one=any_recipe(), other=any_recipe())
def test_no_two_recipes_share_a_digest(one, other):
    assert (digest(one) == digest(other)) == (one == other)


@pytest.mark.parametrize("cls", RECIPES)
def test_the_defaults_are_in_the_spec(cls):
    """A default that is changed in the source must not find the artifacts of the old one."""
    spec = Job(recipe=cls(), base=None, seed=0).canonical()
    fields = {item.name: item.metadata.get("added") for item in dataclasses.fields(cls)}
    assert set(spec["recipe"]) == {name for name, added in fields.items() if not added}
    assert (spec["kind"], spec["version"]) == (cls.kind, cls.version)


@pytest.mark.parametrize("cls", RECIPES)
def test_the_version_of_a_recipe_and_of_its_base_count(cls, monkeypatch):
    def both() -> tuple[str, str]:
        base = Job(recipe=cls(), base=None, seed=0)
        return base.digest, Job(recipe=Sft(), base=base, seed=0).digest

    before = both()
    monkeypatch.setattr(cls, "version", cls.version + 1)
    assert not set(before) & set(both())


def test_a_spec_read_back_has_the_same_digest():
    base = Job(recipe=Pretrain(), base=None, seed=3)
    job = Job(recipe=DualReward(alpha=7.5), base=base, seed=3)
    read = json.loads(json.dumps(job.canonical(), indent=1))
    assert digest_of(read) == job.digest
    assert digest_of(read["base"]) == base.digest


def test_the_base_the_seed_the_ranks_the_kind_and_the_version_count(monkeypatch):
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
        Job(recipe=recipe, base=None, seed=0, ranks=2).digest,
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
from lazarus_bench.training import DualReward, Instruct, Pretrain, Sft
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


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Sft(steps=0), r"Sft\.steps = 0 must be an integer of at least 1: .* as 500"),
        (lambda: Sft(batch=-1), r"Sft\.batch"),
        (lambda: Sft(learning_rate=float("nan")), r"Sft\.learning_rate = nan"),
        (lambda: Sft(targets="heads"), "= 'heads' must be one of vo, qk, mlp, all"),
        (lambda: Sft(steps=10), r"Sft\.checkpoints = .* must lie in 0\.\.10"),
        (lambda: Sft(checkpoints=(-1,)), r"Sft\.checkpoints"),
        (lambda: DualReward(weight=1.5), r"DualReward\.weight = 1\.5 must be .* at most 1"),
        (lambda: DualReward(weight=-0.1), r"DualReward\.weight"),
        (lambda: DualReward(rank=0), r"DualReward\.rank"),
        (lambda: DualReward(targets="v"), "'v' must be one of vo"),
        (lambda: DualReward(match_targets="v"), "'v' must be one of .* or None"),
    ],
)
def test_what_cannot_be_trained_is_refused_when_it_is_written(make, says):
    with pytest.raises(UserError, match=says):
        make()


GIVEN = Checkpoint(source="here", fingerprint="ab")


def chain(*recipes: Recipe, base: Job | Checkpoint | None = GIVEN) -> Job:
    for recipe in recipes:
        base = Job(recipe=recipe, base=base, seed=0)
    return base


@pytest.mark.parametrize(
    "job",
    [
        chain(Sft(), Fuse(), DualReward()),
        chain(Pretrain(), Instruct(), Sft(full=True), Fuse(), FinetuneCost(), base=None),
    ],
    ids=["given", "lab"],
)
def test_chains_that_can_start_are_taken_whole(job):
    found = list(with_dependencies([job]))
    assert found[-1] == job
    assert all(found.index(base) < found.index(one) for one in found for base in reads(one))


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        (
            chain(Sft(), DualReward()),
            "dual reward vo starts from a whole model, and SFT LoRA all leaves an adapter: put "
            "Fuse() between them",
        ),
        (
            chain(Fuse()),
            "fuse starts from a training that leaves an adapter, not from a bare model: put it on "
            "one, such as Sft() or DualReward()",
        ),
        (
            chain(Pretrain(), Fuse(), base=None),
            "fuse starts from a training that leaves an adapter, not from pretrain: put it on one, "
            "such as Sft() or DualReward()",
        ),
        (
            chain(FinetuneCost(), Sft()),
            "SFT LoRA all starts from a whole model, and cost of LoRA and full SFT leaves no "
            "model: put it on a model",
        ),
        (
            dataclasses.replace(chain(Sft(), Fuse()), ranks=2),
            "fuse cannot share batches: use 1 rank, not 2",
        ),
    ],
    ids=["adapter", "bare", "whole", "record", "ranks"],
)
def test_a_job_that_cannot_start_is_refused_in_one_sentence(job, sentence):
    with pytest.raises(UserError) as refusal:
        check(job)
    assert str(refusal.value) == sentence
    with pytest.raises(UserError):
        list(with_dependencies([chain(Instruct(), base=job)]))


def test_what_stands_on_an_adapter_reads_the_adapters_model_too():
    top = chain(Pretrain(), Sft(), Fuse(), DualReward(), base=None)
    assert reads(top) == (top.base,)
    assert reads(top.base) == (top.base.base, top.base.base.base)
    assert reads(chain(Sft(), Fuse())) == (chain(Sft()),)


def test_ranks_reach_down_a_chain_past_what_shares_no_batches():
    top = with_ranks(chain(Sft(), Fuse(), DualReward()), 4)
    assert (top.ranks, top.base.ranks, top.base.base.ranks) == (4, 1, 4)


@dataclass(frozen=True, kw_only=True)
class OnData(Recipe):
    """A recipe that names its data, as the engram's does."""

    kind: ClassVar[str] = "on_data"
    version: ClassVar[int] = 1

    data: DataSource = field(default_factory=DataSource)


def test_the_digest_covers_which_data_and_not_where_they_lie():
    here, there, other = (
        DataSource(name="sst2", path=path, digest=digest)
        for path, digest in (("/here", "ab"), ("/there", "ab"), ("/here", "cd"))
    )
    digests = [Job(recipe=OnData(data=d), base=None, seed=0).digest for d in (here, there, other)]
    assert digests[0] == digests[1] != digests[2]
    smaller = Job(recipe=OnData(data=replace(here, train=10)), base=None, seed=0)
    assert smaller.digest != digests[0]


@pytest.mark.parametrize(
    ("job", "label"),
    [
        (chain(Sft()), "SFT LoRA all on here"),
        (chain(Sft(), Fuse()), "fuse on SFT LoRA all"),
        (chain(Sft(), Fuse(), DualReward()), "dual reward vo on fuse on SFT LoRA all"),
        (Job(recipe=Pretrain(), base=None, seed=0, ranks=2), "pretrain, 2 ranks"),
    ],
)
def test_a_label_names_the_stages_and_several_ranks(job, label):
    assert job.label == label


def test_no_job_runs_on_no_rank():
    with pytest.raises(UserError, match="ranks = 0 must be at least 1"):
        Job(recipe=Pretrain(), base=None, seed=0, ranks=0)


def test_data_that_are_no_data_source_are_refused():
    with pytest.raises(UserError, match=r"OnData\.data = 'sst2' must be a DataSource"):
        OnData(data="sst2")
