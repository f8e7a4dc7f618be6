"""Optimizers: Adam, or plain SGD under the quirk "sgd", and how they step.

Steps are taken on few long arrays instead of many short ones, with the same numbers. Adam takes
some fifteen operations a parameter, and on a CPU the parameters of a small model are so short that
dispatching the operations costs more than computing them. What an elementwise optimizer does to a
number does not depend on its neighbours, so parameters that it treats alike are laid end to end.
Arrays of 256 KiB still fit a core's cache; one array of all parameters would not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any, TypeAlias

from lazarus_bench.backend import mx, nn, optim
from lazarus_bench.training.recipe import Quirk

Rate: TypeAlias = "float | Callable[[mx.array], mx.array]"

GRADIENT_NORM = 1.0
"""Global norm that gradients are clipped to: early steps diverge less."""


def applied(built: optim.Adam, rate: Rate, quirks: Collection[Quirk]) -> optim.Optimizer:
    """The optimizer `built` at `rate`; with "sgd" plain SGD at that rate, and `built` is left."""
    return optim.SGD(rate) if "sgd" in quirks else built


def adam(rate: float, quirks: Collection[Quirk]) -> optim.Optimizer:
    """Adam with bias correction, as `applied`."""
    return applied(optim.Adam(rate, bias_correction=True), rate, quirks)


@cache
def _matrix_adamw() -> type[optim.AdamW]:
    """A subclass of mlx's, which is imported when the first one is built."""

    class MatrixAdamW(optim.AdamW):
        def apply_single(
            self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
        ) -> Any:
            if parameter.ndim > 1:
                return super().apply_single(gradient, parameter, state)
            return optim.Adam.apply_single(self, gradient, parameter, state)

    return MatrixAdamW


def matrix_adamw(rate: Rate, weight_decay: float, **rest: Any) -> optim.Adam:
    """AdamW with bias correction and no decay of vectors.

    Norm gains are not decayed, as is usual: a shrunken final gain caps every logit, and with it
    every lens probability.
    """
    return _matrix_adamw()(rate, weight_decay=weight_decay, bias_correction=True, **rest)


def warm_cosine(peak: float, steps: int, warm: int = 50) -> Callable[[mx.array], mx.array]:
    """Linear warm-up to `peak`, then a cosine to a twentieth of it."""
    warm = min(warm, steps // 2)
    rise = optim.linear_schedule(0.0, peak, max(warm, 1))
    fall = optim.cosine_decay(peak, max(steps - warm, 1), peak / 20)
    schedule: Callable[[mx.array], mx.array] = optim.join_schedules([rise, fall], [max(warm, 1)])
    return schedule


LONGEST = 1 << 16
"""Numbers in a bucket of several parameters; a longer parameter has one of its own."""

Tree = Any


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """Parameters of one dtype laid end to end, all matrices (or more dimensions) or all vectors."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    def pack(self, arrays: dict[str, mx.array]) -> mx.array:
        """One array of `arrays`: `[n]`, of matrices `[1, n]`, since decay may ask which it is."""
        flat = mx.concatenate([arrays[name].reshape(-1) for name in self.names])
        return flat[None] if len(self.shapes[0]) > 1 else flat

    def unpack(self, flat: mx.array) -> dict[str, mx.array]:
        """The arrays that `flat` is made of."""
        ends = list(accumulate(map(math.prod, self.shapes)))
        parts = mx.split(flat.reshape(-1), ends[:-1])
        named = zip(self.names, parts, self.shapes, strict=True)
        return {name: part.reshape(shape) for name, part, shape in named}


def buckets_of(arrays: dict[str, mx.array], longest: int = LONGEST) -> tuple[Bucket, ...]:
    """Buckets of at most `longest` numbers for `arrays`, in their order."""
    kinds: dict[Any, list[list[str]]] = {}
    for name, array in arrays.items():
        groups = kinds.setdefault((array.dtype, array.ndim > 1), [[]])
        if groups[-1] and sum(arrays[n].size for n in groups[-1]) + array.size > longest:
            groups.append([])
        groups[-1].append(name)
    return tuple(
        Bucket(names=tuple(group), shapes=tuple(arrays[name].shape for name in group))
        for groups in kinds.values()
        for group in groups
    )


class Bucketed:
    """An elementwise optimizer that updates buckets: the same interface, the same numbers.

    Its state is the optimizer's, of buckets named `0`, `1`, ...
    """

    def __init__(self, optimizer: optim.Optimizer) -> None:
        """Wrap `optimizer`.

        Raises:
            TypeError: it is not known to treat every number by itself.
        """
        # To these and their subclasses a number's neighbours do not matter.
        if not isinstance(optimizer, optim.SGD | optim.Adam):
            raise TypeError(f"{type(optimizer).__name__} is not an elementwise optimizer")
        self._optimizer = optimizer
        self._buckets: tuple[Bucket, ...] = ()
        self._packed: dict[str, mx.array] = {}
        self._unpacked: dict[str, mx.array] = {}

    @property
    def state(self) -> Tree:
        """The optimizer's state."""
        return self._optimizer.state

    @state.setter
    def state(self, state: Tree) -> None:
        self._optimizer.state = state

    def init(self, parameters: Tree) -> None:
        """Make the state for these parameters."""
        self._optimizer.init(self._pack(parameters))

    def update(self, model: nn.Module, gradients: Tree, clip: float | None = None) -> None:
        """Take one step with gradients whose global norm is clipped to `clip`."""
        from mlx.utils import tree_reduce, tree_unflatten

        packed = self._pack(gradients)
        if clip is not None:
            # As `optim.clip_grad_norm` does, whose sum runs over parameters and not over buckets.
            total = mx.sqrt(tree_reduce(lambda so_far, g: so_far + _squared(g), gradients, 0.0))
            factor = mx.minimum(clip / (total + 1e-6), 1.0)
            packed = {name: (g * factor).astype(g.dtype) for name, g in packed.items()}
        self._packed = self._optimizer.apply_gradients(packed, self._parameters(model))
        self._unpacked = {}
        for index, bucket in enumerate(self._buckets):
            self._unpacked |= bucket.unpack(self._packed[str(index)])
        model.update(tree_unflatten(list(self._unpacked.items())))

    def _parameters(self, model: nn.Module) -> dict[str, mx.array]:
        """The model's parameters in buckets: those of the last step, unless others were set since.

        A model's parameters are parts of the buckets, so to pack them anew would hold them twice.
        """
        from mlx.utils import tree_flatten

        own = dict(tree_flatten(model.trainable_parameters()))
        same = own.keys() == self._unpacked.keys()
        if same and all(array is self._unpacked[name] for name, array in own.items()):
            return self._packed
        return self._pack(own)

    def _pack(self, tree: Tree) -> dict[str, mx.array]:
        from mlx.utils import tree_flatten

        arrays = dict(tree_flatten(tree))
        if not self._buckets:
            self._buckets = buckets_of(arrays)
        return {str(i): bucket.pack(arrays) for i, bucket in enumerate(self._buckets)}


def _squared(gradient: mx.array) -> mx.array:
    wide = gradient.astype(mx.float32) if gradient.dtype == mx.float16 else gradient
    return wide.square().sum()
