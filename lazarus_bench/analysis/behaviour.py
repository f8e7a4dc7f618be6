"""Behaviour: what a model, edited or not, answers and names.

An edit holds while the prompt is read and while the answer is decoded. All instruments that edit
return the same, so effects are paired by prompt; the controls are other layers, prompts of the same
operation, and random directions of the same length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.answers import answer, read_likelihood
from lazarus_bench.analysis.measured import (
    Bools,
    Floats,
    Hits,
    Ints,
    Measured,
    Shares,
    SharesByLayer,
    States,
)
from lazarus_bench.analysis.operations import read_operations
from lazarus_bench.analysis.prompts import batches_of_logits, symbol_tokens
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.edits import Edit
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import edited
from lazarus_bench.tasks.arithmetic import Operation, Problem, first_integer


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a model, edited or not, does with each of the prompts in symbols.

    `given`: the first integers of the greedy answers `[prompt]`, None where there is none;
    `probability` and `rank` `[prompt]` of the right answer's first token (`Likelihood`); `names`:
    lens probability of each operation's bare name `[prompt, layer, operation]`.
    """

    problems: tuple[Problem, ...]
    given: tuple[int | None, ...]
    probability: Shares
    rank: Ints
    names: Floats

    @property
    def correct(self) -> Hits:
        """Exact match `[prompt]`."""
        return self.gives([problem.answer for problem in self.problems])

    def gives(self, answers: Sequence[int]) -> Bools:
        """Whether each prompt is answered by the number given for it `[prompt]`."""
        return np.array([own == other for own, other in zip(self.given, answers, strict=True)])

    def naming(self, operations: Sequence[Operation] | None = None) -> SharesByLayer:
        """Lens probability of one operation's name a prompt, of its own unless given.

        Returns:
            `[prompt, layer]`.
        """
        if operations is None:
            operations = [problem.operation for problem in self.problems]
        order = list(Operation)
        columns = np.array([order.index(operation) for operation in operations])
        return np.asarray(np.take_along_axis(self.names, columns[:, None, None], axis=2)[:, :, 0])


def behaviour(loaded: LoadedModel, problems: Sequence[Problem]) -> Behaviour:
    """Answers, their likelihood and the lens of the model as it is, edits in force included.

    Raises:
        UserError: there are no problems.
        NotApplicable: an operation's name is not a single token.
    """
    if not problems:
        raise UserError(f"{loaded.name}: behaviour is read on problems: give at least one")
    answers, likelihood = answer(loaded, problems), read_likelihood(loaded, problems)
    return Behaviour(
        problems=tuple(problems),
        given=tuple(first_integer(text) for text in answers.texts),
        probability=likelihood.probability,
        rank=likelihood.rank,
        names=read_operations(loaded, problems, top=1).bare,
    )


def behaviour_under(
    loaded: LoadedModel,
    problems: Sequence[Problem],
    what: str,
    vectors: npt.ArrayLike,
    edit: Callable[[mx.array, int], Edit],
) -> Behaviour:
    """The behaviour under an edit that differs by prompt or by its length.

    `edit` makes the edit of prompts of one length from that length and their `vectors`, of which
    there is one for all `[d]`, or one each `[prompt, d]`; errors call a vector `what`.

    Raises:
        UserError: there are no problems, there is not one finite vector a problem, or the edit does
            not fit the model.
        NotApplicable: an operation's name is not a single token.
    """
    given = np.asarray(vectors)
    if given.ndim != 1 and len(given) != len(problems):
        raise UserError(f"{len(problems)} prompts need as many {what}s, not {len(given)}")
    numbers = finite(what, given)
    if not problems:
        return behaviour(loaded, problems)
    order: list[int] = []
    found: list[Behaviour] = []
    # No larger than the instruments' own batches, which would otherwise split the edits' rows.
    for rows, tokens in batches_of_logits(loaded, symbol_tokens(loaded, problems)):
        own = numbers if numbers.ndim == 1 else numbers[mx.array(rows)]
        with edited(loaded.model, loaded.anatomy, (edit(own, tokens.shape[1]),)):
            found.append(behaviour(loaded, [problems[row] for row in rows]))
        order += rows
    back = np.argsort(order)
    given_answers = [number for each in found for number in each.given]
    return Behaviour(
        problems=tuple(problems),
        given=tuple(given_answers[at] for at in back),
        probability=np.concatenate([each.probability for each in found])[back],
        rank=np.concatenate([each.rank for each in found])[back],
        names=np.concatenate([each.names for each in found])[back],
    )


def finite(what: str, values: npt.ArrayLike) -> mx.array:
    """`values` in float32 for the model.

    Raises:
        UserError: one is not finite.
    """
    given = np.asarray(values, dtype=np.float32)
    if not np.isfinite(given).all():
        raise UserError(f"a {what} has numbers that are not finite: give finite ones")
    return mx.array(given)


def states_after(run: Measured, layer: int, problems: Sequence[Problem]) -> States:
    """A run's states after one layer `[prompt, d]`, of problems in symbols.

    Raises:
        UserError: there is no such layer.
    """
    depth = run.loaded.depth
    if not 0 <= layer < depth:
        raise UserError(f"layer {layer} is not in this model: choose 0 to {depth - 1}")
    return run.states([problem.symbols for problem in problems])[:, layer]
