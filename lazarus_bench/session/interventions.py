"""What a run does under interventions: each reading taken once a session."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lazarus_bench.analysis import interventions
from lazarus_bench.analysis.behaviour import Behaviour, behaviour
from lazarus_bench.analysis.interventions import Sweep, contrast, random_direction
from lazarus_bench.analysis.lens import Floats
from lazarus_bench.analysis.states import States
from lazarus_bench.errors import UserError
from lazarus_bench.models.edits import Part
from lazarus_bench.session.hidden import HiddenReadings
from lazarus_bench.tasks.arithmetic import Operation, Problem


class InterventionReadings(HiddenReadings):
    """Readings of the edited model; the unedited one's states and answers are read once for all."""

    def behaviour(self, problems: Sequence[Problem]) -> Behaviour:
        """What the unedited model does with the prompts in symbols."""
        key = ("behaviour", tuple(problems))
        return self._kept(key, lambda: behaviour(self.loaded, problems))

    def ablated(
        self,
        problems: Sequence[Problem],
        layer: int,
        part: Part = "layer",
        reference: Sequence[Problem] | None = None,
    ) -> Behaviour:
        """The same with a part of `layer` removed.

        With `reference`, its mean contribution over those prompts stands in its place.
        """
        key = ("ablated", tuple(problems), layer, part, reference and tuple(reference))

        def read() -> Behaviour:
            mean = None if reference is None else self._means(reference, part)[layer]
            return interventions.ablate(self.loaded, problems, layer, part, mean)

        return self._kept(key, read)

    def ablation(
        self,
        problems: Sequence[Problem],
        part: Part = "layer",
        reference: Sequence[Problem] | None = None,
    ) -> Sweep:
        """Every layer's part removed in turn."""
        layers = range(self.loaded.depth)
        after = tuple(self.ablated(problems, layer, part, reference) for layer in layers)
        return Sweep(part=part, before=self.behaviour(problems), after=after)

    def patched(
        self, problems: Sequence[Problem], layer: int, sources: Sequence[Problem]
    ) -> Behaviour:
        """The last position's residual after `layer` taken from the prompts of `sources`."""
        key = ("patched", tuple(problems), layer, tuple(sources))

        def read() -> Behaviour:
            states = self._states_after(layer, sources)
            return interventions.patch(self.loaded, problems, layer, states)

        return self._kept(key, read)

    def steered(
        self,
        problems: Sequence[Problem],
        layer: int,
        toward: Sequence[Operation],
        fitted_on: Sequence[Problem],
        at_random: bool = False,
    ) -> Behaviour:
        """Each prompt moved after `layer` toward an operation, by its contrast on other prompts.

        With `at_random`, by random directions as long: the control.
        """
        key = ("steered", tuple(problems), layer, tuple(toward), tuple(fitted_on), at_random)

        def read() -> Behaviour:
            states = self._states_after(layer, fitted_on)
            found = {
                operation: self._direction(contrast(states, fitted_on, operation), at, at_random)
                for at, operation in enumerate(Operation)
                if operation in toward
            }
            directions = np.stack([found[operation] for operation in toward])
            return interventions.steer(self.loaded, problems, layer, directions)

        return self._kept(key, read)

    def _states_after(self, layer: int, problems: Sequence[Problem]) -> States:
        if not 0 <= layer < self.loaded.depth:
            raise UserError(
                f"layer {layer} is not in this model: choose 0 to {self.loaded.depth - 1}"
            )
        return self.states([problem.symbols for problem in problems])[:, layer]

    @staticmethod
    def _direction(own: Floats, seed: int, at_random: bool) -> Floats:
        return random_direction(own, seed) if at_random else own

    def _means(self, reference: Sequence[Problem], part: Part) -> Floats:
        key = ("means", tuple(reference), part)
        return self._kept(
            key, lambda: interventions.mean_contributions(self.loaded, reference, part)
        )
