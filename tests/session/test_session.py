"""A session: what a claim needs on a subject, what is trained, and what comes back as a run."""

import json
from dataclasses import replace

import pytest

from lazarus_bench import trained
from lazarus_bench.claims.claim import Claim
from lazarus_bench.claims.finding import Finding
from lazarus_bench.claims.profiles import PROFILES, Profile
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.jobs.subjects import LAB_FAMILIES
from lazarus_bench.jobs.work import Failure
from lazarus_bench.judge import AtLeast, family_level
from lazarus_bench.session.options import Options
from lazarus_bench.session.session import Session, Watch
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.training import (
    Blank,
    DualReward,
    Engram,
    FinetuneCost,
    Fuse,
    Instruct,
    JacobianLens,
    Pretrain,
    Randomise,
    Sft,
    TunedLens,
)
from lazarus_bench.training.engram import (
    LAB_SENTIMENT,
    LAB_TOPICS,
    engram_arms,
    suited_base,
)

TINY = Sft(steps=2, examples=16, batch=4, checkpoints=(0, 2), rank=2, validation=4)
TWO = trained(TINY, Fuse(), DualReward(steps=2, examples=16, batch=4, rank=2))
COST = FinetuneCost(steps=20, batch=4, rank=2, repeats=2)


@pytest.fixture
def session(tmp_path):
    session = Session(Options(store=tmp_path / "store", workers=1))
    session.profile = Profile(name="own", seeds=3, prompts=20)
    return session


def claim(*needs, **more):
    finding = Finding(claim="fam/one", source="A", evidence=None, note="")
    about = {"says": "It is so.", "estimand": "a number", "region": AtLeast(0.9)}
    about["finding"] = finding
    return Claim(id="fam/one", **about, subjects=("lab:llama",), needs=needs, **more)


def put(session, job):
    """An artifact in the store that nothing trained."""
    with session.store.writing(job, {}) as out:
        (out / "note.txt").write_text(job.label)


def test_a_lab_model_has_a_base_for_each_seed(session):
    bases = session.jobs("lab:llama", None)
    assert [job.seed for job in bases] == [0, 1, 2]
    assert len({job.digest for job in bases}) == 3
    assert all(isinstance(job.recipe, Pretrain) for job in bases)


def test_a_recipe_starts_from_the_base_of_its_own_seed(session):
    jobs = session.jobs("lab:llama", TINY)
    assert [job.base for job in jobs] == list(session.jobs("lab:llama", None))
    assert [(job.seed, job.base.seed) for job in jobs] == [(0, 0), (1, 1), (2, 2)]


def test_seeds_are_numbered_from_the_first_one_asked_for(session):
    before = {job.digest for job in session.jobs("lab:llama", TINY)}
    session.options = replace(session.options, first_seed=200)
    jobs = session.jobs("lab:llama", TINY)
    assert [(job.seed, job.base.seed) for job in jobs] == [(s, s) for s in (200, 201, 202)]
    assert not before & {job.digest for job in jobs}
    assert session.seeds == (200, 201, 202)
    session.profile = PROFILES["default"]
    assert session.design(claim(), "lab:llama") == "default, seeds from 200"


def test_a_given_model_stands_once_and_is_trained_once_a_seed(session, tiny):
    (base,) = session.jobs(str(tiny), None)
    assert isinstance(base, Checkpoint)
    trained = session.jobs(str(tiny), TINY)
    assert [job.seed for job in trained] == [0, 1, 2]
    assert {job.base for job in trained} == {base}


def test_a_further_family_is_read_once_and_trained_on_once_a_seed(session):
    (base,) = session.jobs("lab:olmoe", None)
    assert (base.recipe, base.seed) == (LAB_FAMILIES["olmoe"], 0)
    assert len(session.jobs("lab:olmoe", trained(instruct=True))) == 1
    jobs = session.jobs("lab:olmoe", TINY)
    assert [(job.seed, job.base.seed) for job in jobs] == [(0, 0), (1, 1), (2, 2)]
    assert session.needed(claim(), "lab:olmoe") == [base]
    assert len(session.plan(session.needed(claim(), "lab:olmoe")).todo) == 1


