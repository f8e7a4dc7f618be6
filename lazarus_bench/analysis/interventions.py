"""Interventions: what a model still answers and names when part of it is removed, swapped or moved.

An edit holds while the prompt is read and while the answer is decoded. Each instrument returns what
the edited model does with the same prompts, so that effects are paired by prompt; the controls are
the other layers, prompts of the same operation, and random directions of the same length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from lazarus_bench.analysis.axes import Axes
from lazarus_bench.analysis.behaviour import Behaviour, behaviour, behaviour_under
from lazarus_bench.analysis.lens import MAX_LOGITS, Floats, Ints, batches_by_length
from lazarus_bench.analysis.measured import Measured
from lazarus_bench.analysis.nulls import isotropic
from lazarus_bench.analysis.operations import Bools
from lazarus_bench.analysis.states import States
from lazarus_bench.analysis.tokens import prompt_tokens
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.edits import Ablate, Edit, Part, Patch, Steer
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import contributions, edited
from lazarus_bench.tasks.arithmetic import Operation, Problem


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

    def excess(self, layer: int) -> Annotated[Floats, Axes(("prompts",), (-1.0, 1.0))]:
        """What is lost without `layer` minus the mean over the other middle layers `[prompt]`.

        Middle layers are all but the first and the last, which read the prompt's tokens and write
        the answer's in any model: against them every layer would look dispensable.

        Raises:
            UserError: there is no such layer, or no other middle layer.
        """
        if not 0 <= layer < len(self.after):
            raise UserError(f"layer {layer} was not ablated: choose 0 to {len(self.after) - 1}")
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
    prompts = prompt_tokens(loaded, [problem.symbols for problem in problems])
    return mean_contributions_of(loaded, prompts, part)


def mean_contributions_of(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], part: Part
) -> Floats:
    """The same of prompts given as token ids."""
    if max(map(len, prompts), default=0) < 2:
        raise UserError("a mean contribution needs prompts of two tokens or more to be taken over")
    total: Floats = np.zeros(())
    count = 0
    for _, tokens in batches_by_length(prompts, max(1, MAX_LOGITS >> 12)):
        found = contributions(loaded.model, loaded.anatomy, tokens, part)
        sums = mx.stack([each[:, 1:].astype(mx.float32).sum(axis=(0, 1)) for each in found])
        total = total + np.array(sums, dtype=np.float64)
        count += tokens.shape[0] * (tokens.shape[1] - 1)
    mean: Floats = total / count
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
        UserError: there are no problems, the model has no such layer or part, or the contribution
            has another width or is not finite.
        NotApplicable: an operation's name is not a single token.
    """
    instead = None if contribution is None else _vectors("a contribution", contribution)
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
    values = np.asarray(states)
    return difference_of_means(values[own], values[~own])


def difference_of_means(toward: States, away: States) -> Floats:
    """Mean of states `[prompt, ...]` minus the mean of others, in float64 `[...]`."""
    means = [np.asarray(side, dtype=np.float64).mean(axis=0) for side in (toward, away)]
    direction: Floats = means[0] - means[1]
    return direction


def random_direction(like: Floats, seed: int) -> Floats:
    """An isotropic random direction as long as `like` `[d]`: the control of steering."""
    drawn = isotropic(seed).normal(size=like.shape)
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
        UserError: there are no problems, the layer is not in the model, or the directions have
            another shape or are not finite.
        NotApplicable: an operation's name is not a single token.
    """
    _check_rows("directions", directions, problems)
    if not np.isfinite(strength):
        raise UserError(f"strength {strength} is not finite: give a finite number of lengths")
    vectors = _vectors("a direction", directions)

    def edits(rows: list[int], length: int) -> Sequence[Edit]:
        own = vectors if vectors.ndim == 1 else vectors[mx.array(rows)]
        return (Steer(layer=layer, direction=own, strength=strength, start=length - 1),)

    return behaviour_under(loaded, problems, edits)


def _vectors(what: str, values: Floats | States) -> mx.array:
    given = np.asarray(values, dtype=np.float32)
    if not np.isfinite(given).all():
        raise UserError(f"{what} has numbers that are not finite: give finite ones")
    return mx.array(given)


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
        UserError: there are no problems, the layer is not in the model, or there is not one fitting
            and finite state a problem.
        NotApplicable: an operation's name is not a single token.
    """
    _check_rows("states", states, problems)
    vectors = _vectors("a state", states)

    def edits(rows: list[int], length: int) -> Sequence[Edit]:
        own = vectors if vectors.ndim == 1 else vectors[mx.array(rows)]
        return (Patch(layer=layer, position=length - 1, state=own),)

    return behaviour_under(loaded, problems, edits)


def ablated(
    run: Measured,
    problems: Sequence[Problem],
    layer: int,
    part: Part = "layer",
    reference: Sequence[Problem] | None = None,
) -> Behaviour:
    """Behaviour with a part of `layer` removed.

    With `reference`, its mean contribution over those prompts stands in its place.
    """
    means = None if reference is None else run.read(mean_contributions, reference, part)[layer]
    return ablate(run.loaded, problems, layer, part, means)


def ablation(
    run: Measured,
    problems: Sequence[Problem],
    part: Part = "layer",
    reference: Sequence[Problem] | None = None,
) -> Sweep:
    """Every layer's part removed in turn."""
    layers = range(run.loaded.depth)
    after = tuple(run.read(ablated, problems, layer, part, reference) for layer in layers)
    return Sweep(part=part, before=run.read(behaviour, problems), after=after)


def patched(
    run: Measured, problems: Sequence[Problem], layer: int, sources: Sequence[Problem]
) -> Behaviour:
    """The last position's residual after `layer` taken from the prompts of `sources`."""
    return patch(run.loaded, problems, layer, _states_after(run, layer, sources))


def steered(
    run: Measured,
    problems: Sequence[Problem],
    layer: int,
    toward: Sequence[Operation],
    fitted_on: Sequence[Problem],
    at_random: bool = False,
) -> Behaviour:
    """Each prompt moved after `layer` toward an operation, by its contrast on other prompts.

    With `at_random`, by random directions of the same length: the control.
    """
    states = _states_after(run, layer, fitted_on)
    found = {}
    for seed, operation in enumerate(Operation):
        if operation in toward:
            own = contrast(states, fitted_on, operation)
            found[operation] = random_direction(own, seed) if at_random else own
    return steer(run.loaded, problems, layer, np.stack([found[each] for each in toward]))


def _states_after(run: Measured, layer: int, problems: Sequence[Problem]) -> States:
    depth = run.loaded.depth
    if not 0 <= layer < depth:
        raise UserError(f"layer {layer} is not in this model: choose 0 to {depth - 1}")
    return run.states([problem.symbols for problem in problems])[:, layer]
