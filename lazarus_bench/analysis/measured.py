"""What an instrument measures, when it needs more than the weights of one model in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from lazarus_bench.analysis.states import States
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.tasks.labelled_data import DataSource

Asked = ParamSpec("Asked")
Result = TypeVar("Result")


class Measured(Protocol):
    """A model under measurement: `session.runs.Run`, as far as instruments know it."""

    @property
    def seed(self) -> int:
        """The seed of the base and the training."""

    @property
    def directory(self) -> Path:
        """The model's files."""

    @property
    def made(self) -> Path:
        """The artifact of the training."""

    @property
    def data_source(self) -> DataSource:
        """The labelled data that it was trained on."""

    @property
    def loaded(self) -> LoadedModel:
        """The model in memory, with its quirk."""

    @property
    def plain(self) -> LoadedModel:
        """The same model without a quirk."""

    def states(self, texts: Sequence[str]) -> States:
        """Residuals at the last position `[prompt, layer, d]`, read once a session."""

    def read(self, instrument: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """What another instrument measures of the same model, measured once."""
