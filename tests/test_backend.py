"""The backend: the BLAS and the device that were asked for, or one clear sentence."""

import os
import platform
import random
import subprocess
import sys

import numpy as np
import pytest

from lazarus_bench import backend
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.versions import DISTRIBUTIONS, git_revision, versions

linux = pytest.mark.skipif(platform.system() != "Linux", reason="macOS has Accelerate built in")

TRY_BACKEND = """
from lazarus_bench.errors import UserError
try:
    from lazarus_bench import backend
    print(backend.BLAS)
    print(backend.device_name())
except UserError as error:
    print("UserError:", error)
"""


def started(code: str = TRY_BACKEND, **variables: str) -> list[str]:
    """The lines that a fresh process with these environment variables prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@linux
@pytest.mark.parametrize("name", ["no-such-blas", "/no/such/lib.so", "libm.so.6", __file__])
def test_a_name_that_is_no_blas_is_an_error(name, monkeypatch):
    monkeypatch.setenv(backend.BLAS_VARIABLE, name)
    with pytest.raises(UserError) as error:
        backend.load_fast_blas()
    assert f"LAZARUS_BENCH_BLAS={name}" in str(error.value)
    assert "unset it" in str(error.value)


@linux
def test_a_wrong_blas_stops_a_fresh_process():
    (line,) = started(LAZARUS_BENCH_BLAS="no-such-blas")
    assert line.startswith("UserError: LAZARUS_BENCH_BLAS=no-such-blas is not a loadable library")


def test_a_wrong_device_stops_a_fresh_process():
    (line,) = started(LAZARUS_BENCH_DEVICE="tpu")
    assert line.startswith("UserError: LAZARUS_BENCH_DEVICE=tpu is not available here: choose one")
    assert "auto, cpu" in line


def test_the_device_can_be_the_cpu():
    assert started(LAZARUS_BENCH_DEVICE="cpu")[1].startswith("cpu (")


@linux
def test_the_reference_blas_can_be_asked_for():
    assert started(LAZARUS_BENCH_BLAS="reference")[0] == "reference"


LATE = "import mlx.core\n" + TRY_BACKEND


@linux
def test_a_blas_loaded_too_late_is_not_claimed_to_work():
    line = started(LATE)[0]
    assert line.startswith("reference")
    assert "/" not in line.split("(")[0]


@pytest.mark.parametrize(
    ("blas", "warns"),
    [("reference", True), ("reference (late)", True), ("/usr/lib/libopenblas.so", False)],
)
def test_a_slow_blas_warns_with_the_remedy(blas, warns, monkeypatch, recwarn):
    import warnings

    monkeypatch.setattr(backend, "_blas", lambda: blas)
    monkeypatch.setattr(backend, "on_accelerator", lambda: False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        backend.warn_if_slow()
    assert len(caught) == int(warns)
    if warns:
        assert caught[0].category is backend.SlowBlasWarning
        assert "pip install 'lazarus-bench[cpu]'" in str(caught[0].message)


def test_seeding_repeats_all_three_generators():
    def draw() -> tuple[float, float, float]:
        mlx = float(np.array(mx.random.uniform()))
        return mlx, float(np.random.rand()), random.random()  # noqa: NPY002

    backend.seed(3)
    first = draw()
    backend.seed(3)
    assert draw() == first
    backend.seed(4)
    assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_a_large_seed_is_taken():
    backend.seed(2**40 + 1)
    first = float(backend.mx.random.uniform())
    backend.seed(2**40 + 1)
    assert float(backend.mx.random.uniform()) == first


@pytest.mark.parametrize("count", ["0", "-1", "two", "1.5", ""])
def test_a_wrong_number_of_threads_is_an_error(count, monkeypatch):
    monkeypatch.setenv(backend.THREADS_VARIABLE, count)
    with pytest.raises(UserError, match=f"LAZARUS_BENCH_THREADS={count} is not a number"):
        backend.set_threads()


def test_threads_are_one_unless_asked(monkeypatch):
    monkeypatch.delenv(backend.THREADS_VARIABLE, raising=False)
    assert backend.set_threads() == 1
    monkeypatch.setenv(backend.THREADS_VARIABLE, "2")
    assert backend.set_threads() == 2
    assert backend.set_threads(1) == 1


def test_peak_memory_counts_from_the_reset():
    backend.reset_peak_memory()
    before = backend.peak_memory()
    big = mx.zeros((1024, 1024)) + 1
    mx.eval(big)
    after = backend.peak_memory()
    assert after - before >= big.nbytes


PAGE_FAULTS = """
import resource
from lazarus_bench.backend import mx

