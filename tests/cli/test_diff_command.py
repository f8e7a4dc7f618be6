"""`lazarus-bench diff`: exit codes, outputs, annotations, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from commandcases import row

from lazarus_bench import cli
from lazarus_bench.report.diff import compare, render_diff
from lazarus_bench.report.markup import unescaped
from lazarus_bench.report.schema import Report, load, save

OLDER = Path(__file__).resolve().parents[1] / "report"


KEPT = row("fam/kept", ((0.50, 0.51, 0.52, 0.53) * 5,))
BEFORE = row("fam/moves", ((0.50, 0.51, 0.52, 0.53) * 5,))
AFTER = row("fam/moves", ((0.10, 0.11, 0.12, 0.13) * 5,))


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """An old and a new report; one of two verdicts moved."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    report = Report(created="2026-01-01", profile="smoke", command="pytest", manifest={})
    save(replace(report, rows=(KEPT, BEFORE)), tmp_path / "old" / "report.json")
    save(replace(report, rows=(KEPT, AFTER)), tmp_path / "new" / "report.json")
    return "old", "new"


def test_a_moved_verdict_is_named_and_sets_the_exit_code(folders, capsys):
    assert cli.main(["diff", *folders]) == 1
    out, err = capsys.readouterr()
    old, new = (load(Path(folder, "report.json")) for folder in folders)
    assert out == render_diff(compare(old, new))
    assert "`fam/moves`" in out
    assert "fam/kept" not in out
    assert err == ""


def test_nothing_moves_between_equal_reports(folders, capsys):
    assert cli.main(["diff", "old/report.json", "old"]) == 0
    assert capsys.readouterr().out.startswith("# Nothing moved: 2 verdicts compared\n")


def test_json_goes_where_the_markdown_would(folders, capsys):
    assert cli.main(["diff", *folders, "--json"]) == 1
    printed = capsys.readouterr().out
    assert [moved["claim"] for moved in json.loads(printed)["moved"]] == ["fam/moves"]
    assert cli.main(["diff", *folders, "--json", "--output", "below/moved.json"]) == 1
    assert capsys.readouterr().out == ""
    assert Path("below/moved.json").read_text(encoding="utf-8") == printed


@pytest.mark.parametrize("asked", [True, False])
def test_annotations_name_the_claims_place_and_nothing_else(folders, capsys, monkeypatch, asked):
    Path("hypotheses").mkdir()
    Path("hypotheses/test_fam.py").write_text('@claim(\n    "fam/kept",\n    "fam/moves",\n')
    if not asked:
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert cli.main(["diff", *folders, *(["--github"] if asked else [])]) == 1
    out, err = capsys.readouterr()
    assert "::warning" not in out
    (line,) = err.splitlines()
    assert line.startswith(
        "::warning file=hypotheses/test_fam.py,line=3,title=fam/moves%3A supported for this run → "
        "refuted for this run::"
    )


def test_annotations_of_a_claim_without_a_file_stand_at_the_new_report(folders, capsys):
    assert cli.main(["diff", *folders, "--github"]) == 1
    assert "::warning file=new/report.json,title=" in capsys.readouterr().err
    assert cli.main(["diff", "old", "old", "--github"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_reports_of_older_schemas_open(version, capsys):
    old = str(OLDER / f"report_v{version}.json")
    assert cli.main(["diff", old, old]) == 0
    assert "Nothing moved" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot read the report"),
        ("{", "is not JSON"),
        ('{"schema": 99}', "has schema version 99, this lazarus-bench reads versions 1, 2, 3, 4, "),
        ('{"schema": 6}', "is damaged"),
    ],
)
def test_a_bad_report_is_one_sentence(folders, capsys, text, sentence):
    path = Path("new/report.json")
    path.unlink()
    if text is not None:
        path.write_text(text)
    assert cli.main(["diff", *folders]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_an_output_that_cannot_be_written_is_named(folders, capsys):
    assert cli.main(["diff", *folders, "--output", "new/report.json/x.md"]) == 2
    assert "cannot write the comparison to" in capsys.readouterr().err


def test_two_reports_without_a_verdict_cannot_be_compared(folders, capsys):
    empty = replace(load(Path("old/report.json")), rows=())
    for folder in folders:
        save(empty, Path(folder, "report.json"))
    assert cli.main(["diff", *folders]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "there is nothing to compare: neither old/report.json nor new/report.json has a" in err
    assert len(err.splitlines()) == 1


def test_verdicts_in_one_report_only_are_compared(folders, capsys):
    save(replace(load(Path("old/report.json")), rows=()), Path("old/report.json"))
    assert cli.main(["diff", *folders]) == 1
    assert "2 new" in capsys.readouterr().out


@pytest.mark.parametrize("output", ["old/report.json", "new/../new/report.json"])
def test_a_report_that_is_compared_is_not_overwritten(folders, capsys, output):
    kept = Path(output).read_bytes()
    assert cli.main(["diff", *folders, "--json", "--output", output]) == 2
    assert f"--output {output} is the report that is read" in capsys.readouterr().err
    assert Path(output).read_bytes() == kept


@pytest.mark.parametrize("columns", [30, 60])
def test_a_comparison_fits_the_terminal(folders, capsys, narrow, columns):
    cli.main(["diff", *folders])
    whole = capsys.readouterr().out
    narrow(columns)
    cli.main(["diff", *folders])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= columns < max(map(len, whole.splitlines()))
    assert "".join(shown.split()) == "".join(unescaped(whole).split())
    cli.main(["diff", *folders, "--json"])
    assert json.loads(capsys.readouterr().out)["moved"]


def test_an_output_that_ends_in_html_is_a_page(folders, capsys):
    assert cli.main(["diff", *folders, "--output", "diff.html"]) == 1
    assert capsys.readouterr().out == ""
    page = Path("diff.html").read_text(encoding="utf-8")
    assert page.lstrip().startswith("<!doctype html>")
    assert "<code>fam/moves</code>" in page
