"""`lazarus-bench init`: a project of claims that runs as written, and nothing overwritten."""

import json
import tomllib

import pytest
import yaml
from commandcases import commands

from lazarus_bench.report.schema import load


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project, made."""
    folder = tmp_path_factory.mktemp("projects")
    cases = {
        "made": ["init", "My-Claims"],
        "again": ["init", "My-Claims"],
        "a file": ["init", "My-Claims/pyproject.toml"],
        "no name": ["init", "42"],
        "taken": ["init", "json"],
        "two words": ["init", "two words"],
        "as json": ["init", "second", "--json"],
    }
    return folder, commands(folder, cases)


@pytest.fixture(scope="module")
def ran(made, tiny):
    """What its commands say, run in it on a tiny model."""
    folder, _ = made
    model = ("--model", tiny, "--seeds", "2", "--workers", "1", "--store", "store")
    return commands(
        folder / "My-Claims",
        {
            "registered": ["claims", "list", "--against", "my_claims/registry.json"],
            "published": ["run", "--published", "--report", "printed"],
            "trained": ["run", *model, "--report", "report"],
            "offline": ["run", *model, "--offline", "--report", "offline"],
            "report": ["report", "report", "--output", "page.html"],
        },
    )


def test_the_next_command_can_be_copied(made):
    assert "next: cd 'two words' && lazarus-bench" in made[1]["two words"].out


def test_everything_of_a_project_is_there(made):
    folder, said = made
    assert said["made"].code == 0, said["made"].err
    files = {str(p.relative_to(folder / "My-Claims")) for p in (folder / "My-Claims").rglob("*.*")}
    assert files - {".github"} >= {
        "pyproject.toml",
        "README.md",
        ".github/workflows/claims.yml",
        "my_claims/__init__.py",
        "my_claims/findings.py",
        "my_claims/noise.py",
        "my_claims/test_first.py",
        "my_claims/registry.json",
    }
    assert said["as json"].json["files"][-1].endswith("second/second/registry.md")


def test_no_placeholder_is_left_and_its_files_are_well_formed(made):
    place = made[0] / "My-Claims"
    for file in place.rglob("*.*"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            assert not {"STUDY", "PROJECT", "FAMILY", "KIND"} & set(text.replace("-", " ").split())
    project = tomllib.loads((place / "pyproject.toml").read_text())
    assert project["project"]["name"] == "my-claims"
    assert project["tool"]["lazarus-bench"]["hypotheses"] == "my_claims"
    workflow = yaml.safe_load((place / ".github" / "workflows" / "claims.yml").read_text())
    commands = [step.get("run", "") for step in workflow["jobs"]["judge"]["steps"]]
    assert 'cat report/report.md >> "$GITHUB_STEP_SUMMARY"' in commands


def test_its_claim_is_the_one_on_record(ran):
    assert ran["registered"].code == 0, ran["registered"].err
    assert "1 as registered" in ran["registered"].out


def test_its_claim_is_judged_offline_and_reported(made, ran):
    place = made[0] / "My-Claims"
    assert ran["published"].code == 0, ran["published"].err
    for case in ("trained", "offline"):
        assert ran[case].code == 0, ran[case].err
    [row] = [
        row
        for row in load(place / "offline" / "report.json").rows
        if row.claim_id == "my-claims/noise-keeps-answers" and row.subject != "published"
    ]
    assert row.verdict.outcome == "supported"
    assert row.amended == ()
    assert row.published.estimate.value == pytest.approx(-1 / 8)
    assert ran["report"].code == 0, ran["report"].err
    assert "my-claims/noise-keeps-answers" in (place / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("again", "My-Claims is not empty: name a folder that is empty or not there yet"),
        ("a file", "pyproject.toml is a file: name a folder"),
        ("no name", "'42' makes no name of a Python package: choose another"),
        ("taken", "json is a Python package that is installed already: choose another"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(made, case, sentence):
    assert sentence in made[1][case].refusal()


def test_a_refusal_leaves_what_was_there(made):
    text = (made[0] / "My-Claims" / "my_claims" / "registry.json").read_text()
    assert len(json.loads(text)["claims"]) == 1