def step():
    left = mx.arange(6_000_000, dtype=mx.float32)
    mx.eval(mx.sum(left * 2 + 1))

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

step(); step()
before = faults()
for _ in range(5):
    step()
print((faults() - before) // 5)
"""


@linux
@pytest.mark.parametrize(("given", "kept"), [({}, True), ({"MALLOC_MMAP_THRESHOLD_": "9"}, False)])
def test_freed_memory_is_used_again_unless_the_user_says_how(given, kept):
    [faults] = started(PAGE_FAULTS, LAZARUS_BENCH_DEVICE="cpu", **given)
    assert (int(faults) < 100) == kept


def test_the_manifest_names_what_a_number_depends_on():
    strings = backend.manifest().as_strings()
    assert set(DISTRIBUTIONS) | {
        *("python", "revision", "system", "device", "blas", "exp", "dtype")
    } == set(strings)
    assert all(isinstance(value, str) and value for value in strings.values())
    assert "/" not in strings["blas"]


def test_versions_need_no_import_and_an_absent_one_is_said(monkeypatch):
    from lazarus_bench import versions as module

    monkeypatch.setattr(module, "DISTRIBUTIONS", ("numpy", "no-such-distribution"))
    assert versions()["numpy"] == np.__version__
    assert versions()["no-such-distribution"] == "not installed"


def test_outside_a_repository_the_revision_is_a_release(monkeypatch):
    from lazarus_bench import versions as module

    monkeypatch.setattr(module, "_git", lambda tree, *_: str(tree.parent))
    assert git_revision.__wrapped__() == "release"


def test_a_commit_made_meanwhile_does_not_change_what_runs(monkeypatch):
    from lazarus_bench import versions as module

    first = git_revision()
    monkeypatch.setattr(module, "_git", lambda *_: "another")
    assert git_revision() == first


HEAVY = {"mlx", "mlx_lm", "torch", "transformers"}
LIGHT = (
    "lazarus_bench",
    "lazarus_bench.claims.claim",
    "lazarus_bench.judge",
    "lazarus_bench.benchmark.document",
    "lazarus_bench.benchmark.markdown",
    "lazarus_bench.report.html",
    "lazarus_bench.tasks.corpus",
    "lazarus_bench.jobs.spec",
    "lazarus_bench.jobs.store",
    "lazarus_bench.jobs.subjects",
    "lazarus_bench.training.sft",
    "lazarus_bench.versions",
)


def test_the_light_rooms_import_no_mlx():
    code = f"""
import importlib, sys
for name in {LIGHT}:
    importlib.import_module(name)
    heavy = {HEAVY} & {{module.split(".")[0] for module in sys.modules}}
    print(name, *heavy)
"""
    assert started(code) == list(LIGHT)


def test_the_package_face_imports_neither_mlx_nor_scipy():
    code = "import lazarus_bench, sys; print('scipy' in sys.modules, 'numpy' in sys.modules)"
    assert started(code) == ["False False"]


def test_every_public_name_is_there():
    import lazarus_bench

    for name in lazarus_bench.__all__:
        assert getattr(lazarus_bench, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = lazarus_bench.no_such_name


def test_a_process_that_nobody_launched_is_alone(monkeypatch):
    monkeypatch.delenv(backend.RANK_VARIABLE, raising=False)
    assert backend.group() == backend.Group(rank=0, size=1)


def test_a_rank_without_its_fellows_is_a_users_error(monkeypatch):
    monkeypatch.setenv(backend.RANK_VARIABLE, "0")
    monkeypatch.delenv("MLX_HOSTFILE", raising=False)
    with pytest.raises(UserError, match=r"MLX_RANK=0 is set .*: start them with mlx.launch"):
        backend.group()
