"""What a run's hidden states show: probes, geometry, words; each reading taken once a session."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from lazarus_bench.analysis import geometry
from lazarus_bench.analysis import probe as probing
from lazarus_bench.analysis.geometry import Directions
from lazarus_bench.analysis.nulls import LayerNull
from lazarus_bench.analysis.probe import Bools, Floats, Probe
from lazarus_bench.analysis.probe_prompts import ProbePrompts
from lazarus_bench.analysis.splits import HeldOut, split
from lazarus_bench.analysis.states import States, read_states
from lazarus_bench.analysis.vocabulary import WordsInDirection, known_words, words_in_direction
from lazarus_bench.models.load import LoadedModel

Reading = TypeVar("Reading")


class HiddenReadings(ABC):
    """Readings of the residual stream; `Run` adds the model and the memory of what was read."""

    @property
    @abstractmethod
    def loaded(self) -> LoadedModel:
        """The model in memory."""

    @abstractmethod
    def _once(self, key: Any, read: Callable[[], Reading]) -> Reading:
        """The reading under `key`, taken the first time it is asked for."""

    @abstractmethod
    def _kept(self, key: Any, read: Callable[[], Reading]) -> Reading:
        """The same, and kept in the store where there is one."""

    def states(self, texts: Sequence[str]) -> States:
        """Residual after every block at the last position of each prompt `[prompt, layer, d]`.

        Large, and quick to read again, so the store keeps what is made of them instead.
        """
        key = ("states", tuple(texts))
        return self._once(key, lambda: read_states(self.loaded, texts))

    def probe(self, prompts: ProbePrompts, held_out: HeldOut = "pairs") -> Probe:
        """Held-out predictions of a probe on every layer."""
        key = ("probe", prompts, held_out)
        return self._kept(key, lambda: probing.probe(self.states(prompts.texts), prompts, held_out))

    def probe_null(
        self,
        prompts: ProbePrompts,
        held_out: HeldOut = "pairs",
        permutations: int = probing.PERMUTATIONS,
    ) -> LayerNull:
        """The probe's accuracy under permuted labels."""
        key = ("probe null", prompts, held_out, permutations)
        return self._kept(
            key,
            lambda: probing.permutation_null(
                self.states(prompts.texts), prompts, held_out, permutations
            ),
        )

    def probe_control(self, prompts: ProbePrompts, held_out: HeldOut = "pairs") -> Floats:
        """Share of control tasks in which a prompt is predicted right `[prompt, layer]`."""
        key = ("probe control", prompts, held_out)
        return self._kept(
            key, lambda: probing.control_task(self.states(prompts.texts), prompts, held_out)
        )

    def probe_transfer(
        self, train: ProbePrompts, test: ProbePrompts, held_out: HeldOut = "pairs"
    ) -> Bools:
        """Hits on `test` `[prompt, layer]` of a probe fitted on all of `train`.

        With `held_out` "in-order" the states are not standardised.

        Raises:
            ValueError: the two have different classes.
        """
        if train.classes != test.classes:
            raise ValueError(f"a probe of {train.classes} cannot be tested on {test.classes}")

        def read() -> Bools:
            fitted, asked = self.states(train.texts), self.states(test.texts)
            predicted = probing.transfer(fitted, train.labels, asked, held_out)
            return np.asarray(predicted == np.array(test.labels)[:, None])

        return self._kept(("probe transfer", train, test, held_out), read)

    def directions(self, prompts: ProbePrompts, between: tuple[str, str]) -> Directions:
        """What tells the classes `between` apart at every layer, by a probe and by their means."""
        first, second = map(prompts.classes.index, between)

        def read() -> Directions:
            states, labels = self.states(prompts.texts), prompts.labels
            return Directions(
                probe=probing.probe_directions(states, labels, first, second),
                means=geometry.mean_difference(states, labels, first, second),
            )

        return self._kept(("directions", prompts, between), read)

    def words_along_probe(
        self,
        prompts: ProbePrompts,
        layer: int,
        between: tuple[str, str],
        words: Sequence[str],
        normed: bool = False,
    ) -> WordsInDirection:
        """Where `words` stand along w_a − w_b of a probe fitted on all prompts at `layer`.

        Args:
            prompts: what the probe is fitted on.
            layer: 0-based.
            between: the classes a and b.
            words: looked up in the vocabulary; those that are no single token are left out.
            normed: pass the direction through the final norm first.

        Raises:
            NotApplicable: no word is a single token.
        """
        first, second = map(prompts.classes.index, between)

        def read() -> WordsInDirection:
            states = self.states(prompts.texts)[:, layer]
            weights = probing.class_weights(states, prompts.labels)
            known = known_words(self.loaded, words)
            return words_in_direction(self.loaded, weights[first] - weights[second], known, normed)

        return self._kept(("words", prompts, layer, between, tuple(words), normed), read)

    def separation(self, prompts: ProbePrompts, centred: bool = True) -> Floats:
        """Cluster separation of the prompts' classes `[layer]`."""
        key = ("separation", prompts, centred)
        return self._kept(
            key,
            lambda: geometry.cluster_separation(
                self.states(prompts.texts), prompts.labels, centred
            ),
        )

    def separation_null(
        self, prompts: ProbePrompts, held_out: HeldOut = "pairs", centred: bool = True
    ) -> LayerNull:
        """The same under labels permuted inside the split."""
        key = ("separation null", prompts, held_out, centred)
        return self._kept(
            key,
            lambda: geometry.separation_null(
                self.states(prompts.texts), prompts.labels, split(prompts, held_out), centred
            ),
        )

    def silhouettes(self, prompts: ProbePrompts) -> Floats:
        """Silhouette of each prompt among the classes `[prompt, layer]`."""
        key = ("silhouettes", prompts)
        return self._kept(
            key, lambda: geometry.silhouettes(self.states(prompts.texts), prompts.labels)
        )
