"""What is promised as so many times as fast, each pair in one run, and start-up in CPU seconds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_start_up import least

from lazarus_bench import backend
from lazarus_bench.analysis.prompts import prompt_tokens
from lazarus_bench.backend import mx
from lazarus_bench.benchmark.meters import interleaved, timed
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training.arithmetic_data import end_tokens
from lazarus_bench.training.sampling import sample

ROOT = Path(__file__).resolve().parents[1]
GROUP, TOKENS = 8, 8


def one_by_one(loaded, prompts, ends):
    """As many answers, each alone and every token by a whole forward."""
    for prompt in prompts:
        for _ in range(GROUP):
            ids = list(prompt)
            for _ in range(TOKENS):
                ids.append(int(mx.random.categorical(loaded.model(mx.array([ids]))[0, -1])))
                if ids[-1] in ends:
                    break


def test_sampling_is_three_times_as_fast_as_one_answer_at_a_time(measured, effort):
    loaded = load(measured.directory)
    prompts = prompt_tokens(loaded, [problem.symbols for problem in held_out(8, 0)])
    ends = end_tokens(loaded)

    def together():
        return sample(
            loaded.model, loaded.anatomy, prompts, group=GROUP, tokens=TOKENS, ends=ends, seed=(1,)
        )

    arms = {"one": timed(lambda: one_by_one(loaded, prompts, ends)), "together": timed(together)}
    found = interleaved(arms, effort.rounds)
    assert min(found["one"]) >= 3 * min(found["together"])


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has Accelerate built in")
def test_a_fast_blas_is_three_times_as_fast_as_the_reference():
    if backend.BLAS.startswith(backend.REFERENCE):
        pytest.skip("no fast BLAS is installed here")
    code = "from lazarus_bench import backend; print(backend.measure_gflops(384, 5))"

    def gflops(**variables):
        command, environment = [sys.executable, "-c", code], os.environ | variables
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return float(done.stdout)

    assert max(gflops() for _ in range(3)) > 3 * gflops(LAZARUS_BENCH_BLAS="reference")


def test_importing_the_package_is_quick(tmp_path):
    assert least(tmp_path, "-c", "import lazarus_bench") - least(tmp_path, "-c", "pass") <= 0.05


def test_the_claims_are_listed_and_the_published_numbers_judged_in_seconds(tmp_path):
    listed = ["-m", "lazarus_bench", "claims", "list", "--hypotheses", str(ROOT / "hypotheses")]
    assert least(tmp_path, *listed) <= 3
    judged = ["-m", "pytest", str(ROOT / "hypotheses"), "-p", "no:cacheprovider"]
    own = ["--lb-store", str(tmp_path / "store"), "--lb-report", str(tmp_path)]
    assert least(ROOT, *judged, *own, "--lb-fail-on", "none") <= 10
