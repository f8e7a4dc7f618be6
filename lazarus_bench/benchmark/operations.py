"""The operations of a traced step, and how long each kind takes by itself on the same shapes.

mlx lists every operation of a function as it exports it (`mx.export_function` with a callback), on
any device; so a step's products are counted, not estimated. Where `exp` is made of several
operations, the trace holds mlx's own exp(), and ours, compiled, is the one timed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from lazarus_bench import exp
from lazarus_bench.backend import mx
from lazarus_bench.benchmark.document import Part
from lazarus_bench.benchmark.roofline import Work, rates
from lazarus_bench.errors import NotApplicable
from lazarus_bench.exp import log_sum_exp, sigmoid, tanh

Shapes = tuple[tuple[int, ...], ...]

MATMUL, EXPONENTIAL, REDUCTION, MOVEMENT, VIEW, ELEMENTWISE = (
    "matrix products",
    "exp() and its kin",
    "reductions",
    "moving numbers",
    "views",
    "elementwise",
)

KINDS: Mapping[str, tuple[str, ...]] = {
    MATMUL: ("Matmul", "AddMM", "GatherMM", "SegmentedMM", "BlockMaskedMM", "QuantizedMatmul"),
    EXPONENTIAL: (
        *("Exp", "Expm1", "Sigmoid", "Tanh", "Softmax", "LogSumExp", "LogAddExp", "Log", "Log1p"),
        *("Erf", "Sin", "Cos", "Power"),
    ),
    REDUCTION: ("Reduce", "ArgReduce", "Sort", "ArgSort", "Partition", "ArgPartition", "Scan"),
    MOVEMENT: (
        *("Gather", "GatherAxis", "Scatter", "ScatterAxis", "Concatenate", "Copy", "Contiguous"),
        *("AsType", "Full", "Arange", "Pad", "SliceUpdate", "DynamicSlice", "MaskedScatter"),
    ),
    VIEW: (
        *("Transpose", "Broadcast", "Reshape", "ExpandDims", "Squeeze", "Slice", "Split"),
        *("Flatten", "Unflatten", "StopGradient", "Depends", "AsStrided", "View"),
        "CustomTransforms",
    ),
}
"""mlx's primitives by kind; all others are elementwise."""

_KIND_OF = {name: kind for kind, names in KINDS.items() for name in names}


def kind_of(primitive: str) -> str:
    """The kind of a primitive of mlx."""
    return _KIND_OF.get(primitive, ELEMENTWISE)


@dataclass(frozen=True)
class Operation:
    """A primitive with the shapes of its inputs and outputs; `flipped` inputs are transposed."""

    name: str
    takes: Shapes
    gives: Shapes
    flipped: tuple[bool, ...]

    @property
    def gflop(self) -> float:
        """Of a product 2 · rows · inner · columns for each matrix of the batch, else 0."""
        if kind_of(self.name) != MATMUL:
            return 0.0
        inner = self.takes[0][-1]
        return 2e-9 * inner * float(np.prod(self.gives[0]))


def traced(function: Callable[..., Any], *arguments: Any) -> Counter[Operation]:
    """Every operation of one call of `function`, counted.

    Raises:
        NotApplicable: mlx cannot export one of them, as a mixture's gradient has.
    """
    found: Counter[Operation] = Counter()
    flips: set[str] = set()

    def note(event: dict[str, Any]) -> None:
        if event["type"] != "primitive":
            return
        takes, gives = event["inputs"], event["outputs"]
        if event["name"] == "Transpose" and _flips(event["arguments"]):
            flips.update(name for name, _, _ in gives)
        found[
            Operation(
                event["name"],
                tuple(tuple(shape) for _, shape, _ in takes),
                tuple(tuple(shape) for _, shape, _ in gives),
                tuple(name in flips for name, _, _ in takes),
            )
        ] += 1

    names = vars(exp)
    before = names["fused"]
    names["fused"] = lambda x: False  # noqa: ARG005 - one operation for each function
    try:
        mx.export_function(note, function, *arguments)
    except ValueError as error:
        if "export" not in str(error):
            raise
        raise NotApplicable(f"mlx cannot export its gradient to be counted: {error}") from error
    finally:
        names["fused"] = before
    return found


def _flips(arguments: Sequence[Any]) -> bool:
    """Whether a transposition exchanges the last two axes."""
    axes = list(arguments[0]) if arguments else []
    ordered = sorted(axes)
    return len(axes) > 1 and axes == [*ordered[:-2], ordered[-1], ordered[-2]]


def _softmax(x: mx.array) -> mx.array:
    """Of rows of logits it is in a loss's derivative, which `exp` computes."""
    if x.ndim != 2 or not exp.fused(x):
        return mx.softmax(x, axis=-1)
    shares: mx.array = _compiled(exp.exp)(x - log_sum_exp(x))
    return shares


