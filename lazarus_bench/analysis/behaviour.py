"""Behaviour: what a model, edited or not, answers and names, read alike for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.analysis.answers import answer, read_likelihood
from lazarus_bench.analysis.lens import Floats, Ints, batches_of_logits
from lazarus_bench.analysis.operations import Bools, read_operations
from lazarus_bench.analysis.tokens import prompt_tokens
from lazarus_bench.errors import UserError
from lazarus_bench.models.edits import Edit
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import edited
from lazarus_bench.tasks.arithmetic import Operation, Problem, first_integer

EditsOf = Callable[[list[int], int], Sequence[Edit]]
"""The edits for some of the prompts, by index, all of the same length in tokens."""


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a model, edited or not, does with each of the prompts in symbols.

    `given`: the first integers of the greedy answers `[prompt]`, None where there is none;
    `probability` and `rank` `[prompt]` of the right answer's first token (`Likelihood`); `names`:
    lens probability of each operation's bare name `[prompt, layer, operation]`.
    """

    problems: tuple[Problem, ...]
    given: tuple[int | None, ...]
    probability: Floats
    rank: Ints
    names: Floats

    @property
    def correct(self) -> Bools:
        """Exact match `[prompt]`."""
        return self.gives([problem.answer for problem in self.problems])

    def gives(self, answers: Sequence[int]) -> Bools:
        """Whether each prompt is answered by the number given for it `[prompt]`."""
        return np.array([own == other for own, other in zip(self.given, answers, strict=True)])

    def naming(self, operations: Sequence[Operation] | None = None) -> Floats:
        """Lens probability of one operation's name a prompt, of its own unless given.

        Returns:
            `[prompt, layer]`.
        """
        if operations is None:
            operations = [problem.operation for problem in self.problems]
        order = list(Operation)
        columns = np.array([order.index(operation) for operation in operations])
        named: Floats = np.take_along_axis(self.names, columns[:, None, None], axis=2)[:, :, 0]
        return named

    def of(self, rows: Sequence[int]) -> Behaviour:
        """The same of some of the prompts, in that order."""
        chosen = np.array(rows, dtype=np.int64)
        return Behaviour(
            problems=tuple(self.problems[row] for row in rows),
            given=tuple(self.given[row] for row in rows),
            probability=self.probability[chosen],
            rank=self.rank[chosen],
            names=self.names[chosen],
        )


def behaviour(loaded: LoadedModel, problems: Sequence[Problem]) -> Behaviour:
    """Answers, their likelihood and the lens of the model as it is, edits in force included.

    Raises:
        UserError: there are no problems.
        NotApplicable: an operation's name is not a single token.
    """
    _check_asked(loaded, problems)
    answers = answer(loaded, problems)
    likelihood = read_likelihood(loaded, problems)
    return Behaviour(
        problems=tuple(problems),
        given=tuple(first_integer(text) for text in answers.texts),
        probability=likelihood.probability,
        rank=likelihood.rank,
        names=read_operations(loaded, problems, top=1).bare,
    )


def behaviour_under(
    loaded: LoadedModel, problems: Sequence[Problem], edits_of: EditsOf
) -> Behaviour:
    """The behaviour under edits that differ by prompt or by its length.

    Raises:
        UserError: there are no problems, or an edit does not fit the model.
        NotApplicable: an operation's name is not a single token.
    """
    _check_asked(loaded, problems)
    prompts = prompt_tokens(loaded, [problem.symbols for problem in problems])
    order: list[int] = []
    found: list[Behaviour] = []
    # No larger than the instruments' own batches, which would otherwise split the edits' rows.
    for rows, tokens in batches_of_logits(loaded, prompts):
        with edited(loaded.model, loaded.anatomy, edits_of(rows, tokens.shape[1])):
            found.append(behaviour(loaded, [problems[row] for row in rows]))
        order += rows
    joined = Behaviour(
        problems=tuple(problem for each in found for problem in each.problems),
        given=tuple(number for each in found for number in each.given),
        probability=np.concatenate([each.probability for each in found]),
        rank=np.concatenate([each.rank for each in found]),
        names=np.concatenate([each.names for each in found]),
    )
    return joined.of(np.argsort(order).tolist())


def _check_asked(loaded: LoadedModel, problems: Sequence[Problem]) -> None:
    if not problems:
        raise UserError(f"{loaded.name}: behaviour is read on problems: give at least one")
