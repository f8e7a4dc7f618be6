"""The study as it comes installed: judged where no claim files are here, and never changed."""

from pathlib import Path

import pytest
from commandcases import commands

HYPOTHESES = Path(__file__).resolve().parents[2] / "hypotheses"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    cases = {
        "pins": ["run", "audit", "--published", "--update-pins"],
        "installed": ["run", "audit/kl-sign", "--json", "--report", "installed"],
    }
    return commands(tmp_path_factory.mktemp("installed"), cases)


def test_pins_that_came_installed_are_not_changed(ran):
    sentence = f"--update-pins would change the claims that were installed in {HYPOTHESES}: copy"
    assert ran["pins"].refusal().startswith(sentence)


def test_without_claim_files_here_those_that_came_installed_are_judged(ran):
    said = ran["installed"]
    assert said.json["hypotheses"] == str(HYPOTHESES)
    assert f"judging the installed claims in {HYPOTHESES}" in said.err
    # Its verdict is the one on record there.
    assert [(v["moved"], v["pinned"] is None) for v in said.json["verdicts"]] == [(False, False)]
    assert said.code == 0
