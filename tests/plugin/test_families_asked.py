"""Which families of the lab a claim is put to, by profile, and the plan that says what it costs."""

import re

import pytest
from claimfiles import run, write

from lazarus_bench.jobs.subjects import LAB_FAMILIES

CLAIMS = """
from lazarus_bench import LAB_EVERY, LAB_MIXTURES

@pre("fam/every", AtLeast(0.3), NARROW, subjects=LAB_EVERY)
def test_every(base):
    return Means(values=[[1.0, 1.1] for _ in base])

@pre("fam/routers", AtLeast(0.3), NARROW, subjects=LAB_MIXTURES)
def test_routers(base):
    return Means(values=[[1.0, 1.1] for _ in base])

@pre("fam/main", AtLeast(0.3), NARROW)
def test_main(base):
    return Means(values=[[1.0, 1.1] for _ in base])
"""

COLLECT = ("--collect-only", "-q", "-m", "slow")
CASES = {
    "default": COLLECT,
    "smoke": (*COLLECT, "--lb-profile", "smoke"),
    "named": (*COLLECT, "--lb-profile", "smoke", "--lb-model", "lab:gemma2"),
    "smoke granite": ("-k", "granite", "--lb-profile", "smoke"),
    "smoke granite slow": ("-m", "slow", "-k", "granite", "--lb-profile", "smoke"),
    "smoke granite xdist": ("-n", "2", "-m", "slow", "-k", "granite", "--lb-profile", "smoke"),
    "smoke granite id": ("test_fam.py::test_every[lab:granite]", "--lb-profile", "smoke"),
    "smoke both": (*COLLECT[:2], "--lb-profile", "smoke", "-k", "granite or test_main"),
    "smoke main": (*COLLECT, "--lb-profile", "smoke", "-k", "test_main"),
    "smoke published": ("--collect-only", "-q", "--lb-profile", "smoke"),
    "unknown": ("-m", "slow", "--lb-profile", "nope"),
    "plan": ("-m", "slow", "--lb-plan"),
    "plan full": ("-m", "slow", "--lb-plan", "--lb-profile", "full"),
    "plan of one": ("-m", "slow", "--lb-plan", "-k", "olmoe"),
    "plan smoke": ("-m", "slow", "--lb-plan", "--lb-profile", "smoke"),
    "plan named": ("--lb-plan", "--lb-model", "lab:granite"),
    "plan named seeds": ("--lb-plan", "--lb-model", "lab:granite", "--lb-seeds", "10"),
    "plan seeds": ("-m", "slow", "--lb-plan", "--lb-seeds", "3"),
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    return run(write(tmp_path_factory.mktemp("families"), test_fam=CLAIMS), CASES)


def asked(said: str, test: str) -> list[str]:
    """The subjects of a test, as they were collected."""
    return re.findall(rf"test_{test}\[(.*?)\]", said)


def test_every_family_is_asked_by_default_the_llama_alone_where_nothing_is_said(ran):
    said = ran["default"].said
    assert asked(said, "every") == [f"lab:{family}" for family in LAB_FAMILIES]
    assert asked(said, "routers") == ["lab:olmoe", "lab:gpt-oss"]
    assert asked(said, "main") == ["lab:llama"]


def test_smoke_asks_the_llama_and_one_mixture(ran):
    said = ran["smoke"].said
    assert asked(said, "every") == ["lab:llama", "lab:olmoe"]
    assert asked(said, "routers") == ["lab:olmoe"]


LEFT_OUT = "lazarus-bench: the smoke profile asks llama and olmoe; left out: granite"


@pytest.mark.parametrize("case", ["smoke granite", "smoke granite slow", "smoke granite id"])
def test_a_selection_that_the_profile_leaves_out_is_told_what_would_ask_it(ran, case):
    assert f"{LEFT_OUT} (-m slow --lb-profile default, or --lb-model lab:granite" in ran[case].said
    assert ran[case].code == pytest.ExitCode.NO_TESTS_COLLECTED


def test_under_xdist_it_is_said_once(ran):
    assert ran["smoke granite xdist"].said.count(LEFT_OUT) == 1
    assert ran["smoke granite xdist"].code == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_family_selected_beside_published_numbers_is_told_too(ran):
    assert f"{LEFT_OUT} (" in ran["smoke both"].said
    assert asked(ran["smoke both"].said, "main") == ["published"]


def test_what_the_profile_leaves_out_is_said_only_where_it_was_selected(ran):
    assert f"{LEFT_OUT}, qwen2, mistral, gemma2, gpt-oss (" in ran["smoke"].said
    for case in ("default", "named", "smoke main", "smoke published"):
        assert "left out" not in ran[case].said


def test_a_named_family_is_asked_whatever_the_profile(ran):
    assert asked(ran["named"].said, "every") == ["lab:gemma2"]


def test_an_unknown_profile_is_still_refused_in_one_sentence(ran):
    assert "'nope' is unknown: choose smoke, default, full" in ran["unknown"].error()


def rows(said: str) -> dict[str, str]:
    """Lines of the plan's table: training to its seeds."""
    return dict(re.findall(r"lazarus-bench: (pretrain.*?)  +(\S+)", said))


def test_further_families_have_one_seed_by_default_and_five_in_full(ran):
    further = {f"pretrain {family}" for family in LAB_FAMILIES if family != "llama"}
    assert rows(ran["plan"].said) == {"pretrain": "0-4", **dict.fromkeys(further, "0")}
    assert rows(ran["plan full"].said) == {"pretrain": "0-9", **dict.fromkeys(further, "0-4")}
    assert rows(ran["plan of one"].said) == {"pretrain olmoe": "0"}
    assert rows(ran["plan smoke"].said) == {"pretrain": "0", "pretrain olmoe": "0"}


def test_a_named_family_has_as_many_seeds_as_the_main_one_or_as_are_given(ran):
    assert rows(ran["plan named"].said) == {"pretrain granite": "0-4"}
    assert rows(ran["plan named seeds"].said) == {"pretrain granite": "0-9"}


def test_given_seeds_are_those_of_every_family(ran):
    trained = ("pretrain", *(f"pretrain {family}" for family in LAB_FAMILIES if family != "llama"))
    assert rows(ran["plan seeds"].said) == dict.fromkeys(trained, "0-2")
