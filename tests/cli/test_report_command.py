"""`lazarus-bench report`: a report as lines, Markdown, a page or JSON, whole or in part."""

import json
from dataclasses import replace

import pytest
from commandcases import row

from lazarus_bench import cli
from lazarus_bench.report.html import render_html
from lazarus_bench.report.markdown import render
from lazarus_bench.report.schema import Report, save

HIGH = ((0.50, 0.51, 0.52, 0.53) * 5,)
LOW = ((0.10, 0.11, 0.12, 0.13) * 5,)


RUN = "supported for this run"
ROWS = (
    row("one/high", HIGH),
    row("one/low", LOW, RUN),
    row("two/low", LOW, "refuted for this run"),
)


@pytest.fixture(autouse=True)
def report(tmp_path, monkeypatch):
    """A report in a folder of the default name, in the working directory."""
    monkeypatch.chdir(tmp_path)
    made = Report(created="2026-01-01", profile="smoke", command="pytest", manifest={}, rows=ROWS)
    save(made, tmp_path / "lazarus-report" / "report.json")
    return made


def ids(out):
    return [line.split()[0] for line in out.splitlines() if "lab:llama   " in line]


def test_a_line_for_each_verdict_and_a_sentence_on_what_moved(told):
    code, out, err = told()
    assert (code, err) == (0, "")
    assert out.startswith("lazarus-report/report.json, made 2026-01-01 with the smoke profile\n")
    assert ids(out) == ["one/high", "one/low", "two/low"]
    assert "1 supported for this run, 1 refuted for this run, 1 moved" in out
    assert "one/low on lab:llama: moved (supported for this run is on record): " in out
    assert "two/low on lab:llama:" not in out


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--claim", "one"), ["one/high", "one/low"]),
        (("--claim", "*/low", "--outcome", "refuted"), ["one/low", "two/low"]),
        (("--outcome", "moved,supported"), ["one/high", "one/low"]),
        (("--outcome", "invalid"), []),
    ],
)
def test_lines_are_chosen_by_claim_and_outcome(told, arguments, found):
    code, out, _ = told("lazarus-report", *arguments)
    assert (code, ids(out)) == (0, found)
    _, out, _ = told("lazarus-report/report.json", *arguments, "--json")
    assert [verdict["claim"] for verdict in json.loads(out)["verdicts"]] == found


def test_json_has_the_numbers_and_says_open_ends_as_null(told):
    verdict = json.loads(told("--claim", "one/high", "--json")[1])["verdicts"][0]
    assert verdict["interval"][0] < verdict["estimate"] < verdict["interval"][1]
    assert (verdict["region"], verdict["pinned"], verdict["moved"]) == ("≥ 0.3", None, False)


def test_the_whole_is_rendered_as_markdown_or_as_a_page(told, report, tmp_path):
    assert told("--as", "md")[1] == render(report)
    assert told("--output", "page.html") == (0, "", "")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == render_html(report)
    assert told("--output", "below/report.md")[0] == 0
    assert (tmp_path / "below" / "report.md").read_text(encoding="utf-8") == render(report)
    assert told("--json", "--output", "verdicts.json") == (0, "", "")
    assert len(json.loads((tmp_path / "verdicts.json").read_text())["verdicts"]) == 3


def test_render_is_short_for_a_rendering(told, report, tmp_path, capsys):
    for name in ("lazarus-report", "lazarus-report/report.json"):
        assert cli.main(["render", name]) == 0
        assert capsys.readouterr().out == told("--as", "md")[1] == render(report)
    for name, text in {"new/report.md": render(report), "new/a.html": render_html(report)}.items():
        assert cli.main(["render", "lazarus-report", "--output", name]) == 0
        assert (tmp_path / name).read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("report.json", "end its name in .md or .html"),
        ("page.htlm", "end its name in .md or .html"),
        ("lazarus-report/report.json/report.md", "cannot write the report"),
    ],
)
def test_a_rendering_that_has_no_place_writes_nothing(report, tmp_path, capsys, output, sentence):
    before = (tmp_path / "lazarus-report" / "report.json").read_bytes()
    assert cli.main(["render", "lazarus-report", "--output", output]) == 2
    assert sentence in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["lazarus-report"]
    assert (tmp_path / "lazarus-report" / "report.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("nowhere",),
            "cannot read the report nowhere (no such file or directory); name an existing",
        ),
        (("--claim", "three"), "no claim of lazarus-report is called three: leave --claim out"),
        (("--outcome", "good"), "--outcome 'good' is unknown: choose from supported, "),
        (("--as", "md", "--claim", "one"), "--claim and --outcome choose lines of the table"),
        (("--as", "md", "--output", "a.html"), "--output a.html cannot hold md"),
        (("--json", "--as", "md"), "--json and --as md are two formats: give one of them"),
        (("--json", "--output", "a.html"), "--output a.html cannot hold table"),
        (("--output", "a.pdf"), "--output a.pdf has no format of a report: end its name in"),
        (("--output", "a.json"), "--output a.json cannot hold table: give --json as well"),
    ],
)
def test_a_mistake_is_one_sentence(refused, arguments, sentence):
    assert refused(*arguments).startswith(f"lazarus-bench: {sentence}")


def test_the_report_that_is_shown_is_not_overwritten(told, refused, tmp_path):
    own = tmp_path / "lazarus-report" / "report.json"
    link = tmp_path / "link.json"
    link.symlink_to(own)
    kept = own.read_bytes()
    for output in ("lazarus-report/report.json", str(own), "link.json"):
        sentence = refused("--json", "--output", output)
        assert sentence.startswith(f"lazarus-bench: --output {output} is the report that is read")
    assert own.read_bytes() == kept
    assert told("--json", "--output", "other.json")[0] == 0


def test_a_narrow_terminal_is_not_overrun(told, narrow):
    narrow(40)
    assert all(len(line) <= 40 for line in told()[1].splitlines())


def test_an_empty_report_says_so(told, report, tmp_path):
    save(replace(report, rows=()), tmp_path / "lazarus-report" / "report.json")
    assert told()[1].endswith("\n\nno verdict in it was asked for\n")
