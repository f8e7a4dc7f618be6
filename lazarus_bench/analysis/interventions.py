"""Interventions: what a model still answers and names when part of it is removed, swapped or moved.

An edit holds while the prompt is read and while the answer is decoded. Each instrument returns what
the edited model does with the same prompts, so that effects are paired by prompt; the controls are
the other layers, prompts of the same operation, and random directions of the same length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.analysis.answers import answer
from lazarus_bench.analysis.lens import MAX_LOGITS, Floats, Ints, batches_by_length
from lazarus_bench.analysis.likelihood import read_likelihood
from lazarus_bench.analysis.operations import Bools, read_operations
from lazarus_bench.analysis.states import States
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.edits import Ablate, Edit, Part, Patch, Steer
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import contributions, edited
from lazarus_bench.tasks.arithmetic import Operation, Problem
from lazarus_bench.tasks.integers import first_integer

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
        NotApplicable: an operation's name is not a single token.
    """
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
        UserError: an edit does not fit the model.
        NotApplicable: an operation's name is not a single token.
    """
    prompts = [loaded.encode(problem.symbols) for problem in problems]
    # No larger than the instruments' own batches, which would otherwise split the edits' rows.
    longest = max(map(len, prompts))
    limit = max(1, MAX_LOGITS // (int(loaded.config.get("vocab_size", 1 << 17)) * longest))
    order: list[int] = []
    found: list[Behaviour] = []
    for rows, tokens in batches_by_length(prompts, limit):
        with edited(loaded.model, loaded.anatomy, edits_of(rows, tokens.shape[1])):
            found.append(behaviour(loaded, [problems[row] for row in rows]))
        order += rows
    return _joined(found).of(np.argsort(order).tolist())


def _joined(found: Sequence[Behaviour]) -> Behaviour:
    return Behaviour(
        problems=tuple(problem for each in found for problem in each.problems),
        given=tuple(number for each in found for number in each.given),
        probability=np.concatenate([each.probability for each in found]),
        rank=np.concatenate([each.rank for each in found]),
        names=np.concatenate([each.names for each in found]),
    )


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One part ablated in every layer in turn: `before` all of them, and `after` each, by layer.

    The arrays are `[layer, prompt]`, the layer being the ablated one.
    """

    part: Part
    before: Behaviour
    after: tuple[Behaviour, ...]

    @property
    def correct(self) -> Bools:
        """Exact match without each layer."""
        return np.stack([each.correct for each in self.after])

    @property
    def lost(self) -> Floats:
        """Exact match before minus after: 1 where an answer is lost, −1 where one is gained."""
        return self.before.correct.astype(np.float64) - self.correct

    @property
    def probability(self) -> Floats:
        """Probability of the right answer's first token without each layer."""
        return np.stack([each.probability for each in self.after])

    @property
    def rank(self) -> Ints:
        """Its rank."""
        return np.stack([each.rank for each in self.after])

    @property
    def naming(self) -> Floats:
        """Lens probability of the operation's name `[ablated layer, prompt, layer read]`."""
        return np.stack([each.naming() for each in self.after])

    def excess(self, layer: int) -> Floats:
        """What is lost without `layer` minus the mean over the other middle layers `[prompt]`.

        Middle layers are all but the first and the last, which read the prompt's tokens and write
        the answer's in any model: against them every layer would look dispensable.

        Raises:
            UserError: there is no other middle layer.
        """
        others = [at for at in range(1, len(self.after) - 1) if at != layer]
        if not others:
            raise UserError(
                f"a model of {len(self.after)} layers has no other middle layer to compare layer "
                f"{layer} with: take one of 4 or more"
            )
        excess: Floats = self.lost[layer] - self.lost[others].mean(axis=0)
        return excess


def mean_contributions(loaded: LoadedModel, problems: Sequence[Problem], part: Part) -> Floats:
    """Mean of what each layer's `part` adds to the residual, over prompts and positions.

    The end-of-prompt tokens weigh as much as any other position, since the mean stands at all of
    them; the first position, on which attention rests in many models, is left out.

    Returns:
        `[layer, d]`.

    Raises:
        UserError: no prompt has a second token, or a block lacks the part.
    """
    prompts = [loaded.encode(problem.symbols) for problem in problems]
    if max(map(len, prompts), default=0) < 2:
        raise UserError("a mean contribution needs prompts of two tokens or more to be taken over")
    total, count = 0.0, 0
    for _, tokens in batches_by_length(prompts, max(1, MAX_LOGITS >> 12)):
        found = contributions(loaded.model, loaded.anatomy, tokens, part)
        sums = mx.stack([each[:, 1:].astype(mx.float32).sum(axis=(0, 1)) for each in found])
        total = total + np.array(sums, dtype=np.float64)
        count += tokens.shape[0] * (tokens.shape[1] - 1)
    mean: Floats = np.asarray(total) / count
    return mean


