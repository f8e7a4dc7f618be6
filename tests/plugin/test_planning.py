"""What would be trained, what the store has, and judging from the store alone."""

import re

import pytest
from claimfiles import run, write

CLAIMS = """
@pre("plan/trained", AtLeast(0.3), NARROW)
def test_trained(sft):
    assert len(sft) == 2
    return Means(values=NARROW)

more = trained(Sft(**TINY | dict(rank=4)))

@pre("plan/more", AtLeast(0.3), NARROW)
def test_more(sft, more):
    assert more
    return Means(values=NARROW)

@pre("plan/untrained", AtLeast(0.3), NARROW)
def test_untrained():
    return Means(values=NARROW)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("plan"), test_plan=CLAIMS)


@pytest.fixture(scope="module")
def ran(folder, tiny):
    args = ("-m", "slow", "--lb-model", tiny, "--lb-seeds", "2", "-rs")
    return run(
        folder,
        {
            "plan": (*args, "--lb-plan"),
            "nothing there": (*args, "--lb-offline"),
            "none of one": (*args, "--lb-offline", "-k", "plan/trained"),
            "elsewhere": (*args, "--lb-offline", "--lb-store", "typo", "-k", "plan/trained"),
            "too many ranks": (*args, "--lb-ranks", "5", "-k", "plan/trained"),
            "one": (*args, "-k", "plan/trained"),
            "half there": (*args, "--lb-offline"),
            "half planned": (*args, "--lb-plan"),
            "all": args,
            "all planned": (*args, "--lb-plan"),
            "published": ("--lb-plan",),
        },
    )


def rows(said: str) -> dict[str, list[str]]:
    """Lines of the plan's table: training to its columns."""
    found = re.findall(r"lazarus-bench: (SFT.*?)  +(.*)", said)
    return {label: columns.split() for label, columns in found}


def test_the_union_is_planned_once_and_nothing_is_trained(ran):
    said = ran["plan"].said
    two, four = rows(said).items()
    assert two[0].endswith("(rank 2)")
    assert four[0].endswith("(rank 4)")
    assert two[1][:3] == four[1][:3] == ["0-1", "0", "2"]
    assert "unknown" not in said
    assert "timing one step of SFT LoRA all on tiny" in said
    assert "4 trainings to run, about" in said
    assert ran["plan"].code == 0
    assert "passed" not in ran["plan"].summary


def test_offline_leaves_out_what_it_cannot_judge_and_says_what_lacks(ran):
    said = ran["nothing there"].said
    assert ran["nothing there"].code == 0
    assert ran["nothing there"].outcomes() == {"plan/untrained": "supported for this run"}
    assert re.search(r"the store lacks SFT LoRA all on tiny\d* \(rank 2\): 2 trainings", said)
    assert re.search(r"the store lacks SFT LoRA all on tiny\d* \(rank 4\): 2 trainings", said)
    assert ran["half there"].outcomes() == {
        "plan/trained": "supported for this run",
        "plan/untrained": "supported for this run",
    }
    assert "trainings to run" not in ran["half there"].said


def test_a_cost_is_known_from_what_was_trained_before(ran):
    assert re.search(r"2 trainings to run, about", ran["half planned"].said)
    assert "nothing to run" in ran["all planned"].said


def test_published_numbers_need_no_plan(ran):
    assert ran["published"].code == 0
    assert "the selected claims need no training" in ran["published"].said


@pytest.mark.parametrize("case", ["none of one", "elsewhere"])
def test_offline_with_nothing_to_judge_is_refused(ran, folder, case):
    assert "lacks trainings for every selected claim" in ran[case].error()
    assert not (folder / "typo").exists()


def test_more_ranks_than_a_batch_is_refused_before_anything_starts(ran):
    assert "has batch = 4, which 5 ranks cannot share" in ran["too many ranks"].error()


def test_offline_tells_damage_by_file(folder, ran, tiny):
    log = next((folder / "store").glob("sft-*/metrics.jsonl"))
    text = log.read_bytes()
    log.write_bytes(text.replace(b"1", b"2", 1))
    args = ("-m", "slow", "--lb-model", tiny, "--lb-seeds", "2", "--lb-offline")
    said = run(folder, {"damaged": args})["damaged"].said
    log.write_bytes(text)
    assert "metrics.jsonl" in said
    assert "checksum" in said
