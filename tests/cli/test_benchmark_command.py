"""`lazarus-bench benchmark`: what it measures, what it leaves, and what it refuses."""

import json

import pytest
from sample_benchmark import DOCUMENT

from lazarus_bench.cli import main


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
    assert "SFT over mlx_lm.lora: arithmetic, batch 8" in said
    assert "2.1 [2, 2.2]" in said
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


def test_sections_of_the_help_are_those_there_are():
    from lazarus_bench.benchmark.sections import SECTIONS
    from lazarus_bench.cli.benchmark_command import SECTION_NAMES

    assert tuple(SECTIONS) == SECTION_NAMES