@pytest.mark.parametrize("fitted", [(JacobianLens(),), (TunedLens(),), (Randomise(), TunedLens())])
def test_what_trains_nothing_has_the_seeds_of_its_base(session, fitted):
    assert [job.seed for job in session.jobs("lab:olmoe", trained(*fitted))] == [0]
    assert [job.seed for job in session.jobs("lab:llama", trained(*fitted))] == [0, 1, 2]
    tuned = session.jobs("lab:olmoe", trained(TINY, Fuse(), *fitted))
    assert [job.seed for job in tuned] == [0, 1, 2]
    with session.at_seeds(2):
        assert len(session.jobs("lab:llama", trained(*fitted))) == 2
        assert len(session.jobs("lab:olmoe", trained(*fitted))) == 1


def test_a_profile_may_read_more_seeds_of_further_families(session):
    session.profile = Profile(name="own", seeds=3, prompts=20, further_seeds=2)
    assert [job.seed for job in session.jobs("lab:granite", None)] == [0, 1]


def test_the_instruct_sibling_is_tuned_from_the_same_base(session):
    jobs = session.jobs("lab:llama", trained(TINY, instruct=True))
    assert all(isinstance(job.base.recipe, Instruct) for job in jobs)
    assert [job.base.base for job in jobs] == list(session.jobs("lab:llama", None))
    assert session.jobs("lab:llama", trained(instruct=True)) == tuple(job.base for job in jobs)
    for job in jobs:
        put(session, job.base.base)
        put(session, job.base)
    tuned = session.runs("lab:llama", trained(instruct=True))[0]
    assert tuned.before is session.runs("lab:llama", None)[0]
    assert (tuned.directory, tuned.adapter) == (tuned.made, None)


def test_who_has_no_sibling_is_told(session, tiny):
    for name in (str(tiny), "lab:llama-instruct"):
        with pytest.raises(NotApplicable, match="has no instruct sibling"):
            session.jobs(name, trained(TINY, instruct=True))


def test_a_claim_needs_the_bases_and_its_recipes(session, tiny):
    needed = session.needed(claim(TINY), "lab:llama")
    assert needed == [*session.jobs("lab:llama", None), *session.jobs("lab:llama", TINY)]
    assert session.needed(claim(TINY), str(tiny)) == list(session.jobs(str(tiny), TINY))
    assert session.needed(claim(trained(TINY, instruct=True)), str(tiny)) == []


def test_a_subject_is_resolved_once(session, tiny):
    assert session.subject(str(tiny)) is session.subject(str(tiny))
    with pytest.raises(UserError, match="lab:nope is not in the lab"):
        session.subject("lab:nope")


@pytest.mark.parametrize(
    ("needs", "subject", "design"),
    [
        ((), "lab:llama", "3 seeds × 2 prompts"),
        ((), "lab:granite", "1 seed × 2 prompts"),
        ((TINY,), "lab:granite", "3 seeds × 2 prompts"),
        ((), "tiny", "1 seed × 2 prompts"),
        ((TINY,), "tiny", "3 seeds × 2 prompts"),
        ((TWO,), "tiny", "3 seeds × 2 prompts"),
    ],
)
def test_a_design_too_small_to_decide_says_so_for_hits_alone(session, tiny, needs, subject, design):
    """What is only read is as many runs as it has bases: one of a checkpoint or further family."""
    subject = subject.replace("tiny", str(tiny))
    assert session.unattainable(claim(*needs, binary=True), subject, family_level(50)) is None
    session.profile = replace(session.profile, prompts=2)
    said = session.unattainable(claim(*needs, binary=True), subject, family_level(50))
    assert f"no outcome of {design}" in said
    assert session.unattainable(claim(*needs), subject, family_level(50)) is None


def test_nothing_missing_is_nothing_said(session, tiny):
    jobs = session.jobs(str(tiny), TINY)
    for job in jobs:
        put(session, job)
    said = []
    session.train(session.plan(jobs), Watch(say=said.append, live=said.append))
    assert said == []
    assert [row.digest for row in session.job_rows(jobs)] == [job.digest for job in jobs]


@pytest.mark.parametrize(("applicable", "expected"), [(True, UserError), (False, NotApplicable)])
def test_what_failed_below_fails_above(session, applicable, expected):
    job = session.jobs("lab:llama", TINY)[0]
    assert isinstance(job.base, Job)
    put(session, job)
    session.failures[job.base.digest] = Failure(reason="the base diverged", applicable=applicable)
    with pytest.raises(expected, match="the base diverged"):
        session.artifact(job)


