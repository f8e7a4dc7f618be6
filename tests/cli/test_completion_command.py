"""`lazarus-bench completion`: the scripts that it prints complete commands in their shells."""

import json
import shutil
from contextlib import redirect_stdout

import pytest
from shells import SCRIPT, Shell

from lazarus_bench import cli


@pytest.fixture(scope="module", params=["bash", "zsh", "fish"])
def completed(request, tmp_path_factory):
    """What a shell offers for the last of some words."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    scripts, folder = tmp_path_factory.mktemp("scripts"), tmp_path_factory.mktemp("folder")
    (folder / "report.json").write_text("{}")
    (folder / "results").mkdir()
    with (scripts / SCRIPT[request.param]).open("w") as out, redirect_stdout(out):
        assert cli.main(["completion", request.param]) == 0
    shell = Shell(request.param, scripts, folder)
    yield shell.offers
    shell.close()


def test_commands_and_their_actions_are_offered(completed):
    assert {"run", "experiment", "report", "lab", "store", "doctor"} <= completed("")
    assert completed("exp") == {"experiment"}
    assert completed("lab", "") >= {"list", "build"}
    assert completed("store", "ver") == {"verify"}


def test_flags_and_their_choices_are_offered(completed):
    assert completed("run", "--publ") == {"--published"}
    assert completed("run", "--profile", "") == {"smoke", "default", "full"}
    assert completed("report", "--as", "") == {"table", "md", "html"}


def test_flags_of_other_commands_are_not_offered(completed):
    assert completed("render", "--") >= {"--json", "--output"}
    assert completed("render", "--al") == set()


def test_names_of_claims_experiments_and_lab_models_are_offered(completed):
    assert completed("run", "dual/vo-a") == {"dual/vo-all-right"}
    assert "two-stage" in completed("run", "two")
    assert completed("experiment", "run", "two") == {"two_stage_classifier"}
    assert completed("claims", "show", "dual/vo-a") == {"dual/vo-all-right"}
    assert completed("claims", "list", "--family", "two") == {"two-stage"}
    assert completed("lab", "build", "ol") == {"olmoe", "olmoe-instruct"}
    assert completed("benchmark", "--model", "lab:gr") == {"lab:granite", "lab:granite-instruct"}


def test_files_are_offered_where_they_belong(completed):
    assert "report.json" in completed("report", "rep")
    assert "results" in completed("run", "--report", "re")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(capsys, shell):
    assert cli.main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert "lazarus-bench" in text
    assert cli.main(["completion", shell, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["script"].strip() == text.strip()


def test_an_unknown_shell_is_refused(capsys):
    assert cli.main(["completion", "tcsh"]) == 2
    assert "SHELL 'tcsh' is unknown: choose bash, zsh, fish; `laza" in capsys.readouterr().err
