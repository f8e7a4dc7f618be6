"""The prompts that writeup C fits and tests its probes on."""

from collections.abc import Sequence

from lazarus_bench.analysis.probe_prompts import ProbePrompts, gather, in_symbols, in_turn
from lazarus_bench.tasks.arithmetic import Operation, Problem

_PAIRS = {
    Operation.MULTIPLY: ((7, 8), (12, 5), (3, 9), (6, 7)),
    Operation.ADD: ((23, 45), (17, 38), (11, 22), (5, 9)),
    Operation.SUBTRACT: ((50, 23), (89, 34), (77, 11), (40, 15)),
    Operation.DIVIDE: ((48, 6), (81, 9), (36, 4), (24, 3)),
}
"""Writeup C, *Training Data*."""

_FRAMES = ("What is {}?", "Calculate {}", "Find {}", "Compute {}")
"""Frames of writeup C's word prompts. It prints the first alone; the others stand in the results
kept beside it (chuk-mlx, experiments/cli_classifier_emergence/results, *granite_word_classifier*),
together with one word an operation: times, plus, minus, divided by."""

_TEST = (
    (11, Operation.MULTIPLY, 12),
    (6, Operation.MULTIPLY, 9),
    (13, Operation.ADD, 14),
    (25, Operation.ADD, 17),
    (15, Operation.SUBTRACT, 6),
    (20, Operation.SUBTRACT, 8),
    (12, Operation.DIVIDE, 4),
    (15, Operation.DIVIDE, 3),
)
"""Writeup C, *Test Data (held out)*."""


def frames_in_turn(problems: Sequence[Problem]) -> ProbePrompts:
    """Every problem in one of the writeups' four frames in turn: ``Find 7 times 8``.

    An operation keeps its word in all of them, so holding a frame out still asks for a word that
    training prompts had; `words_in_turn` holds that out too.

    Raises:
        UserError: the problems are of fewer than two operations.
    """
    return gather([(_framed(p, frame), p, frame) for p, frame in in_turn(problems)])


def _framed(problem: Problem, frame: int) -> str:
    asked = f"{problem.a} {problem.operation.spoken} {problem.b}"
    return _FRAMES[frame].format(asked)


def writeup_symbols() -> ProbePrompts:
    """The sixteen training prompts of writeup C, class by class."""
    return in_symbols([problem for problem, _ in _trained()])


def writeup_test() -> ProbePrompts:
    """The eight prompts on which writeup C tests its probes (*Test Predictions*)."""
    return in_symbols([Problem(a=a, operation=o, b=b) for a, o, b in _TEST])


def writeup_words() -> ProbePrompts:
    """The same sixteen pairs in words, the k-th of each class in frame k."""
    return gather([(_framed(problem, k), problem, k) for problem, k in _trained()])


def _trained() -> list[tuple[Problem, int]]:
    return [
        (Problem(a=a, operation=operation, b=b), k)
        for operation, pairs in _PAIRS.items()
        for k, (a, b) in enumerate(pairs)
    ]
