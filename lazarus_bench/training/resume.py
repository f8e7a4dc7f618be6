"""The state of an unfinished training on file, so that a killed one goes on where it was.

One file holds all of it, and its name holds its SHA-256. It is written beside and renamed, so a
kill at any instant leaves the old state or the new one; what does not match its name is refused.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench.backend import mx, nn, optim
from lazarus_bench.training.record import RESUME, logged_steps

SAVE_EVERY = 20.0
"""Seconds between two states on file, and never more than a tenth of the time goes into saving."""

PART = "part.safetensors"


class DamagedStateWarning(UserWarning):
    """A training's state on file cannot be used, so the training starts over."""


@dataclass(kw_only=True)
class State:
    """All that decides the steps to come: weights, optimizer, random numbers, how far it got.

    `first` is the loss of step 1, in nats, from which divergence is measured.
    """

    model: nn.Module
    optimizer: optim.Optimizer
    step: int = 0
    first: float = 0.0

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
        self._folder = directory / RESUME
        self._due = time.monotonic() + SAVE_EVERY

    def due(self) -> bool:
        """Whether it is time for another save."""
        return time.monotonic() >= self._due

    def save(self, state: State) -> None:
        """Put `state` on file in place of the one before."""
        from mlx.utils import tree_flatten

        start = time.monotonic()
        self._folder.mkdir(exist_ok=True)
        part = self._folder / PART
        mx.save_safetensors(str(part), dict(tree_flatten(state.tree())))
        digest = _synced_digest(part)
        file = part.rename(self._folder / f"{state.step:09d}-{digest}.safetensors")
        for other in _states(self._folder):
            if other != file:
                other.unlink()
        now = time.monotonic()
        self._due = now + max(SAVE_EVERY, 9 * (now - start))


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("*-*.safetensors"))


def _synced_digest(file: Path) -> str:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_state(directory: Path, like: State) -> dict[str, Any] | None:
    """The tree on file in `directory`/resume; None without one.

    A damaged one is removed and told in a `DamagedStateWarning`; None then as well.
    """
    folder = directory / RESUME
    files = _states(folder)
    if not files:
        return None
    found = _read(files[-1], directory, like)
    if isinstance(found, str):
        shutil.rmtree(folder)
        warnings.warn(
            f"{files[-1]} {found}: the training starts over", DamagedStateWarning, stacklevel=2
        )
        return None
    return found


def _read(file: Path, directory: Path, like: State) -> dict[str, Any] | str:
    """The tree in `file`, or what is wrong with it."""
    from mlx.utils import tree_flatten, tree_map_with_path

    step, digest = file.stem.split("-")
    if _synced_digest(file) != digest:
        return "is damaged (its checksum does not match its name)"
    if logged_steps(directory) < int(step):
        return f"is of step {int(step)}, and the log ends before it"
    saved: Any = mx.load(str(file))
    like.optimizer.init(like.model.trainable_parameters())
    tree = like.tree()
    if _shapes(saved) != _shapes(dict(tree_flatten(tree))):
        return "belongs to another model or optimizer"
    restored: dict[str, Any] = tree_map_with_path(lambda path, _: saved[path], tree)
    return restored


def _shapes(arrays: dict[str, mx.array]) -> dict[str, tuple[Any, ...]]:
    return {name: (array.shape, array.dtype) for name, array in arrays.items()}
