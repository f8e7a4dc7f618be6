"""Claims asked of a model: trained once, judged, pinned; each way a verdict can fail to come."""

import json
import subprocess
import sys

import pytest
from claimfiles import CONFTEST, clean_environment, run, write

from lazarus_bench.report.schema import load

SUITE = """
from lazarus_bench.figures.layers import LayerCurves, LayerSeries
from lazarus_bench.figures.training import Curve, Curves
from lazarus_bench.session.shown import training_curves
from lazarus_bench.session.shown import lens_heatmap
from lazarus_bench.tasks.arithmetic import sample_prompts

BY_HAND = Curves(title="By hand", subject="s", unit="nats", series=(
    Curve(name="loss", lines=(((1.0, 2.0), (2.0, float("inf"))),)),
))
BY_LAYER = LayerCurves(title="By layer", subject="s", unit="nats", layers=(0, 1), series=(
    LayerSeries.of("a", [[0.1, 0.2]]),
))

@pre("suite/supported", Above(-1.0), NARROW)
def test_supported(sft, held_out):
    return mean(sft.lens(held_out).at(2).gold_probability)

@beside(test_supported)
def _(sft, base, held_out):
    yield "before", mean(base.lens(held_out).at(2).answer)
    yield training_curves("LoRA", sft, ["loss"])
    yield lens_heatmap("LoRA", sft, sample_prompts(), held_out)

@pre("suite/refuted", AtLeast(0.9), NARROW)
def test_refuted(base):
    return mean(base.answers(sample_prompts()).correct)

@beside(test_refuted)
def _():
    yield BY_HAND
    yield BY_LAYER

@pre("suite/inconclusive", AtLeast(0.5), NARROW)
def test_inconclusive():
    return Means(values=WIDE)

@beside(test_inconclusive)
def _():
    yield BY_HAND
    yield BY_LAYER

@pre("suite/control", AtLeast(0.3), NARROW)
def test_control():
    failed = Control(name="shared pairs", value=1.0, expectation="0", passed=False)
    return Means(values=NARROW), failed

@pre("suite/inapplicable", AtLeast(0.3), NARROW)
def test_inapplicable():
    raise NotApplicable("no such word in this vocabulary")

sibling = trained(SFT, instruct=True)

@pre("suite/sibling", AtLeast(0.3), NARROW)
def test_sibling(sibling):
    return Means(values=[[run.depth] for run in sibling])

rank_3 = trained(Sft(**TINY | dict(rank=3)))

# Hits that all agree leave the end beyond 0.98 open, and two seeds that differ nearly everything.
@pre("suite/unattainable", Within(0.02, 0.98), binary=True)
def test_unattainable(rank_3):
    raise AssertionError("a claim that nothing could decide is not asked")
"""

DIVERGES = """
wild = trained(Sft(**TINY | dict(learning_rate=1e30)))

@pre("div/diverges", AtLeast(0.3), NARROW)
def test_diverges(wild):
    return Means(values=[[run.depth] for run in wild])

@pre("div/other", AtLeast(0.3), NARROW)
def test_other():
    return Means(values=NARROW)
"""

MISTAKES = """
@pre("err/never", AtLeast(0.3), NARROW)
def test_never():
    pass

@pre("err/bug", AtLeast(0.3), NARROW)
def test_bug():
    return Means(values=[[1 / 0]])
"""

COUNT = """
from pathlib import Path
from lazarus_bench.jobs import work

start = work.start


def counted(job, *rest):
    with Path(__file__).with_name("trained.log").open("a") as log:
        log.write(f"{job.digest}\\n")
    return start(job, *rest)


work.start = counted
"""

OUTCOMES = {
    "suite/supported": "supported",
    "suite/refuted": "refuted for this run",
    "suite/inconclusive": "inconclusive",
    "suite/control": "invalid",
    "suite/inapplicable": "not applicable",
    "suite/sibling": "not applicable",
    "suite/unattainable": "inconclusive",
}


def rows_of(ran):
    return {row.claim_id: row for row in ran.report.rows}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    files = {"test_suite": SUITE, "test_diverges": DIVERGES, "test_mistakes": MISTAKES}
    directory = write(tmp_path_factory.mktemp("models"), **files)
    (directory / "conftest.py").write_text(CONFTEST + COUNT)
    return directory


def trained(folder):
    """Digests of every job that any run took up, in order."""
    return (folder / "trained.log").read_text().split()