@cache
def _compiled(function: Callable[[mx.array], mx.array]) -> Callable[[mx.array], mx.array]:
    compiled: Callable[[mx.array], mx.array] = mx.compile(function)
    return compiled


_UNARY: Mapping[str, Callable[[mx.array], mx.array]] = {
    **{name: getattr(mx, name.lower()) for name in ("Abs", "Cos", "Erf", "Exp", "Expm1", "Log")},
    **{name: getattr(mx, name.lower()) for name in ("Log1p", "Negative", "Sin", "Square")},
    "Sigmoid": lambda x: _compiled(sigmoid)(x),
    "Softmax": _softmax,
    "LogSumExp": lambda x: log_sum_exp(x.reshape(-1, x.shape[-1])),
    "Sqrt": mx.rsqrt,
    "Tanh": lambda x: _compiled(tanh)(x),
}

_BINARY: Mapping[str, Callable[[mx.array, mx.array], mx.array]] = {
    name: getattr(mx, name.lower())
    for name in (
        *("Add", "Divide", "Maximum", "Minimum", "Multiply", "Power", "Subtract", "Matmul"),
    )
}


def _given(shape: tuple[int, ...], flipped: bool) -> mx.array:
    drawn = [*shape[:-2], shape[-1], shape[-2]] if flipped and len(shape) > 1 else list(shape)
    array = mx.random.uniform(0.5, 1.5, drawn, key=mx.random.key(3))
    return array.swapaxes(-1, -2) if flipped and len(shape) > 1 else array


def again(operation: Operation) -> Work | None:
    """Do the operation on random numbers of its shapes; None for a view, which computes nothing.

    What is neither a product nor known here by name is timed as a pass over the numbers it gives.
    """
    if kind_of(operation.name) == VIEW or not operation.gives or 0 in operation.gives[0]:
        return None
    inputs = [_given(s, f) for s, f in zip(operation.takes, operation.flipped, strict=True)]
    once = _once(operation, inputs)
    mx.eval(inputs)

    def work(count: int) -> None:
        mx.eval([once() for _ in range(count)])

    return work


def _once(operation: Operation, inputs: list[mx.array]) -> Callable[[], mx.array]:
    name = operation.name
    if name == "AddMM":
        return lambda: mx.addmm(inputs[2], inputs[0], inputs[1])
    if name == "GatherMM":
        rows = [mx.zeros(shape, dtype=mx.uint32) for shape in operation.takes[2:4]]
        return lambda: mx.gather_mm(inputs[0], inputs[1], *rows)
    if name in _UNARY:
        return lambda: _UNARY[name](inputs[0])
    if name in _BINARY:
        return lambda: _BINARY[name](inputs[0], inputs[1])
    if name == "Reduce":
        pairs = zip(operation.takes[0], operation.gives[0], strict=True)
        axes = [axis for axis, (before, after) in enumerate(pairs) if before != after]
        return lambda: inputs[0].sum(axis=axes, keepdims=True)
    whole = mx.random.uniform(0.5, 1.5, list(operation.gives[0]), key=mx.random.key(4))
    inputs.append(whole)
    return lambda: mx.negative(whole)


BRIEF = 0.003
"""Seconds of one timing of an operation: there are hundreds of them."""


def parts_of(
    found: Counter[Operation], *, dispatch: float, view: float, rounds: int
) -> tuple[Part, ...]:
    """The kinds of `found`, each operation timed by itself; its dispatch is a part of its own.

    `dispatch` is seconds that an operation with a kernel costs by being one, `view` the same of one
    that has none; each is timed `rounds` times, in turn.
    """
    works = {op: work for op in found if (work := again(op)) is not None}
    named = {str(i): (work, 1.0) for i, work in enumerate(works.values())}
    speeds = rates(named, rounds, BRIEF) if named else {}
    seconds = {
        op: max(0.0, 1.0 / float(np.median(speeds[str(i)])) - dispatch)
        for i, op in enumerate(works)
    }
    parts = []
    for kind in (MATMUL, EXPONENTIAL, ELEMENTWISE, REDUCTION, MOVEMENT):
        own = {op: count for op, count in found.items() if kind_of(op.name) == kind}
        part = Part(
            kind=kind,
            operations=sum(own.values()),
            milliseconds=1e3 * sum(seconds.get(op, 0.0) * count for op, count in own.items()),
            gflop=sum(op.gflop * count for op, count in own.items()),
        )
        parts.append(part)
    total, kernels = sum(found.values()), sum(found[op] for op in works)
    milliseconds = 1e3 * (dispatch * kernels + view * (total - kernels))
    return (*parts, Part(kind="dispatch", operations=total, milliseconds=milliseconds))
