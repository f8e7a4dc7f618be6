"""The plan: each job once, what the store has, and a cost no less than the longest chain."""

import pytest

from lazarus_bench.jobs.plan import duration, groups, make_plan, table
from lazarus_bench.jobs.spec import Checkpoint, Job
from lazarus_bench.jobs.store import Store
from lazarus_bench.jobs.timing import Timer
from lazarus_bench.models.files import fingerprint
from lazarus_bench.training import DualReward, Pretrain, Sft

BASES = [Job(recipe=Pretrain(), base=None, seed=seed) for seed in range(3)]
TUNED = [Job(recipe=Sft(), base=base, seed=base.seed) for base in BASES]
GIVEN = Checkpoint(source="org/model", fingerprint="ab")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def put(store, job, seconds=None):
    with store.claim(job, wait=True), store.writing(job, {}) as out:
        (out / "note.txt").write_text(job.label)
    if seconds is not None:
        manifest = store.path(job) / "manifest.json"
        text = manifest.read_text()
        recorded = store.find(job).manifest["seconds"]
        manifest.write_text(text.replace(f'"seconds": {recorded}', f'"seconds": {seconds}'))


def test_each_job_once_and_bases_first(store):
    plan = make_plan([*TUNED, *BASES, *TUNED], store)
    jobs = [entry.job for entry in plan.entries]
    assert len(jobs) == 6
    assert all(jobs.index(job.base) < jobs.index(job) for job in TUNED)


def test_damage_is_named_and_planned_again(store):
    put(store, BASES[0])
    (store.path(BASES[0]) / "note.txt").unlink()
    plan = make_plan(BASES[:1], Store(store.root))
    assert plan.todo == BASES[:1]
    assert "note.txt" in plan.damaged[0]


def test_the_store_s_own_past_is_the_estimate(store):
    put(store, BASES[0], 40.0)
    put(store, BASES[1], 50.0)
    (entry,) = make_plan(BASES[2:], store).entries
    assert entry.seconds == 45


def test_an_empty_store_foretells_the_lab_and_no_given_model(store):
    given = Job(recipe=Sft(), base=GIVEN, seed=0)
    lab, unknown = make_plan([BASES[0]], store), make_plan([given], store)
    assert lab.seconds(1) == pytest.approx(BASES[0].recipe.lab_seconds)
    assert unknown.seconds(1) is None


def test_workers_cannot_be_faster_than_the_longest_chain(store):
    plan = make_plan(TUNED, store)
    chain = Pretrain().lab_seconds + Sft().lab_seconds
    assert plan.seconds(1) == pytest.approx(3 * chain)
    assert plan.seconds(2) == pytest.approx(1.5 * chain)
    assert plan.seconds(100) == pytest.approx(chain)


def test_equal_labels_say_what_differs(store):
    jobs = [Job(recipe=DualReward(rank=rank), base=BASES[0], seed=0) for rank in (4, 8)]
    labels = [group.label for group in groups(make_plan(jobs, store).entries)]
    assert labels == ["pretrain"] + [f"dual reward vo on pretrain (rank {n})" for n in (4, 8)]


def test_the_table_counts_over_seeds(store):
    put(store, BASES[0])
    last = table(make_plan(BASES, store)).splitlines()[-1].split()
    assert last[:4] == ["pretrain", "0-2", "1", "2"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(40, "40 s"), (150, "2 min"), (5400, "1 h 30 min"), (36300, "10 h 05 min")],
)
def test_durations_for_people(seconds, said):
    assert duration(seconds) == said


def test_a_given_model_is_estimated_by_one_step_of_each_kind(store, tiny):
    given, said = Checkpoint(source=str(tiny), fingerprint=fingerprint(tiny)), []
    long, short = (Sft(steps=n, batch=2, examples=8, checkpoints=()) for n in (400, 100))
    jobs = [Job(recipe=r, base=given, seed=seed) for r in (long, short) for seed in range(2)]
    plan = make_plan(jobs, store, Timer(say=said.append))
    seconds = [plan.estimates[job.digest] for job in jobs]
    assert seconds[0] == seconds[1] == pytest.approx(4 * seconds[2])
    assert said == [f"timing one step of SFT LoRA all on {given.name}"]
