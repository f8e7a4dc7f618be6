"""Sessions on one store: the second reads no model, says the same, and reads again when told to."""

from dataclasses import replace

import pytest
from claimfiles import CONFTEST, run, write

SUITE = """
from lazarus_bench.tasks.arithmetic import sample_prompts

@pre("kept/trained", Above(-1.0), NARROW)
def test_trained(sft, held_out):
    return mean(sft.lens(held_out).at(2).gold_probability)

@beside(test_trained)
def _(base, held_out):
    yield "random", mean(base.randomised().likelihood(held_out).probability)

@pre("kept/base", AtLeast(0.9), NARROW)
def test_base(base):
    return mean(base.answers(sample_prompts()).correct)

@beside(test_base)
def _(base):
    lens = base.with_quirk("bf16-lens").lens(sample_prompts()).at(2)
    yield "ablated", mean(base.ablated(sample_prompts(), base.classifier_layer).correct)
    yield "in bfloat16", mean(lens.gold_probability)
"""

LOADS = """
from pathlib import Path
from lazarus_bench.models.load import load
from lazarus_bench.session import loaded


def logged(*given, **how):
    with Path(__file__).with_name("loads.log").open("a") as log:
        log.write("load\\n")
    return load(*given, **how)


def begin():
    loaded._MANY_SMALL.cache_clear()
    with Path(__file__).with_name("loads.log").open("a") as log:
        log.write("session\\n")


def pytest_sessionstart(session):
    loaded.load = logged
    begin()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = write(tmp_path_factory.mktemp("kept"), test_suite=SUITE)
    (directory / "conftest.py").write_text(CONFTEST + LOADS)
    return directory


@pytest.fixture(scope="module")
def ran(folder, tiny):
    suite = ("test_suite.py", "-m", "slow", "--lb-model", tiny, "--lb-seeds", "2")
    suite += ("--lb-fail-on", "none")
    cases = {"first": suite, "second": suite, "fresh": (*suite, "--lb-fresh-readings")}
    return run(folder, cases)


def test_only_the_first_session_and_a_fresh_one_open_models(ran, folder):
    first, second, fresh = (folder / "loads.log").read_text().split("session\n")[1:]
    assert first.count("load") == fresh.count("load") == 5
    assert second == ""


def test_the_report_says_the_same(ran):
    def said(name):
        return [replace(row, seconds=0.0) for row in ran[name].report.rows]

    assert ran["first"].code == 0, ran["first"].said
    assert len(said("first")) == 2
    assert said("first") == said("second") == said("fresh")


@pytest.mark.parametrize("session", ["first", "second"])
def test_a_row_says_with_which_quirks_something_was_read(ran, session):
    quirks = {row.claim_id: row.quirks for row in ran[session].report.rows}
    assert quirks == {"kept/trained": (), "kept/base": ("bf16-lens",)}
    assert "Known defects of the public source were switched on: bf16-lens" in ran[session].said
