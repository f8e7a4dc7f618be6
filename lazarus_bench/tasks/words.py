"""Worded arithmetic: the same problems asked without an operator symbol.

The templates use an operation's synonyms and never its own name, so the gold words of the lens
never occur next to an answer.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from lazarus_bench.tasks.arithmetic import Operation, Problem

TEMPLATES: dict[Operation, tuple[str, ...]] = {
    Operation.MULTIPLY: (
        "What is {a} times {b}? ",
        "What is the product of {a} and {b}? ",
        "How much is {a} multiplied by {b}? ",
        "There are {a} boxes of {b} eggs. How many eggs? ",
    ),
    Operation.ADD: (
        "What is {a} plus {b}? ",
        "What is the sum of {a} and {b}? ",
        "How much is {a} together with {b}? ",
        "There are {a} eggs and {b} more. How many eggs? ",
    ),
    Operation.SUBTRACT: (
        "What is {a} minus {b}? ",
        "What is the difference of {a} and {b}? ",
        "How much is {a} less {b}? ",
        "There are {a} eggs and {b} break. How many eggs? ",
    ),
    Operation.DIVIDE: (
        "What is {a} divided by {b}? ",
        "What is the quotient of {a} and {b}? ",
        "How much is {a} split by {b}? ",
        "There are {a} eggs in {b} boxes. How many eggs? ",
    ),
}
"""Four templates per operation, the plainest first; all end before the answer."""


def word_problem(problem: Problem, template: int = 0) -> str:
    """The problem in the words of one template, ending with the space before the answer."""
    return TEMPLATES[problem.operation][template].format(a=problem.a, b=problem.b)


def word_prompts(problems: Iterable[Problem]) -> tuple[str, ...]:
    """The problems in words, each operation's templates in turn."""
    asked: Counter[Operation] = Counter()
    prompts = []
    for problem in problems:
        template = asked[problem.operation] % len(TEMPLATES[problem.operation])
        prompts.append(word_problem(problem, template))
        asked[problem.operation] += 1
    return tuple(prompts)


def any_words(rng: np.random.Generator, problem: Problem) -> str:
    """The problem in the words of a template drawn at random."""
    return word_problem(problem, int(rng.integers(len(TEMPLATES[problem.operation]))))
