"""A second process reads from the last claim on, judges for nobody, and ends with the first."""

import json
import os

import pytest
from claimfiles import CONFTEST, run, write

from lazarus_bench.jobs.executors import automatic_workers
from lazarus_bench.plugin import ahead
from lazarus_bench.session.options import Options

CLAIMS = 8

TWO_CORES = automatic_workers() > 1
two_cores = pytest.mark.skipif(not TWO_CORES, reason="nothing is read ahead on one core")

SUITE = """
import os, time
from pathlib import Path

TWO_CORES = {two_cores}

@pytest.fixture
def log(request):
    file, first = Path(__file__).with_name("log"), Path(__file__).with_name("first")
    with file.open("a") as stream:
        stream.write(f"{os.getpid()} {request.node.originalname}\\n")
    if TWO_CORES and "LAZARUS_BENCH_READER_OF" not in os.environ and not first.exists():
        first.write_text(str(os.getpid()))
        while " test_6" not in file.read_text():  # the other process has read test_7 by then
            time.sleep(0.02)
""" + "".join(
    f"""
@pre("ahead/c{at}", AtLeast(0.0), NARROW)
def test_{at}(base, held_out, log):
    return mean(base.likelihood(held_out[{at}:]).probability)
"""
    for at in range(CLAIMS)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(
        tmp_path_factory.mktemp("ahead"),
        test_suite="import pytest\n" + SUITE.replace("{two_cores}", str(TWO_CORES)),
    )


BEGIN = """
import os
from pathlib import Path

from lazarus_bench.analysis import answers
from lazarus_bench.jobs.subjects import Subject

Subject.is_lab = property(lambda self: True)  # a small model, as the lab's are
read = answers.symbol_tokens


def logged(model, texts):
    with Path(__file__).with_name("read").open("a") as file:
        file.write(f"{os.getpid()} {len(texts)}\\n")
    return read(model, texts)


answers.symbol_tokens = logged
"""


@pytest.fixture(scope="module")
def ran(folder, tiny):
    (folder / "conftest.py").write_text(CONFTEST + BEGIN)
    suite = ("test_suite.py", "-m", "slow", "--lb-model", tiny, "--lb-seeds", "2")
    suite += ("--lb-fail-on", "none", "--junitxml", "junit.xml", "--basetemp", "own")
    return run(folder, {"cold": suite, "warm": suite})


def logged(folder, name):
    """(process, what) in the order of the log."""
    return [tuple(line.split()) for line in (folder / name).read_text().splitlines()]


@two_cores
def test_it_starts_at_the_other_end_and_only_where_much_is_to_be_read(ran, folder):
    assert ran["cold"].code == ran["warm"].code == 0, ran["cold"].said
    tests, first = logged(folder, "log"), (folder / "first").read_text()
    assert [name for process, name in tests if process == first] == 2 * [
        f"test_{at}" for at in range(CLAIMS)
    ]
    (other,) = {process for process, _ in tests} - {first}
    theirs = [name for process, name in tests if process == other]
    assert theirs == [f"test_{at}" for at in reversed(range(CLAIMS))][: len(theirs)]


@two_cores
def test_the_session_takes_over_what_was_read_and_the_other_process_is_gone(ran, folder):
    read = logged(folder, "read")
    (other,) = {process for process, _ in logged(folder, "log")} - {(folder / "first").read_text()}
    ours = [asked for process, asked in read if process != other]
    assert len(ours) < CLAIMS
    assert {asked for _, asked in read} == {str(200 - at) for at in range(CLAIMS)}
    with pytest.raises(ProcessLookupError):
        os.kill(int(other), 0)


def test_the_second_process_writes_no_report(ran, folder, tiny):
    asked = ("test_suite.py::test_0", "--lb-model", tiny, "--lb-offline", "--lb-fail-on", "none")
    first = run(folder, {"session": asked})["session"]
    other = run(
        folder, {"reader": asked}, LAZARUS_BENCH_READER_OF=told(os.getpid(), tiny, folder / "store")
    )["reader"]
    assert (first.code, other.code) == (0, 0), other.said
    assert (first.folder / "report.json").exists()
    assert not other.folder.exists(), other.said


def told(process, model=(), store="store"):
    own = Options(model=str(model) if model else (), store=store, offline=True)
    return json.dumps({"process": process, "options": own.plain()})


class Ended(Exception):
    """In place of the end of this process."""


def test_it_ends_when_the_first_process_is_gone(monkeypatch):
    def end(code):
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    ahead.stop_if_left()
    monkeypatch.setenv(ahead.VARIABLE, told(os.getppid()))
    ahead.stop_if_left()
    monkeypatch.setenv(ahead.VARIABLE, told(os.getpid()))
    with pytest.raises(Ended):
        ahead.stop_if_left()
