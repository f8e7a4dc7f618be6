"""What a run's routers show: gates against the vocabulary and routes; each taken once a session."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from lazarus_bench.analysis.router import TOP, RouterProjection, project_gates, project_random
from lazarus_bench.analysis.routing import Routing, read_routing
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.tasks.arithmetic import Problem

Reading = TypeVar("Reading")


class RouterReadings(ABC):
    """Readings of a mixture of experts; `Run` adds the model and the memory of what was read.

    Each raises NotApplicable where the model is dense.
    """

    @property
    @abstractmethod
    def loaded(self) -> LoadedModel:
        """The model in memory."""

    @abstractmethod
    def _once(self, key: Any, read: Callable[[], Reading]) -> Reading:
        """The reading under `key`, taken the first time it is asked for."""

    def router_projection(self, k: int = TOP) -> RouterProjection:
        """The `k` tokens nearest to every gate row."""
        return self._once(("router", k), lambda: project_gates(self.loaded, k))

    def random_projection(self, k: int = TOP, seed: int = 0) -> RouterProjection:
        """The same of as many random rows."""
        return self._once(("random router", k, seed), lambda: project_random(self.loaded, k, seed))

    def routing(self, problems: Sequence[Problem]) -> Routing:
        """Where the tokens of the prompts in symbols go."""
        return self.routes(tuple(problem.symbols for problem in problems))

    def routes(self, texts: Sequence[str]) -> Routing:
        """Where the tokens of prompts given as text go, special tokens included."""

        def read() -> Routing:
            return read_routing(self.loaded, [self.loaded.encode(text) for text in texts])

        return self._once(("routes", tuple(texts)), read)
