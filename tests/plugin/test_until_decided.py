"""Seeds until decided: looks, what is trained for which claim, budgets, and refusals."""

import pytest
from claimfiles import run, write

CLAIMS = """
import pytest

def spread(runs, centre):
    return Means(values=[[centre + 0.2 * (-1) ** seed] for seed in range(len(runs))])

@pre("grow/soon", AtLeast(0.0), subjects=("lab:llama",))
def test_soon(sft):
    return spread(sft, 50.0)

@pre("grow/later", AtLeast(0.0), subjects=("lab:llama",))
def test_later(sft):
    return spread(sft, 0.3)

@pytest.fixture
def own(tmp_path):
    file = tmp_path / "centre"
    assert not file.exists(), "made twice for one test"
    file.write_text("0.3")
    yield file
    file.unlink()

@pre("grow/fixture", AtLeast(0.0), subjects=("lab:llama",))
def test_fixture(sft, held_out, own):
    return spread(sft, float(own.read_text()))

@pytest.mark.skip(reason="not today")
@pre("grow/skipped", AtLeast(0.0), subjects=("lab:llama",))
def test_skipped(sft, own):
    return spread(sft, 50.0)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("grow"), test_grow=CLAIMS)


@pytest.fixture(scope="module")
def ran(folder, tiny):
    args = ("-m", "slow", "--lb-model", tiny, "--lb-fail-on", "none")
    growing = (*args, "--lb-until-decided")
    return run(
        folder,
        {
            "no looks": (*growing, "--lb-profile", "smoke"),
            "offline": (*growing, "--lb-offline"),
            "seeds": (*growing, "--lb-seeds", "7"),
            "budget alone": (*args, "--lb-budget", "2h"),
            "no time": (*growing, "--lb-budget", "soon"),
            "used up": (*growing, "--lb-budget", "0s"),
            "grown": growing,
            "planned number": args,
            "unplanned number": (*args, "--lb-seeds", "7"),
        },
    )


def row(ran, name):
    return next(row for row in ran.report.rows if row.claim_id == name)


def test_an_open_claim_goes_to_its_next_look_and_a_decided_one_stays(ran):
    soon, later = (row(ran["grown"], name) for name in ("grow/soon", "grow/later"))
    assert [look.seeds for look in soon.looks] == [5]
    assert [look.seeds for look in later.looks] == [5, 10]
    assert [look.outcome for look in later.looks] == ["inconclusive", "supported"]
    assert (soon.verdict.estimate.seeds, later.verdict.estimate.seeds) == (5, 10)
    assert later.verdict.estimate.interval.low == later.looks[-1].low
    assert "grow/later on" in ran["grown"].said
    assert "10 seeds: supported" in ran["grown"].said


def test_the_level_is_shared_by_all_registered_looks(ran):
    # Four verdicts of the family, four looks.
    assert row(ran["grown"], "grow/later").verdict.level == pytest.approx(1 - 0.1 / 16)
    assert row(ran["planned number"], "grow/later").verdict.level == pytest.approx(1 - 0.1 / 4)


def test_a_test_with_fixtures_grows_too_and_has_new_ones_when_it_is_judged(ran):
    grown = row(ran["grown"], "grow/fixture")
    assert [look.seeds for look in grown.looks] == [5, 10]
    assert grown.verdict.estimate.seeds == 10
    assert grown.verdict.outcome == "supported"


def test_a_skipped_test_is_skipped_as_ever(ran):
    reason = row(ran["grown"], "grow/skipped").verdict.reason
    assert reason == "skipped: not today"


def test_a_used_up_budget_leaves_claims_open_and_says_how_many(ran):
    assert "no look fits into the budget any more; 2 claims still open" in ran["used up"].said
    assert row(ran["used up"], "grow/later").verdict.outcome == "inconclusive"


def test_a_number_of_seeds_that_is_not_registered_is_marked_with_its_error(ran):
    marked = row(ran["unplanned number"], "grow/later")
    assert marked.unplanned.startswith("unplanned: the profile registers 5 seeds and this is 7")
    assert row(ran["planned number"], "grow/later").unplanned == ""
    assert (
        "Unplanned: the profile registers"
        in (ran["unplanned number"].folder / "report.md").read_text()
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no looks", "the smoke profile registers no looks: leave out --lb-until-decided"),
        ("offline", "leave out --lb-offline"),
        ("seeds", "leave out --lb-seeds"),
        ("budget alone", "--lb-budget limits --lb-until-decided: give both, or none"),
        ("no time", "--lb-budget soon is not a time: give one such as 45s, 90m or 2h"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_remedy(ran, name, sentence):
    assert sentence in ran[name].error()
