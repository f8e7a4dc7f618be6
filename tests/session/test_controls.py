from pathlib import Path

import numpy as np
import pytest

from lazarus_bench.analysis.answers import Answers
from lazarus_bench.session.controls import overlap, room_to_gain, room_to_lose
from lazarus_bench.session.run import Run
from lazarus_bench.session.samples import Asked
from lazarus_bench.tasks.arithmetic import Operation, Problem, held_out, training_problems
from lazarus_bench.training.record import write_problems

ASKED = tuple(held_out(8, 0))


def trained_on(folder: Path, problems) -> Run:
    write_problems(folder, problems)
    return Run(name="a run", seed=0, directory=folder, artifact=folder)


def asked(*runs: Run) -> Asked:
    return Asked(runs=runs, problems=frozenset(problem.key for problem in ASKED))


def answering(right: int) -> Run:
    """A run whose first `right` answers to each operation's problems are right."""
    texts = []
    for operation in Operation:
        asked = [p for p in ASKED if p.operation is operation]
        texts += [(p, str(p.answer) if i < right else "none") for i, p in enumerate(asked)]
    by_problem = dict(texts)
    run = Run(name="a base", seed=0, directory=Path())
    answers = Answers(problems=ASKED, texts=tuple(by_problem[p] for p in ASKED))
    object.__setattr__(run, "answers", {ASKED: answers}.__getitem__)
    return run


def test_one_shared_pair_fails_the_overlap_control(tmp_path):
    clean = training_problems(np.random.default_rng(0), 50)
    (tmp_path / "clean").mkdir()
    (tmp_path / "dirty").mkdir()
    good = trained_on(tmp_path / "clean", clean)
    bad = trained_on(tmp_path / "dirty", [*clean, ASKED[0]])
    assert overlap(asked(good)).passed
    found = overlap(asked(good, bad))
    assert not found.passed
    assert found.value == 1


def test_a_commuted_pair_is_shared_too(tmp_path):
    problem = next(p for p in ASKED if p.operation is Operation.ADD)
    swapped = Problem(a=problem.b, operation=problem.operation, b=problem.a)
    assert not overlap(asked(trained_on(tmp_path, [swapped]))).passed


@pytest.mark.parametrize(
    ("right", "gain", "lose"), [(0, True, False), (1, True, True), (2, False, True)]
)
def test_a_base_at_floor_or_ceiling_leaves_no_room(right, gain, lose):
    assert room_to_gain([answering(right)], ASKED, by=0.1).passed is gain
    assert room_to_lose([answering(right)], ASKED, by=0.1).passed is lose


def test_the_worst_base_counts():
    assert not room_to_gain([answering(1), answering(2)], ASKED, by=0.1).passed
    assert not room_to_lose([answering(1), answering(0)], ASKED, by=0.1).passed


def test_room_is_what_the_given_reading_leaves():
    run = answering(2)
    other = room_to_gain([run], ASKED, by=0.25, read=lambda run, problems: np.array([1, 0, 0, 0]))
    assert (other.value, other.passed) == (0.25, True)
    assert not room_to_gain([run], ASKED, by=0.25).passed
