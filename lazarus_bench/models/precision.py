"""The type of number that a model computes in: as its weights are stored, or a faster one.

mlx's CPU backend multiplies in half precision without a BLAS, which `docs/your-model.md` has
measured. So a model that is stored in half precision is read in float32 on a CPU, unless a user
wishes otherwise or its weights would not fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from lazarus_bench import memory
from lazarus_bench.errors import UserError
from lazarus_bench.models.files import FLOATS, header, read_config

if TYPE_CHECKING:
    from lazarus_bench.backend import mx, nn

Dtype = Literal["auto", "float32", "float16", "bfloat16"]
AUTO: Dtype = "auto"
DTYPES = get_args(Dtype)
"""What a user may wish for."""


def wished(given: str, named: str) -> str:
    """What a user gave as `named`.

    Raises:
        UserError: it is no type that a model is computed in.
    """
    if given not in DTYPES:
        raise UserError(f"{named} {given!r} is unknown: choose {', '.join(DTYPES)}")
    return given


ROOM = 0.75
"""The share of the memory that the weights may take of which `auto` makes float32."""

SLOWER = "a training's step takes some 7 times as long, a lens some 4 times"
"""What half precision costs on a CPU against float32, measured (`docs/your-model.md`)."""

SLOWER_IN_FOUR_BITS = (
    "trainings and lenses take more than 30 times as long as with float32 weights; take the model "
    "that it was quantised from"
)
"""What quantised weights cost on a CPU against float32, measured there as well."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A model's weights on file: how many numbers of each float type, and bytes of others.

    Packed integers are others: there are some only in a quantised model.
    """

    floats: Mapping[str, int]
    packed: int = 0

    @property
    def dtype(self) -> str:
        """The type that most of the floats have."""
        return max(self.floats, key=lambda name: self.floats[name], default="float32")

    def as_type(self, dtype: str | None) -> int:
        """Bytes of the weights in memory with every float as `dtype`; None: as stored."""
        return self.packed + sum(n * _BYTES[dtype or name] for name, n in self.floats.items())


_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_NAMES = {kind: name for name, kind in FLOATS.items()}
_OTHERS = {"U32": 4, "I32": 4, "U16": 2, "I16": 2, "F64": 8, "I64": 8, "U64": 8}


def stored(directory: Path) -> Stored:
    """The weights in `directory`, by their files' headers alone.

    Raises:
        UserError: a file is damaged.
    """
    found = Counter[str]()
    for file in sorted(directory.glob("model*.safetensors")):
        for _, kind, size in header(file):
            found[kind] += size
    return Stored(
        floats={_NAMES[kind]: size for kind, size in found.items() if kind in _NAMES},
        packed=sum(_OTHERS.get(k, 1) * size for k, size in found.items() if k not in _NAMES),
    )


@dataclass(frozen=True, kw_only=True)
class Precision:
    """What a model is computed in: the type its weights are turned into, None: as stored.

    `says` is what its user should know of it, one sentence.
    """

    dtype: str | None = None
    says: str | None = None


AS_STORED = Precision()


def choose(name: str, directory: Path, wish: str) -> Precision:
    """What the model in `directory`, called `name`, is computed in on this machine.

    It depends on nothing that changes from one session to the next: whether float32 fits is asked
    of the memory that the machine has, not of what is free.

    Raises:
        UserError: a file of its weights is damaged.
    """
    held = stored(directory)
    if not held.packed and set(held.floats) <= {"float32"} and wish in (AUTO, "float32"):
        return AS_STORED
    from lazarus_bench import backend

    slow = not backend.on_accelerator()
    if held.packed:
        config = read_config(directory)
        found = config.get("quantization") or config.get("quantization_config")
        bits = found.get("bits") if isinstance(found, Mapping) else None
        dtype = ("float32" if slow else None) if wish == AUTO else wish
        kind = f"{bits}-bit" if bits else "quantised"
        says = f"{name} holds {kind} weights: on a CPU {SLOWER_IN_FOUR_BITS}"
        return Precision(dtype=_other(held, dtype), says=says if slow else None)
    if wish != AUTO:
        says = f"{name} is computed in {wish}: on a CPU {SLOWER} as in float32"
        half = slow and wish != "float32"
        return Precision(dtype=_other(held, wish), says=says if half else None)
    return _automatic(name, held) if slow else AS_STORED


def _other(held: Stored, dtype: str | None) -> str | None:
    """`dtype`, unless all weights are of that type as they are stored."""
    return None if {dtype} >= set(held.floats) else dtype


def _automatic(name: str, held: Stored) -> Precision:
    need, room = held.as_type("float32"), memory.limit()
    if need <= ROOM * room:
        says = (
            f"{name} holds {held.dtype} weights, and is computed in float32, which is faster on a "
            f"CPU: {memory.gigabytes(need)} of weights instead of "
            f"{memory.gigabytes(held.as_type(None))} (--dtype {held.dtype} leaves them)"
        )
        return Precision(dtype="float32", says=says)
    says = (
        f"{name} is computed in {held.dtype}, as stored: in float32 its weights would take "
        f"{memory.gigabytes(need)} of the {memory.gigabytes(room)} that this machine has; on a CPU "
        f"{SLOWER} as in float32"
    )
    return Precision(says=says)


_WEIGHTS: ContextVar[str | None] = ContextVar("weights", default=None)


@contextmanager
def weights_as(dtype: str | None) -> Iterator[None]:
    """Within the block, models are loaded with weights of this type; None: as stored."""
    token = _WEIGHTS.set(dtype)
    try:
        yield
    finally:
        _WEIGHTS.reset(token)


def asked_for() -> str | None:
    """The type that models are loaded with here; None: as stored."""
    return _WEIGHTS.get()


def cast(model: nn.Module, dtype: str) -> None:
    """Make every float weight of `model` a `dtype`, but for those that its family keeps as is."""
    from mlx.utils import tree_map_with_path

    from lazarus_bench.backend import mx

    wanted = getattr(mx, dtype)
    may_be = getattr(model, "cast_predicate", lambda _: True)

    def changed(path: str, weight: mx.array) -> mx.array:
        floating = mx.issubdtype(weight.dtype, mx.floating)
        return weight.astype(wanted) if floating and may_be(path) else weight

    model.update(tree_map_with_path(changed, model.parameters()))
