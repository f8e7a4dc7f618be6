"""Memory: what a run's readings come from, and what is kept of them in the store.

A reading is found again by the content of the model's files, by what was asked of it, by this
package's source and the versions below it, and by the device and BLAS. Where one of them differs it
is another reading.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeVar

from lazarus_bench import backend
from lazarus_bench.jobs.readings import Room
from lazarus_bench.session.codec import (
    UnreadableError,
    UnwritableError,
    canonical,
    decode,
    encode,
)

Reading = TypeVar("Reading")


@cache
def machine() -> tuple[str, ...]:
    """What numbers depend on besides code and versions: device, BLAS, exp(), threads."""
    made_by = backend.manifest()
    threads = os.environ.get(backend.THREADS_VARIABLE, "1")
    return made_by.device, backend.BLAS, backend.EXP, threads


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Readings of one model in a store.

    `model` holds digests of its files, the base's first, and what else tells it from others; with
    `fresh` what is kept is not used, but replaced.
    """

    room: Room
    model: tuple[str, ...]
    fresh: bool = False

    def of(self, *more: str) -> Memory:
        """The memory of another model that is made of the same files."""
        return replace(self, model=(*self.model, *more))

    def recall(self, key: Any, read: Callable[[], Reading]) -> Reading:
        """What is kept under `key`, else what `read` gives, which is kept from then on.

        Both come out of the same bytes, so that sums over them round alike. A reading that cannot
        be written is taken each time.
        """
        try:
            digest = self._digest(key)
        except UnwritableError:
            return read()
        kept = None if self.fresh else self.room.read(digest)
        if kept is not None:
            with suppress(UnreadableError):
                found: Reading = decode(kept)
                return found
        return self._keep(digest, read())

    def _keep(self, digest: str, value: Reading) -> Reading:
        try:
            content = encode(value)
        except UnwritableError:
            return value
        self.room.write(digest, content)
        found: Reading = decode(content)
        return found

    def _digest(self, key: Any) -> str:
        parts = [self.room.code, *machine(), *self.model, canonical(key)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
