"""Memory: where a run's measurements are kept beyond the session, and under which digest.

A measurement is found again by its instrument's name, source and arguments, the versions of the
libraries below it, the content of the model's files, and by the device and BLAS. Where one of them
differs it is another measurement.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

from lazarus_bench import backend
from lazarus_bench.jobs.measurements import Room, instrument_folder
from lazarus_bench.jobs.sources import code_of
from lazarus_bench.session.codec import (
    UnreadableError,
    UnwritableError,
    decode,
    encode,
    returned_type,
)

Result = TypeVar("Result")

_LOADING = "lazarus_bench.session.loaded"
"""The module whose source every measurement depends on besides its instrument's."""


@cache
def machine() -> tuple[str, ...]:
    """What numbers depend on besides code and versions: device, BLAS, exp(), threads."""
    made_by = backend.manifest()
    threads = os.environ.get(backend.THREADS_VARIABLE, "1")
    return made_by.device, backend.BLAS, backend.EXP, threads


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Measurements of one model in a store.

    `model` holds digests of its files, the base's first, and what else tells it from others; with
    `fresh` what is kept is not used, but replaced.
    """

    room: Room
    model: tuple[str, ...]
    fresh: bool = False

    def of(self, *more: str) -> Memory:
        """The memory of another model that is made of the same files."""
        return replace(self, model=(*self.model, *more))

    def recall(
        self, name: str, instrument: Callable[..., Result], key: str, measure: Callable[[], Result]
    ) -> Result:
        """What is kept of the instrument called `name` under `key`, else what `measure` gives.

        That is kept from then on, unless it cannot be written. Both come out of the same bytes, so
        that sums over them round alike.
        """
        own, loading = code_of(name), code_of(_LOADING)
        try:
            kind = returned_type(instrument)
        except UnwritableError:
            kind = None
        if own is None or loading is None or kind is None:
            return measure()
        folder = instrument_folder(name, own)
        parts = [name, own, loading, *machine(), *self.model, key]
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        kept = None if self.fresh else self.room.read(folder, digest)
        if kept is not None:
            with suppress(UnreadableError):
                found: Result = decode(kept, kind)
                return found
        value = measure()
        try:
            content = encode(value, kind)
            found = decode(content, kind)
        except (UnwritableError, UnreadableError):
            return value
        self.room.write(folder, digest, content)
        return found
