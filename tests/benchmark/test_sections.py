"""Sections put what they measure, or why they did not, where the document takes it from."""

from pathlib import Path

import numpy as np
import pytest

from lazarus_bench.benchmark import verdict_time
from lazarus_bench.benchmark.rivals.compared import Effort
from lazarus_bench.benchmark.sections import SECTIONS, Findings, Subject, document
from lazarus_bench.errors import UserError

EFFORT = Effort(rounds=2, steps=1, prompts=40)


def measured(subject: Subject) -> tuple[Findings, list[str]]:
    found, told = Findings(), []
    SECTIONS["verdict"](subject, EFFORT, found, told.append)
    return found, told


@pytest.mark.parametrize(("judged", "names"), [(False, ["published numbers"]), (True, None)])
def test_the_first_verdict_is_timed(monkeypatch, tmp_path, judged, names):
    asked = []

    def seconds(hypotheses, options, folder):
        asked.append((hypotheses, *options))
        return 1.0 + len(asked)

    monkeypatch.setattr(verdict_time, "seconds_to_verdict", seconds)
    found, told = measured(
        Subject(name="lab:llama", directory=Path(), lab=True, hypotheses=tmp_path, judged=judged)
    )
    expected = names or ["published numbers", "lab:llama"]
    assert [reading.name for reading in found.readings] == expected
    assert {reading.unit for reading in found.readings} == {"s"}
    assert len(asked) == EFFORT.rounds * len(expected)
    assert all(place == tmp_path for place, *_ in asked)
    assert told == ["time to the first verdict"]
    medians = [reading.found.value for reading in found.readings]
    assert medians[0] == pytest.approx(np.median([2.0, 3.0]))


def test_without_claims_it_is_left_out_with_the_reason():
    found, _ = measured(Subject(name="x", directory=Path(), lab=True))
    assert found.readings == []
    assert "no folder of claims" in found.skipped["time to the first verdict"]


def test_a_pytest_that_judges_nothing_is_left_out_with_the_reason(monkeypatch, tmp_path):
    def fails(_, options, folder):
        if "--lb-model" in options:
            raise UserError("pytest judged nothing")
        return 2.0

    monkeypatch.setattr(verdict_time, "seconds_to_verdict", fails)
    subject = Subject(name="x", directory=Path(), lab=True, hypotheses=tmp_path, judged=True)
    found, _ = measured(subject)
    said = document(found, subject, "made up")
    assert said.skipped == {"time to the first verdict, x": "pytest judged nothing"}
    assert [reading.name for reading in said.readings] == ["published numbers"]
