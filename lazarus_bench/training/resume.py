"""The state of an unfinished training on file, so that a killed one goes on where it was.

One file holds all of it, with the checksums of the files beside it that a resume goes on with
(`kept.py`), and its name holds its SHA-256. It is written beside and renamed, so a kill at any
instant leaves the old state or the new one; what does not match its checksum is refused.
"""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench.backend import mx, nn, optim
from lazarus_bench.training import kept
from lazarus_bench.training.record import METRICS, RESUME

SAVE_EVERY = 20.0
"""Seconds between two states on file, and never more than a tenth of the time goes into saving."""

PART = "part.safetensors"


class DamagedStateWarning(UserWarning):
    """A training's state on file cannot be used, so the training starts over."""


@dataclass(kw_only=True)
class State:
    """All that decides the steps to come: weights, optimizer, random numbers, how far it got.

    `first` is the loss of step 1, in nats, from which divergence is measured; `checksums` are those
    of the files that a resume goes on with, by their path.
    """

    model: nn.Module
    optimizer: optim.Optimizer
    step: int = 0
    first: float = 0.0
    checksums: dict[str, str] = field(default_factory=dict)

    def tree(self) -> dict[str, Any]:
        """The state as a tree of arrays."""
        return {
            "model": self.model.trainable_parameters(),
            "optimizer": self.optimizer.state,
            "random": random_state(),
            "step": mx.array(self.step, dtype=mx.int32),
            "first": mx.array(self.first, dtype=mx.float32),
        }

    def restore(self, tree: dict[str, Any]) -> None:
        """Take over `tree`; random numbers are the caller's to restore, once it needs them."""
        self.model.update(tree["model"])
        self.optimizer.state = tree["optimizer"]
        self.step = int(np.array(tree["step"]))
        self.first = float(np.array(tree["first"]))


def random_state() -> mx.array:
    """The state of `mx.random`, uint32 `[2]`."""
    state: Any = mx.random.state
    key: mx.array = state[0]
    return key


def set_random_state(state: mx.array) -> None:
    """Make `mx.random` go on from `state`, which is the two halves of a seed."""
    high, low = (int(half) for half in np.array(state))
    mx.random.seed(high << 32 | low)


class Saver:
    """Keeps the newest state of a training in `directory`/resume."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._due = time.monotonic() + SAVE_EVERY

    def due(self) -> bool:
        """Whether it is time for another save."""
        return time.monotonic() >= self._due

    def note(self, state: State, files: Iterable[Path]) -> None:
        """Bring `files` of the present step to the disk, and their checksums into `state`."""
        for file in files:
            name = file.relative_to(self._directory)
            for path in (name, *name.parents):
                kept.flush(self._directory / path)
            state.checksums[str(name)] = kept.checksum(file, state.step)

    def save(self, state: State) -> None:
        """Put `state` on file in place of the one before."""
        from mlx.utils import tree_flatten

        start, folder = time.monotonic(), self._directory / RESUME
        folder.mkdir(exist_ok=True)
        self.note(state, [self._directory / METRICS])
        part = folder / PART
        checksums = {kept.CHECKSUMS: json.dumps(state.checksums)}
        mx.save_safetensors(str(part), dict(tree_flatten(state.tree())), checksums)
        kept.flush(part)
        digest = kept.checksum(part, state.step)
        file = part.rename(folder / f"{state.step:09d}-{digest}.safetensors")
        for path in (folder, self._directory):
            kept.flush(path)
        for other in kept.states(self._directory):
            if other != file:
                other.unlink()
        now = time.monotonic()
        self._due = now + max(SAVE_EVERY, 9 * (now - start))


def read_state(directory: Path, like: State) -> dict[str, Any] | None:
    """The tree on file in `directory`/resume, and its files' checksums in `like`; None without one.

    Where it or a file that it goes on with is damaged, it is removed and told in a
    `DamagedStateWarning`; None then as well.
    """
    found = kept.damage(directory) or _read(directory, like)
    if isinstance(found, str):
        _remove(directory / RESUME)
        warnings.warn(f"{found}: the training starts over", DamagedStateWarning, stacklevel=2)
        return None
    return found


def _remove(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink()


def _read(directory: Path, like: State) -> dict[str, Any] | str | None:
    """The tree in the newest state, which is whole, or what is wrong with it."""
    from mlx.utils import tree_flatten, tree_map_with_path

    files = kept.states(directory)
    if not files:
        return None
    saved: Any = mx.load(str(files[-1]))
    like.optimizer.init(like.model.trainable_parameters())
    tree = like.tree()
    if _shapes(saved) != _shapes(dict(tree_flatten(tree))):
        return f"{files[-1]} belongs to another model or optimizer"
    restored: dict[str, Any] = tree_map_with_path(lambda path, _: saved[path], tree)
    like.checksums = kept.read_checksums(directory)
    return restored


def _shapes(arrays: dict[str, mx.array]) -> dict[str, tuple[Any, ...]]:
    return {name: (array.shape, array.dtype) for name, array in arrays.items()}