@pytest.fixture(scope="module")
def ran(folder, tiny):
    model = ("--lb-model", tiny, "--lb-seeds", "2")
    suite = ("test_suite.py", "-m", "slow", *model)
    base = ("test_suite.py", "-m", "slow", "-k", "refuted", "--lb-model", tiny)
    pin = {"suite/refuted": {"verdict": "supported"}}
    moved = {"default, 2 seeds": {"machine": {}, "claims": {str(tiny): pin}}}
    return run(
        folder,
        {
            "first": suite,
            "again": suite,
            "both": ("test_suite.py", "-k", "refuted or inapplicable", *model),
            "default": ("test_suite.py", *model, "-k", "supported"),
            "pin": (*suite, "--lb-update-pins", "--lb-fail-on", "none"),
            "pinned": suite,
            "other seeds": (*base, "--lb-seeds", "3"),
            "other profile": (*base, "--lb-seeds", "2", "--lb-profile", "smoke"),
            "moved": (*base, "--lb-seeds", "2"),
            "invalid passes": (*suite, "-k", "control", "--lb-fail-on", "refuted"),
            "diverges": ("test_diverges.py", "-m", "slow", *model),
            "mistakes": ("test_mistakes.py", "-m", "slow", *model),
        },
        pins={"moved": json.dumps(moved)},
    )


def test_each_outcome(ran):
    assert ran["first"].outcomes() == OUTCOMES
    assert ran["first"].code == 1
    for part in (
        "1 supported",
        "1 refuted for",
        "2 inconclusive",
        "1 invalid",
        "2 not applicable",
    ):
        assert part in ran["first"].summary


@pytest.mark.parametrize(
    ("claim_id", "reason"),
    [
        ("suite/control", "shared pairs"),
        ("suite/inapplicable", "no such word in this vocabulary"),
        ("suite/sibling", "has no instruct sibling here"),
        ("suite/unattainable", "no outcome of 2 seeds × 200 prompts could support or refute"),
    ],
)
def test_reason_is_in_the_report_and_on_the_terminal(ran, claim_id, reason):
    assert reason in rows_of(ran["first"])[claim_id].verdict.reason
    said = [line for line in ran["first"].said.splitlines() if line.startswith(f"{claim_id} on ")]
    assert len(said) == 1
    assert reason in said[0]


def test_a_row_carries_the_published_verdict_and_what_stands_beside(ran, tiny):
    row = rows_of(ran["first"])["suite/supported"]
    assert row.subject == str(tiny)
    assert row.published.estimate.value == pytest.approx(0.515)
    assert row.verdict.estimate.seeds == 2
    assert [item.label for item in row.secondary] == ["before"]
    assert len(row.digests) == 2
    assert row.architecture == "llama"


def test_curves_shown_by_two_claims_stand_in_the_report_once(ran, tiny):
    lora, by_hand = ran["first"].report.curves
    assert (lora.title, by_hand.title) == ("LoRA", "By hand")
    assert lora.subject.startswith(f"{tiny}, ")
    assert "seed" not in lora.subject
    (loss,) = lora.series
    assert [[x for x, _ in line] for line in loss.lines] == [[1, 2, 3], [1, 2, 3]]
    assert all(y > 0 for line in loss.lines for _, y in line)
    text = (ran["first"].folder / "report.md").read_text()
    assert text.count("<summary>By hand") == 1
    assert [item.title for item in ran["first"].report.layer_curves] == ["By layer"]
    assert text.count("<summary>By layer") == 1


def test_a_heat_map_stands_in_the_report_and_beside_it(ran):
    (item,) = ran["first"].report.heatmaps
    assert (item.title, item.seeds, item.depth) == ("LoRA", 2, 4)
    text = (ran["first"].folder / "report.md").read_text()
    assert "](figures/heat-map-01.svg)" in text
    assert (ran["first"].folder / "figures" / "heat-map-01.svg").read_text().startswith("<svg")
    page = (ran["first"].folder / "report.html").read_text()
    assert 'id="heatmaps"' in page
    assert item.svg(heading=False) in page


def test_only_what_can_be_decided_is_trained(ran, folder):
    specs = [json.loads(f.read_text()) for f in (folder / "store").glob("sft-*/spec.json")]
    ranks = [spec["recipe"]["rank"] for spec in specs if spec["recipe"]["learning_rate"] < 1]
    assert ranks == [2, 2]
    assert "2 trainings to run" in ran["first"].said


