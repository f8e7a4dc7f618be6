"""`lazarus-bench benchmark`: what it measures, what it leaves, and what it refuses."""

import json
from dataclasses import replace

import pytest
from sample_benchmark import DOCUMENT

from lazarus_bench.benchmark.sections import SECTIONS
from lazarus_bench.cli import main
from lazarus_bench.cli.commands import benchmark


@pytest.fixture
def kept(tmp_path):
    file = tmp_path / "found.json"
    file.write_text(DOCUMENT.to_json())
    return file


def test_what_was_measured_is_shown_and_reported(kept, tmp_path, capsys):
    report, rows = tmp_path / "reports", tmp_path / "rows.json"
    files = ["--report", str(report), "--bigger-is-better", str(rows)]
    assert main(["benchmark", "--from", str(kept), *files]) == 0
    said = capsys.readouterr().out
    for shown in (
        *("SFT over mlx_lm.lora: arithmetic, batch 8", "2.1 [2, 2.2]", "How cost grows"),
        *("Where a step's time goes", "left out: router projection: its blocks are dense"),
    ):
        assert shown in said
    assert (report / "benchmarks.md").read_text().startswith("# Benchmarks\n")
    assert len(json.loads(rows.read_text())) == 6


def test_json_is_the_document(kept, capsys):
    assert main(["benchmark", "--from", str(kept), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(DOCUMENT.to_json())


def test_the_gate_tells_what_fell(kept, capsys):
    assert main(["benchmark", "--from", str(kept), "--gate"]) == 1
    said = capsys.readouterr().err
    assert "regression: SFT's peak memory over mlx_lm.lora's" in said
    assert main(["benchmark", "--from", str(kept)]) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "there is no section 'nonsense': choose recipes"),
        (["beside", "--from", "x.json"], "leave sections and --model out"),
        (["--from", "none.json"], "none.json cannot be read"),
        (["--from", "none.json", "--rounds", "5"], "leave --rounds out"),
        (["--rounds", "1"], "--rounds 1 is too few"),
        (["--output", "found.md"], "end its name in .json"),
        (["roofline", "--model", "lab:nothing"], "lab:nothing is not in the lab"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, sentence, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["benchmark", *arguments]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--output", "file/found.json"], "cannot write the document to file/found.json"),
        (["--bigger-is-better", "file/r.json"], "cannot write the document to file/r.json"),
        (["--report", "file"], "cannot write the report to file/benchmarks.md"),
        (["--output", "a.json", "--bigger-is-better", "a.json"], "both name a.json"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_measured(
    arguments, sentence, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(benchmark, "_found", lambda *_: pytest.fail("it measured"))
    assert main(["benchmark", "roofline", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_two_machines_have_no_one_json_and_nothing_is_left(kept, capsys, tmp_path):
    other = tmp_path / "metal.json"
    machine = DOCUMENT.machine | {"device": "metal (made up)"}
    other.write_text(replace(DOCUMENT, machine=machine).to_json())
    report = tmp_path / "reports"
    files = ["--from", str(kept), "--from", str(other), "--report", str(report)]
    assert main(["benchmark", *files, "--json"]) == 2
    assert (
        "--json holds one machine's numbers of one model, not cpu (made up); metal"
        in capsys.readouterr().err
    )
    assert not report.exists()


def test_a_gate_that_would_judge_nothing_is_refused(kept, capsys):
    kept.write_text(replace(DOCUMENT, ratios=(), curves=()).to_json())
    assert main(["benchmark", "--from", str(kept), "--gate"]) == 2
    assert "--gate has nothing to judge" in capsys.readouterr().err


def test_sections_of_the_help_are_those_there_are():
    assert tuple(SECTIONS) == benchmark.SECTION_NAMES