def test_what_was_never_trained_is_named(session):
    with pytest.raises(UserError, match=r"pretrain seed 0 is not in the store .*store"):
        session.runs("lab:llama", None)


def test_a_training_becomes_runs_with_their_base_and_their_log(session, tiny):
    session.profile = Profile(name="own", seeds=2, prompts=20)
    jobs = session.jobs(str(tiny), TINY)
    said = []
    session.train(session.plan(jobs), Watch(say=said.append, live=lambda _: None))
    assert [line.split(" ")[0] for line in said] == ["2", "[1/2]", "[2/2]"]

    first, second = session.runs(str(tiny), TINY)
    assert (first.seed, second.seed) == (0, 1)
    assert first.before is second.before
    assert first.before is session.runs(str(tiny), None)[0]
    assert session.runs(str(tiny), TINY)[0] is first
    assert first.trained_on != second.trained_on
    assert set(first.validation) == {0, 2}
    assert json.loads((first.artifact / "spec.json").read_text())["seed"] == 0
    assert session.artifact(jobs[0]).directory == first.adapter
    with pytest.raises(ValueError, match="nothing came before"):
        _ = first.before.before
    with pytest.raises(ValueError, match="left no log"):
        _ = first.before.metrics


def test_more_ranks_are_other_trainings_down_to_the_base(session):
    one = session.jobs("lab:llama", TINY)[0]
    session.options = Options(ranks=2)
    two = session.jobs("lab:llama", TINY)[0]
    assert (two.ranks, two.base.ranks) == (2, 2)
    assert two.digest != one.digest
    assert two.base.digest != one.base.digest


def test_what_the_store_lacks_is_told_with_what_it_stands_on(session):
    jobs = session.jobs("lab:llama", TINY)
    put(session, jobs[0].base)
    put(session, jobs[1].base)
    put(session, jobs[1])
    assert session.lacking(jobs[:2]) == [jobs[0]]
    assert session.lacking([jobs[2]]) == [jobs[2].base, jobs[2]]


def test_damage_is_told_and_made_good(session, tiny):
    session.profile = Profile(name="own", seeds=1, prompts=20)
    jobs = session.jobs(str(tiny), TINY)
    put(session, jobs[0])
    note = session.store.path(jobs[0]) / "note.txt"
    note.write_text("x" * note.stat().st_size)
    session.store = type(session.store)(session.store.root)
    said = []
    session.train(session.plan(jobs), Watch(say=said.append, live=said.append))
    assert "note.txt" in said[0]
    assert said[0].endswith("; it is made again")
    assert session.runs(str(tiny), TINY)[0].metrics


def test_stages_stand_on_one_another_and_share_what_is_below(session):
    for seed, top in enumerate(session.jobs("lab:llama", TWO)):
        assert (top.recipe, top.base.recipe) == (TWO.recipes[2], TWO.recipes[1])
        assert top.base.base == session.jobs("lab:llama", TINY)[seed]
        assert {top.seed, top.base.seed, top.base.base.seed} == {seed}
    fused = trained(*TWO.recipes[:2])
    assert [job.base for job in session.jobs("lab:llama", TWO)] == list(
        session.jobs("lab:llama", fused)
    )


def test_stages_are_needed(session, tiny):
    needed = session.needed(claim(TWO), str(tiny))
    assert needed == list(session.jobs(str(tiny), TWO))
    assert len(session.plan(needed).todo) == 9


def test_a_recipe_alone_on_an_adapter_is_refused_before_anything_runs(session, tiny):
    with pytest.raises(UserError, match="fuse starts from a training that leaves an adapter"):
        session.plan(session.jobs(str(tiny), Fuse()))


def test_what_shares_no_batches_stays_on_one_rank(session):
    session.options = Options(ranks=2)
    top = session.jobs("lab:llama", TWO)[0]
    assert (top.ranks, top.base.ranks, top.base.base.ranks) == (2, 1, 2)
    (cost,) = session.jobs("lab:llama", COST)
    assert (cost.ranks, cost.base.ranks) == (1, 2)


