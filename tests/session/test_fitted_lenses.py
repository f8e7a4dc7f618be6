"""A claim reads a model through the lens that was fitted for it, and the key covers the lens."""

import numpy as np
import pytest

from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.jobs.subjects import trained
from lazarus_bench.models.lenses import read_fitted
from lazarus_bench.models.load import load
from lazarus_bench.session.options import Options
from lazarus_bench.session.session import Session, Watch
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training import Fuse, JacobianLens, Randomise, Sft, TunedLens

PROBLEMS = tuple(held_out(6, 0))
FIT = JacobianLens(examples=4, batch=2)
NEEDS = {
    "jacobian": trained(FIT),
    "tuned": trained(TunedLens(examples=8, batch=4, steps=2, bias_only=True)),
    "after SFT": trained(Sft(steps=1, checkpoints=(), rank=2, validation=4), Fuse(), FIT),
    "random": trained(Randomise(), FIT),
}
SILENT = Watch(say=lambda _: None, live=lambda _: None)


@pytest.fixture(scope="module")
def bench(tiny, tmp_path_factory):
    """A session that trained what `NEEDS` ask for."""
    store = tmp_path_factory.mktemp("store")
    session = Session(Options(profile="smoke", seeds=1, store=store, workers=1))
    jobs = [job for need in NEEDS.values() for job in session.jobs(str(tiny), need)]
    session.train(session.plan(jobs), SILENT)
    return session


@pytest.fixture(scope="module")
def runs(bench, tiny):
    return {name: bench.runs(str(tiny), need) for name, need in NEEDS.items()}


def test_each_run_reads_through_its_own_lens(bench, runs, tiny):
    base = bench.runs(str(tiny), None)
    readings = [base.lens(PROBLEMS), *(runs[name].lens(PROBLEMS) for name in NEEDS)]
    found = [np.array(reading.bare.values) for reading in readings]
    assert all(not np.allclose(a, b) for i, a in enumerate(found) for b in found[:i])
    # The last layer is the model's own, and SFT or other weights make another model.
    np.testing.assert_allclose(found[1][..., -1, :], found[0][..., -1, :], rtol=1e-4)
    assert runs["jacobian"][0].before is base[0]
    assert not np.allclose(found[4][..., -1, :], found[0][..., -1, :])


def test_the_measurement_s_key_covers_the_lens(bench, runs):
    plain, fitted = runs["jacobian"][0].before.memory, runs["jacobian"][0].memory
    assert fitted.model[: len(plain.model)] == plain.model
    assert len({run[0].memory.model for run in runs.values()}) == len(runs)


def test_nulls_of_a_lens(runs):
    run = runs["jacobian"][0]
    own = run.lens(PROBLEMS).answer
    for null in ("shuffled", "spectrum"):
        found = run.lens_null(PROBLEMS, null).answer
        assert not np.allclose(found[:, :-1], own[:, :-1])
        np.testing.assert_array_equal(found[:, -1], own[:, -1])
        np.testing.assert_array_equal(found, run.lens_null(PROBLEMS, null, seed=0).answer)
        assert not np.array_equal(found, run.lens_null(PROBLEMS, null, seed=5).answer) or (
            null == "shuffled"
        )
    with pytest.raises(NotApplicable, match="is read through no fitted lens"):
        run.before.lens_null(PROBLEMS, "shuffled")
    tuned = runs["tuned"][0]
    shuffled, own = tuned.lens_null(PROBLEMS, "shuffled").answer, tuned.lens(PROBLEMS).answer
    assert not np.array_equal(shuffled[:, :-1], own[:, :-1])
    with pytest.raises(UserError, match="without matrices has no spectrum"):
        tuned.lens_null(PROBLEMS, "spectrum")


def test_a_lens_is_read_with_the_model_that_it_was_fitted_for(runs, tiny):
    for name in ("after SFT", "random"):
        run = runs[name][0]
        assert read_fitted(run.artifact, run.directory).layers == (0, 1, 2, 3)
        with pytest.raises(UserError, match="was fitted for another model"):
            read_fitted(run.artifact, tiny)
    random, own = (load(path) for path in (runs["random"][0].directory, tiny))
    assert random.config == own.config
    tokens = [loaded.model.model.embed_tokens.weight for loaded in (random, own)]
    assert not np.array_equal(*tokens)


def test_a_training_does_not_start_from_a_lens():
    with pytest.raises(UserError, match="starts from a whole model, and Jacobian lens leaves no"):
        trained(JacobianLens(), Sft())
    with pytest.raises(UserError, match=r"put Fuse\(\) between them"):
        trained(Sft(), JacobianLens())