def test_second_run_trains_nothing_and_says_the_same(ran, folder):
    assert "trainings to run" not in ran["again"].said
    digests = rows_of(ran["first"])["suite/supported"].digests
    assert [trained(folder).count(digest) for digest in digests] == [1, 1]
    first, again = rows_of(ran["first"]), rows_of(ran["again"])
    assert {k: row.verdict for k, row in again.items()} == {
        k: row.verdict for k, row in first.items()
    }
    assert [job.cached for job in ran["first"].report.jobs] == [False, False]
    assert [job.cached for job in ran["again"].report.jobs] == [True, True]
    assert [j.digest for j in ran["again"].report.jobs] == [
        j.digest for j in ran["first"].report.jobs
    ]


def test_named_model_is_asked_without_m(ran, tiny):
    subjects = {(row.claim_id, row.subject) for row in ran["both"].report.rows}
    assert ("suite/refuted", "published") in subjects
    assert ("suite/refuted", str(tiny)) in subjects
    assert ran["default"].code == 0


def test_pins_hold_a_refuted_and_an_invalid_verdict(ran, folder, tiny):
    assert ran["pin"].code == 0
    assert ran["pinned"].code == 0, ran["pinned"].said
    assert {row.claim_id: row.pinned for row in ran["pinned"].report.rows} == OUTCOMES
    assert "1 refuted" in ran["pinned"].summary


@pytest.mark.parametrize("case", ["other seeds", "other profile"])
def test_pins_of_another_design_do_not_apply(ran, case):
    assert [row.pinned for row in ran[case].report.rows] == [None]
    assert ran[case].code == 1


def test_moved_pin_fails_and_says_how(ran, tiny):
    assert ran["moved"].code == 1
    assert "1 moved" in ran["moved"].summary
    assert f"suite/refuted on {tiny}: moved (supported is on record)" in ran["moved"].said


def test_invalid_fails_only_where_asked(ran):
    assert ran["invalid passes"].outcomes() == {"suite/control": "invalid"}
    assert ran["invalid passes"].code == 0


def test_a_training_that_fails_leaves_the_other_claims_judged(ran, folder):
    assert ran["diverges"].outcomes() == {
        "div/diverges": "invalid",
        "div/other": "supported for this run",
    }
    assert "the loss became" in rows_of(ran["diverges"])["div/diverges"].verdict.reason
    assert ran["diverges"].code == 1
    assert not list((folder / "store" / ".partial").iterdir())


def test_mistakes_in_a_test_are_errors_of_every_report(ran):
    said = ran["mistakes"].said
    assert "err/never: its test must return evidence, and it returned None" in said
    assert "ZeroDivisionError" in said
    assert "2 errors" in ran["mistakes"].summary
    assert set(ran["mistakes"].outcomes().values()) == {"error"}


@pytest.mark.parametrize(("blas", "lines"), [("reference", 1), ("libmkl_rt.so.3", 0)])
def test_a_slow_blas_is_said_once_with_the_remedy(monkeypatch, blas, lines):
    from lazarus_bench import backend
    from lazarus_bench.plugin import trainings

    monkeypatch.setattr(backend, "_blas", lambda: blas)
    monkeypatch.setattr(backend, "on_accelerator", lambda: False)
    said = []
    trainings._say_if_slow(said.append)
    assert len(said) == lines
    assert all("pip install 'lazarus-bench[cpu]'" in line for line in said)


def test_xdist_gives_the_same_rows(ran, folder, tiny):
    (folder / "pins.json").unlink(missing_ok=True)
    before = len(trained(folder))
    reports = folder / "reports" / "xdist"
    args = ["test_suite.py", "-n", "2", "-m", "slow", "--lb-model", str(tiny), "--lb-seeds", "2"]
    args += ["--lb-store", str(folder / "xdist"), "--lb-report", str(reports), "--lb-workers", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env=clean_environment(),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    alone = ran["first"].report
    spread = load(reports / "report.json")
    assert [row.verdict for row in spread.rows] == [row.verdict for row in alone.rows]
    assert [row.digests for row in spread.rows] == [row.digests for row in alone.rows]
    assert spread.curves == alone.curves
    assert spread.profile == alone.profile
    assert len(trained(folder)) - before == 2, "one worker trains for all"
