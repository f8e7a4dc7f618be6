"""A second process reads from the last claim on, judges for nobody, and ends with the first."""

import os

import pytest
from claimfiles import run, write

from lazarus_bench.plugin import ahead

CLAIMS = 8

SUITE = """
import os, time
from pathlib import Path

@pytest.fixture
def log(request):
    with Path(__file__).with_name("log").open("a") as file:
        file.write(f"{os.getpid()} {request.node.originalname}\\n")
    time.sleep(1.2)
""" + "".join(
    f"""
@pre("ahead/c{at}", AtLeast(0.0), NARROW)
def test_{at}(runs, held_out, judge, log):
    judge(Means(values=[run.likelihood(held_out[{at}:]).probability for run in runs()]))
"""
    for at in range(CLAIMS)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("ahead"), test_suite="import pytest\n" + SUITE)


@pytest.fixture(scope="module")
def ran(folder, tiny):
    suite = ("test_suite.py", "-m", "slow", "--lb-model", tiny, "--lb-seeds", "2")
    suite += ("--lb-fail-on", "none", "--lb-workers")
    return run(folder, {"cold": (*suite, "2"), "warm": (*suite, "2"), "alone": (*suite, "1")})


def test_it_starts_at_the_other_end_and_only_where_much_is_to_be_read(ran, folder):
    assert ran["cold"].code == 0, ran["cold"].said
    lines = [line.split() for line in (folder / "log").read_text().splitlines()]
    first = lines[0][0]
    ours = [name for process, name in lines if process == first]
    others = {process for process, _ in lines} - {first}
    assert ours == [f"test_{at}" for at in range(CLAIMS)] * 3
    assert len(others) == 1
    theirs = [name for process, name in lines if process in others]
    assert theirs == [f"test_{at}" for at in reversed(range(CLAIMS))][: len(theirs)]


def test_the_report_is_of_the_first_process(ran):
    estimates = [
        [row.verdict.estimate.value for row in ran[name].report.rows]
        for name in ("cold", "warm", "alone")
    ]
    assert len(estimates[0]) == CLAIMS
    assert estimates[0] == estimates[1] == estimates[2]


class Ended(Exception):
    """In place of the end of this process."""


def test_it_ends_when_the_first_process_is_gone(monkeypatch):
    def end(code):
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    ahead.stop_if_left()
    monkeypatch.setenv(ahead.VARIABLE, str(os.getppid()))
    ahead.stop_if_left()
    monkeypatch.setenv(ahead.VARIABLE, str(os.getpid()))
    with pytest.raises(Ended):
        ahead.stop_if_left()
