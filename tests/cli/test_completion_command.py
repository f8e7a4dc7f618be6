"""`lazarus-bench completion`: the script that it prints completes commands in bash."""

import json
import shutil
import subprocess

import pytest

from lazarus_bench import cli

COMPLETE = """
source {script}
COMP_WORDS=({words}) COMP_CWORD=$(({count} - 1)) COMP_LINE="{line}" COMP_POINT=${{#COMP_LINE}}
COMPREPLY=()
function=$(complete -p lazarus-bench | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function" lazarus-bench "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}"
printf '%s\\n' ${{COMPREPLY[@]+"${{COMPREPLY[@]}}"}}
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    from contextlib import redirect_stdout

    path = tmp_path_factory.mktemp("completion") / "lazarus-bench.bash"
    with path.open("w") as out, redirect_stdout(out):
        assert cli.main(["completion", "bash"]) == 0
    return path


@pytest.fixture
def completed(script, tmp_path):
    if shutil.which("bash") is None:
        pytest.skip("bash is not here")
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "results").mkdir()

    def of(*words):
        """What bash offers for the last of `words`."""
        quoted = " ".join(f"'{word}'" for word in ("lazarus-bench", *words))
        line = " ".join(("lazarus-bench", *words))
        text = COMPLETE.format(script=script, words=quoted, count=1 + len(words), line=line)
        done = subprocess.run(
            ["bash", "--norc", "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=20
        )
        assert (done.returncode, done.stderr) == (0, "")
        return {word.strip() for word in done.stdout.splitlines()} - {""}

    return of


def test_commands_and_their_actions_are_offered(completed):
    assert {"run", "experiment", "report", "lab", "lens", "store", "doctor"} <= completed("")
    assert completed("exp") == {"experiment"}
    assert completed("lab", "") >= {"list", "build"}
    assert completed("experiment", "st") == {"status"}


def test_flags_and_their_choices_are_offered(completed):
    assert completed("run", "--publ") == {"--published"}
    assert completed("run", "--profile", "") == {"smoke", "default", "full"}
    assert completed("report", "--as", "") == {"table", "md", "html"}


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