def test_stages_become_runs_from_the_last_down_to_the_base(session, tiny):
    session.profile = Profile(name="own", seeds=1, prompts=20)
    session.train(session.plan(session.jobs(str(tiny), TWO)), Watch(say=len, live=len))
    (top,) = session.runs(str(tiny), TWO)
    fused, first = top.before, top.before.before
    assert first is session.runs(str(tiny), TINY)[0]
    assert first.before is session.runs(str(tiny), None)[0]
    assert (top.directory, fused.directory) == (fused.directory, fused.artifact)
    assert (top.adapter, fused.adapter) == (top.artifact, None)
    assert top.name.endswith("dual reward vo on fuse on SFT LoRA all seed 0")
    assert len(top.metrics) == 2


def test_a_measurement_is_made_once_and_read_as_costs(session, tiny, monkeypatch):
    from lazarus_bench.training import finetune_cost
    from lazarus_bench.training.finetune_cost import Cost

    made = Cost(peak_memory=5, tokens_per_second=2.5)
    monkeypatch.setattr(finetune_cost, "measured", lambda spec, base, seed: made)
    jobs = session.jobs(str(tiny), COST)
    assert len(jobs) == 1
    session.train(session.plan(jobs), Watch(say=len, live=len))
    (run,) = session.runs(str(tiny), COST)
    assert run.costs.lora == run.costs.full == (made, made)
    assert run.directory == run.before.directory


SST2 = DataSource(name="sst2", path="/nowhere", digest="d" * 64, train=50, validation=20)


def test_a_blank_base_is_of_the_data_that_its_recipe_reads(session):
    session.data = {"sentiment": SST2}
    arms = engram_arms(LAB_SENTIMENT)
    jobs = session.jobs("lab:blank", arms.class_engram)
    assert len(jobs) == session.profile.seeds
    assert {job.recipe for job in jobs} == {replace(suited_base(SST2, blank=True), lm_weight=0.0)}
    assert {job.base.recipe for job in jobs} == {Blank(data=SST2)}
    assert len({job.base.seed for job in jobs}) == len(jobs)
    untrained = session.jobs("lab:blank", arms.untrained)[0].recipe
    assert (untrained.epochs, untrained.full) == (0, True)


def test_given_data_leave_other_data_alone_and_a_model_gets_an_adapter(session):
    session.data = {"sentiment": SST2}
    (topics, *_), (own, *_) = (
        session.jobs(name, recipe)
        for name, recipe in (("lab:blank", LAB_TOPICS), ("lab:llama", LAB_SENTIMENT))
    )
    assert topics.base.recipe == Blank(data=LAB_TOPICS.data)
    assert topics.recipe == LAB_TOPICS
    assert own.recipe == suited_base(SST2, blank=False)


@pytest.mark.parametrize("name", ["lab:llama", "lab:blank"])
@pytest.mark.parametrize(
    "recipe",
    [
        Engram(data=DataSource(train=60), bits=4, rank=2, scale=1.0, max_length=9),
        Engram(data=DataSource(train=60), full=True, batch=8, learning_rate=5e-4, warm_up=0.0),
        replace(LAB_SENTIMENT, engram=False, data=replace(LAB_SENTIMENT.data, train=60)),
        replace(LAB_TOPICS, dropout=0.0, classifier_width=32, engram_width=8, weight_decay=0.1),
    ],
)
def test_an_engram_of_ones_own_is_trained_as_it_is_written(session, name, recipe):
    assert {job.recipe for job in session.jobs(name, recipe)} == {recipe}
    session.data = {recipe.data.name: SST2}
    given = {job.recipe for job in session.jobs(name, recipe)}
    assert given == {replace(recipe, data=SST2)}


@pytest.mark.parametrize("model", [LAB_SENTIMENT, LAB_TOPICS])
def test_every_arm_that_a_claim_names_suits_what_it_starts_from(session, model):
    for name, arm in vars(engram_arms(model)).items():
        assert session.jobs("lab:blank", arm)[0].recipe == arm
        adapted = session.jobs("lab:llama", arm)[0].recipe
        data = replace(model.data, train=4000)
        assert adapted == vars(engram_arms(Engram(data=data, max_length=128)))[name]


def test_a_blank_base_cannot_be_asked_what_reads_no_labelled_data(session):
    with pytest.raises(NotApplicable, match="lab:blank is untrained, and made for claims that"):
        session.jobs("lab:blank", None)
    assert session.needed(claim(Sft()), "lab:blank") == []
    assert session.unattainable(claim(), "lab:blank", family_level(1)) is None
