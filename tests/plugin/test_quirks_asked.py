"""A training with a quirk, from the claim file to every place that must name it."""

import json

import pytest
from claimfiles import run, write

from lazarus_bench.report.html import render_html
from lazarus_bench.report.markdown import render

SUITE = """
from lazarus_bench.claims.finding import Labelled
from lazarus_bench import OnOff
from lazarus_bench.judge import Reported

ODD = Sft(**TINY, quirks=("sgd",))
EXPLAINS = Labelled(label="depth", evidence=Reported(value=4.0))
FINDING = Finding(
    claim="odd/sgd", source="A", evidence=None, note="not printed", explains=(EXPLAINS,)
)
odd = trained(ODD)

@claim("odd/sgd", Above(-1.0), finding=FINDING, quirk="sgd")
def test_sgd(sft, odd):
    '''A statement.

    a number.
    '''
    return Means(values=NARROW)

@beside(test_sgd)
def _(sft, odd):
    yield "depth", OnOff(*(Means(values=[[run.depth] for run in runs]) for runs in (odd, sft)))

@pre("odd/plain", Above(-1.0), NARROW)
def test_plain(sft):
    return Means(values=NARROW)
"""

UNSAID = """
odd = trained(Sft(**TINY, quirks=("sgd",)))

@pre("unsaid/sgd", Above(-1.0), NARROW)
def test_sgd(odd):
    return Means(values=NARROW)
"""


@pytest.fixture(scope="module")
def ran(tiny, tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("quirks"), test_suite=SUITE, test_unsaid=UNSAID)
    model = ("--lb-model", tiny, "--lb-seeds", "1", "--lb-fail-on", "none")
    return run(
        folder,
        {
            "asked": ("test_suite.py", *model),
            "unsaid": ("test_unsaid.py",),
            "plan": ("test_suite.py", *model, "--lb-plan"),
        },
    )


def test_the_row_the_job_and_the_manifest_name_the_quirk(ran):
    report = ran["asked"].report
    rows = {(row.claim_id, row.subject == "published"): row for row in report.rows}
    odd, plain = rows["odd/sgd", False], rows["odd/plain", False]
    assert (odd.quirk, odd.quirks, plain.quirks) == ("sgd", ("sgd",), ())
    (item,) = odd.explained
    assert (item.reads, item.published.value) == ("depth", 4.0)
    assert item.on.value == item.off.value == 4.0
    assert rows["odd/sgd", True].quirks == ()
    jobs = {job.what: job.quirks for job in report.jobs}
    assert [quirks for what, quirks in jobs.items() if "QUIRK sgd" in what] == [("sgd",)]
    assert set(jobs.values()) == {(), ("sgd",)}
    store = ran["asked"].folder.parents[1] / "store"
    kept = [json.loads(file.read_text()) for file in store.glob("sft-*/manifest.json")]
    assert sorted(made["quirks"] for made in kept) == [[], ["sgd"]]


def test_every_rendering_and_the_terminal_say_so(ran):
    said = "Known defects of the public source were switched on: sgd in odd/sgd."
    assert said in ran["asked"].said
    assert said in render(ran["asked"].report)
    assert said in render_html(ran["asked"].report)
    assert "QUIRK sgd" in ran["plan"].said


def test_a_quirk_that_is_not_said_is_refused_at_collection(ran):
    assert ran["unsaid"].code != 0
    assert "unsaid/sgd needs 'SFT LoRA all, QUIRK sgd': say quirk='sgd'" in ran["unsaid"].said
    assert "Traceback" not in ran["unsaid"].said
