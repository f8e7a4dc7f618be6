"""Names that no file system takes, and names that would break a line, are one sentence."""

import os

import pytest

from lazarus_bench import cli

LINES = {
    "lens": ["lens", "NAME", "7 * 8 = "],
    "adapter": ["lens", ".", "7 * 8 = ", "--adapter", "NAME"],
    "train": ["train", "sft", "NAME"],
    "data of a training": ["train", "sft", ".", "--data", "NAME"],
    "data": ["data", "arithmetic", "--count", "20", "--output", "NAME"],
    "init": ["init", "NAME"],
    "store": ["store", "ls", "--store", "NAME"],
    "lab": ["lab", "list", "--store", "NAME"],
    "claims": ["claims", "list", "--hypotheses", "NAME"],
    "judge": ["judge", "NAME", "--region", "> 0"],
    "judged": ["judge", "long.csv", "--region", "> 0", "--report", "NAME"],
    "report": ["report", ".", "--output", "NAME"],
    "diff": ["diff", "NAME", "NAME"],
    "column": ["judge", "long.csv", "--region", "> 0", "--arm", "NAME"],
    "plot": ["lens", "nowhere", "x", "--plot", "NAME"],
    "workers": ["run", "--plan", "--workers", "NAME"],
}
NAMES = {
    "long": "x" * 5000,
    "deep": "a/" * 2500,
    "a loop": "loop/x.json",
    "round": "round",
    "line": "a\nb",
    "separator": "\u2028",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAZARUS_BENCH_STORE", str(tmp_path / "store"))
    (tmp_path / "long.csv").write_text("item,run,value\n1,0,1\n2,0,2\n")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "round").symlink_to("round/deeper")
    return tmp_path


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_name_that_cannot_be_used_is_one_sentence(place, capsys, line, name):
    code = cli.main([name if word == "NAME" else word for word in line])
    said = capsys.readouterr().err
    assert (code, len(said.splitlines())) in ((0, 0), (2, 1)), said


@pytest.mark.skipif(os.geteuid() == 0, reason="who may do anything is refused nothing")
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_locked_folder_is_one_sentence(place, capsys, line):
    (place / "locked").mkdir(mode=0)
    assert cli.main(["locked/x" if word == "NAME" else word for word in line]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_file_that_may_not_be_looked_at_is_one_sentence(place, capsys, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied", "locked/x")

    monkeypatch.setattr("pathlib.Path.is_dir", refused)
    assert cli.main(["store", "ls", "--store", "locked/x"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lazarus-bench: locked/x cannot be used (permission denied): name ano")


def test_a_list_of_lists_of_lists_is_one_sentence(capsys):
    assert cli.main(["benchmark", "--from", "[" * 5000]) == 2
    assert "is nested too deeply" in capsys.readouterr().err
