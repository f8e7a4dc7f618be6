"""`--json` of every command: one JSON document on standard output, progress elsewhere."""

import json

import pytest
from commandcases import COMMANDS, commands
from sample_benchmark import DOCUMENT

from lazarus_bench import cli
from lazarus_bench.cli import application
from lazarus_bench.jobs import subjects
from lazarus_bench.jobs.subjects import lab_subject
from lazarus_bench.training import Pretrain

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


@pytest.fixture
def line(lab, adapter, tiny_mixture, tmp_path, monkeypatch):
    """The whole line of a command, in a folder and with a store of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(
        subjects.LAB_FAMILIES, "granite", Pretrain(steps=2, symbols=4, words=2, prose=1)
    )
    (tmp_path / "measured.json").write_text(DOCUMENT.to_json())
    stand = {
        "LLAMA": "lab:llama",
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
    document = json.loads(said.out)
    assert (type(document["schema"]), type(document["kind"])) == (int, str)


def test_standard_output_of_a_run_is_one_document(tmp_path):
    lines = {name: [*name.split(), *COMMANDS[name], "--json"] for name in IN_A_PROCESS}
    for said in commands(tmp_path, lines).values():
        assert said.code == 0, said.err
        assert (type(said.json["schema"]), type(said.json["kind"])) == (int, str)
