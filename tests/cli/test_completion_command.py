"""`lazarus-bench completion`: the scripts that it prints complete commands in their shells."""

import json
import shutil
from contextlib import redirect_stdout

import pytest
from shells import SCRIPT, Shell

from lazarus_bench import cli


@pytest.fixture(scope="module", params=["bash", "zsh", "tcsh"])
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
    assert {"run", "experiment", "report", "lab", "lens", "store"} <= completed("")
    assert completed("exp") == {"experiment"}
    assert completed("lab", "") >= {"list", "build"}
    assert completed("experiment", "st") == {"status"}


def test_flags_and_their_choices_are_offered(completed):
    assert completed("run", "--publ") == {"--published"}
    assert completed("run", "--profile", "") == {"smoke", "default", "full"}
    assert completed("report", "--as", "") == {"table", "md", "html"}


def test_flags_of_other_commands_are_not_offered(completed):
    assert completed("lens", "--all") == {"--all-layers"}
    assert completed("generate", "--te") == {"--temperature"}
    assert completed("moe-expert", "weights", "--cl") == set()


def test_names_of_claims_experiments_and_lab_models_are_offered(completed):
    assert completed("run", "dual/vo-a") == {"dual/vo-all-right"}
    assert "two-stage" in completed("run", "two")
    assert completed("experiment", "run", "two") == {"two_stage_classifier"}
    assert completed("lab", "build", "ol") == {"olmoe", "olmoe-instruct"}
    assert completed("lens", "lab:gr") == {"lab:granite", "lab:granite-instruct"}


def test_files_and_folders_are_offered_where_they_belong(completed):
    assert "report.json" in completed("report", "rep")
    assert completed("run", "--report", "re") == {"results"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_every_shell_has_its_script(capsys, shell):
    assert cli.main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert "lazarus-bench" in text
    assert cli.main(["completion", shell, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["script"].strip() == text.strip()


def test_an_unknown_shell_is_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["completion", "fish"])
    assert stopped.value.code == 2
    assert "fish" in capsys.readouterr().err


def test_what_tcsh_asks_for_is_told(capsys, monkeypatch):
    def told(line, *more):
        monkeypatch.setenv("COMMAND_LINE", line)
        return cli.main(["completion", "tcsh", "--words", *more]), capsys.readouterr()

    assert told("lazarus-bench lens '7 * 8 = ' --all")[1].out == "--all-layers\n"
    assert told("lazarus-bench lens lab:llama '7 * ")[1].out == ""
    assert told("lazarus-bench abacus ")[1].out == ""
    assert told("lazarus-bench run --profile smoke dual/vo-a")[1].out == "dual/vo-all-right\n"
    code, said = told("lazarus-bench ", "--json")
    assert (code, said.out) == (2, "")
    assert said.err.startswith("lazarus-bench: --words is what tcsh asks")
