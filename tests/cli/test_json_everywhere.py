"""`--json` of every command: one JSON document on standard output, progress elsewhere."""

import json
from pathlib import Path

import pytest
from commandcases import commands
from sample_benchmark import DOCUMENT

from lazarus_bench import cli
from lazarus_bench.cli import application
from lazarus_bench.jobs import subjects
from lazarus_bench.jobs.subjects import lab_subject
from lazarus_bench.training import Pretrain

CLASSES = [
    *("--classes", "multiply:7 * 8 = |12 * 5 = |3 * 9 = |6 * 4 = |8 * 8 = "),
    *("--classes", "add:23 + 45 = |3 + 9 = |14 + 3 = |8 + 8 = |2 + 31 = "),
]
SMALL = ["--steps", "2", "--examples", "24", "--batch", "4", "--rank", "2"]
SFT = [*SMALL, "--validation", "8"]
FULL = ["--steps", "2", "--examples", "24", "--validation", "8"]
TWO = [
    *("--stage1-steps", "2", "--stage1-examples", "24", "--stage1-validation", "8"),
    *("--stage2-steps", "2", "--stage2-examples", "24"),
]
ENGRAM = ["--examples", "40", "--validation", "60", "--epochs", "1", "--batch", "4", "--rank", "2"]
ANSWERS = ["--clean-answers", "56", "--corrupted-answers", "15"]
GRPO = ["--iterations", "2", "--prompts", "2", "--answers", "2", "--examples", "24"]
REPORT = str(Path(__file__).resolve().parents[2] / "reports" / "published")

COMMANDS = {
    "doctor": [],
    "run": ["audit/kl-sign", "--published", "--report", "here"],
    "experiment run": ["two_stage_classifier", "--published", "--fail-on", "none", "-o", "there"],
    "experiment list": [],
    "experiment status": ["two_stage_classifier"],
    "report": [REPORT],
    "lab list": [],
    "lab build": ["granite", "--workers", "1"],
    "completion": ["zsh"],
    "lens": ["lab:llama", "7 * 8 = "],
    "classifier": ["lab:llama", *CLASSES, "--permutations", "9"],
    "analyze": ["lab:llama", "7 * 8 = "],
    "moe-expert analyze": ["MIXTURE", *CLASSES, "--permutations", "9"],
    "moe-expert trace": ["MIXTURE", "7 * 8 = "],
    "moe-expert weights": ["MIXTURE"],
    "moe-expert project": ["MIXTURE", "--draws", "2"],
    "ablate": ["lab:llama", "7 * 8 = "],
    "patch": ["lab:llama", "7 * 8 = ", "7 + 8 = ", *ANSWERS],
    "steer": ["lab:llama", "7 * 8 = ", "--toward", "3 + 4 = ", "--away", "3 * 4 = "],
    "benchmark": ["--from", "measured.json"],
    "train sft": ["lab:llama", *SFT],
    "train full": ["lab:llama", *FULL],
    "train dual-reward": ["lab:llama", *SMALL],
    "train grpo": ["lab:llama", *GRPO],
    "train grpo-dual": ["lab:llama", *GRPO],
    "train two-stage": ["lab:llama", *TWO],
    "train engram": ["lab:llama", *ENGRAM],
    "fuse": ["lab:llama", "--adapter", "ADAPTER", "--output", "fused"],
    "generate": ["lab:llama", "7 * 8 = ", "--max-tokens", "2"],
    "data": ["arithmetic", "--count", "20", "--output", "rows/"],
    "render": [REPORT],
    "diff": [REPORT, REPORT],
    "claims list": [],
    "claims show": ["dual/vo-36"],
    "claims export": [],
    "store ls": [],
    "store show": ["BASE"],
    "store verify": [],
    "store gc": [],
}
"""A small use of each command; what it prints is the same whatever else it is given."""

FINDINGS = {"doctor": (0, 1), "experiment status": (1,)}
"""Exit codes that tell a finding: a slow machine, trainings that are missing."""

IN_A_PROCESS = ("run", "experiment run")
"""Commands that start pytest, which has no room for another beside it."""


def converted(app, path=()):
    """Every command of an application that runs, by its words."""
    if app.default_command is not None:
        yield " ".join(path), app
    for name in app:
        if not name.startswith("-"):
            yield from converted(app[name], (*path, name))


APPS = dict(converted(application.application(application.Everything())))


def test_every_command_is_here():
    assert set(COMMANDS) == set(APPS)


@pytest.mark.parametrize("command", APPS)
def test_every_command_has_the_flag(command):
    arguments = APPS[command].assemble_argument_collection()
    assert "--json" in [name for argument in arguments for name in argument.names]


@pytest.fixture
def line(lab, adapter, tiny_mixture, tmp_path, monkeypatch):
    """The whole line of a command, in a folder and with a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(
        subjects.LAB_FAMILIES, "granite", Pretrain(steps=2, symbols=4, words=2, prose=1)
    )
    (tmp_path / "measured.json").write_text(DOCUMENT.to_json())
    stand = {
        "MIXTURE": str(tiny_mixture),
        "ADAPTER": str(adapter),
        "BASE": lab_subject("lab:llama").base(0).digest,
    }

    def of(command):
        given = (stand.get(word, word) for word in COMMANDS[command])
        return [*command.split(), *given, "--json"]

    return of


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in IN_A_PROCESS])
def test_standard_output_is_one_document(line, command, capfd):
    code = cli.main(line(command))
    said = capfd.readouterr()
    assert code in FINDINGS.get(command, (0,)), said.err
    assert json.loads(said.out)


def test_standard_output_of_a_run_is_one_document(tmp_path):
    lines = {name: [*name.split(), *COMMANDS[name], "--json"] for name in IN_A_PROCESS}
    for said in commands(tmp_path, lines).values():
        assert said.code == 0, said.err
        assert isinstance(said.json, dict)
