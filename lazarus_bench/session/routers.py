"""What a run's routers show: gates against the vocabulary and routes; each taken once a session."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from lazarus_bench.analysis.nulls import ExtremeNull
from lazarus_bench.analysis.router import (
    TOP,
    Bools,
    RouterProjection,
    gates,
    project_gates,
    project_random,
    unembedding_of,
)
from lazarus_bench.analysis.routing import Routing, read_routing
from lazarus_bench.analysis.vocabulary import known_words, row_count
from lazarus_bench.errors import NotApplicable
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
    def _kept(self, key: Any, read: Callable[[], Reading]) -> Reading:
        """The reading under `key`, taken where neither session nor store has it."""

    def router_projection(self, k: int = TOP) -> RouterProjection:
        """The `k` tokens nearest to every gate row."""
        return self._kept(("router", k), lambda: project_gates(self.loaded, k))

    def random_projection(self, k: int = TOP, seed: int = 0) -> RouterProjection:
        """The same of as many random rows."""
        return self._kept(("random router", k, seed), lambda: project_random(self.loaded, k, seed))

    def experts_naming(self, words: Sequence[str], projection: RouterProjection) -> Bools:
        """Whether each expert has one of `words`, in any spelling, among its tokens `[expert]`.

        Words that are no single token here are left out.

        Raises:
            NotApplicable: none of them is.
        """
        key = ("known words", tuple(words))
        return projection.names(self._kept(key, lambda: known_words(self.loaded, words)))

    @property
    def router_null(self) -> ExtremeNull:
        """What random directions reach on a vocabulary of this size and width, by calculation."""

        def read() -> ExtremeNull:
            width = gates(self.loaded).rows.shape[1]
            return ExtremeNull(width=width, vocabulary=row_count(unembedding_of(self.loaded)))

        return self._kept("router null", read)

    def routing(self, problems: Sequence[Problem]) -> Routing:
        """Where the tokens of the prompts in symbols go."""
        return self.routes(tuple(problem.symbols for problem in problems))

    def routes(self, texts: Sequence[str]) -> Routing:
        """Where the tokens of prompts given as text go, special tokens included."""

        def read() -> Routing:
            return read_routing(self.loaded, [self.loaded.encode(text) for text in texts])

        return self._kept(("routes", tuple(texts)), read)

    def token_experts(self, text: str, word: str) -> float:
        """Different experts over all layers of the token that spells `word` in a prompt `text`.

        The mean over its pieces where the tokenizer splits it.

        Raises:
            NotApplicable: no run of tokens spells the word.
        """
        trace = self.routes((text,)).traces[0]

        def read() -> tuple[str, ...]:
            return tuple(self.loaded.tokenizer.decode([token]) for token in trace.tokens)

        pieces = self._kept(("pieces", text), read)
        return float(trace.distinct[_where(pieces, word)].mean())


def _where(pieces: Sequence[str], word: str) -> slice:
    """The shortest run of `pieces` that spells `word`, the first of equals."""
    for length in range(1, len(pieces) + 1):
        for start in range(len(pieces) - length + 1):
            if "".join(pieces[start : start + length]).strip() == word:
                return slice(start, start + length)
    raise NotApplicable(f"no tokens of the prompt spell {word!r}")