def ablate(
    loaded: LoadedModel,
    problems: Sequence[Problem],
    layer: int,
    part: Part = "layer",
    contribution: Floats | None = None,
) -> Behaviour:
    """The behaviour with a part of `layer` ablated.

    Args:
        loaded: the model.
        problems: asked in symbols.
        layer: 0-based.
        part: the layer, its attention or its MLP.
        contribution: what stands for it `[d]`, as of `mean_contributions`; None is 0.

    Raises:
        UserError: the model has no such layer or part, or the contribution has another width.
        NotApplicable: an operation's name is not a single token.
    """
    instead = None if contribution is None else _vectors(contribution)
    edit = Ablate(layer=layer, part=part, contribution=instead)
    with edited(loaded.model, loaded.anatomy, (edit,)):
        return behaviour(loaded, problems)


def ablation_sweep(
    loaded: LoadedModel,
    problems: Sequence[Problem],
    part: Part = "layer",
    means: Floats | None = None,
) -> Sweep:
    """Ablate `part` of every layer in turn, one at a time.

    Args:
        loaded: the model.
        problems: asked in symbols.
        part: the layer, its attention or its MLP.
        means: what stands for each layer's `[layer, d]`, as of `mean_contributions`; None is 0.

    Raises:
        UserError: as `ablate`.
        NotApplicable: an operation's name is not a single token.
    """
    instead = [None] * loaded.depth if means is None else list(means)
    after = tuple(
        ablate(loaded, problems, layer, part, instead[layer]) for layer in range(loaded.depth)
    )
    return Sweep(part=part, before=behaviour(loaded, problems), after=after)


def contrast(states: States, problems: Sequence[Problem], toward: Operation) -> Floats:
    """The direction toward an operation: mean state of its prompts minus that of all others.

    Args:
        states: of one layer `[prompt, d]`.
        problems: what was asked, one a prompt.
        toward: the operation.

    Returns:
        `[d]`: the difference of means of Rimsky et al. 2024.

    Raises:
        UserError: the prompts are all of the operation, or none is.
    """
    own = np.array([problem.operation is toward for problem in problems])
    if own.all() or not own.any():
        raise UserError(
            f"a direction toward {toward} needs prompts of it and of other operations: give both"
        )
    values = np.asarray(states, dtype=np.float64)
    direction: Floats = values[own].mean(axis=0) - values[~own].mean(axis=0)
    return direction


def random_direction(like: Floats, seed: int) -> Floats:
    """An isotropic random direction as long as `like` `[d]`: the control of steering."""
    drawn = np.random.default_rng(seed).normal(size=like.shape)
    direction: Floats = drawn * (np.linalg.norm(like) / np.linalg.norm(drawn))
    return direction


def steer(
    loaded: LoadedModel,
    problems: Sequence[Problem],
    layer: int,
    directions: Floats,
    strength: float = 1.0,
) -> Behaviour:
    """The behaviour with `strength` · the direction added after `layer`.

    From the last prompt position on, so in all that is generated (Rimsky et al. 2024).

    Args:
        loaded: the model.
        problems: asked in symbols.
        layer: 0-based.
        directions: one for all `[d]`, or one a problem `[prompt, d]`.
        strength: in lengths of the direction.

    Raises:
        UserError: the layer is not in the model, or the directions have another shape.
        NotApplicable: an operation's name is not a single token.
    """
    _check_rows("directions", directions, problems)
    vectors = _vectors(directions)

    def edits(rows: list[int], length: int) -> Sequence[Edit]:
        own = vectors if vectors.ndim == 1 else vectors[mx.array(rows)]
        return (Steer(layer=layer, direction=own, strength=strength, start=length - 1),)

    return behaviour_under(loaded, problems, edits)


def _vectors(values: Floats) -> mx.array:
    return mx.array(np.asarray(values, dtype=np.float32))


def _check_rows(what: str, values: Floats | States, problems: Sequence[Problem]) -> None:
    if values.ndim != 1 and len(values) != len(problems):
        raise UserError(f"{len(problems)} prompts need as many {what}, not {len(values)}")


def patch(
    loaded: LoadedModel, problems: Sequence[Problem], layer: int, states: States
) -> Behaviour:
    """The behaviour with the last prompt position's residual after `layer` replaced.

    Args:
        loaded: the model.
        problems: asked in symbols.
        layer: 0-based.
        states: the state that each problem gets `[prompt, d]`, as of `last_states` of others.

    Raises:
        UserError: the layer is not in the model, or there is not one fitting state a problem.
        NotApplicable: an operation's name is not a single token.
    """
    _check_rows("states", states, problems)
    vectors = mx.array(states)

    def edits(rows: list[int], length: int) -> Sequence[Edit]:
        own = vectors if vectors.ndim == 1 else vectors[mx.array(rows)]
        return (Patch(layer=layer, position=length - 1, state=own),)

    return behaviour_under(loaded, problems, edits)
