"""The codec: what is written comes back the same, and nothing undeclared goes in or out."""

from dataclasses import dataclass, fields, is_dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from lazarus_bench.analysis.answers import Answers
from lazarus_bench.analysis.nulls import LayerNull
from lazarus_bench.session.codec import (
    CLASSES,
    UnreadableError,
    UnwritableError,
    canonical,
    decode,
    encode,
)
from lazarus_bench.tasks.arithmetic import Operation, Problem, held_out

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=8,
)
ARRAYS = st.one_of(
    arrays_of.arrays(dtype, arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    for dtype in (np.bool_, np.int64, np.float32, np.float64)
)


def alike(first, second):
    """Equal in type and to the last bit."""
    if type(first) is not type(second):
        return False
    if isinstance(first, tuple):
        return len(first) == len(second) and all(map(alike, first, second))
    if is_dataclass(first):
        return all(alike(getattr(first, f.name), getattr(second, f.name)) for f in fields(first))
    if isinstance(first, np.ndarray | np.generic):
        return (first.dtype, first.shape, first.tobytes()) == (
            second.dtype,
            second.shape,
            second.tobytes(),
        )
    return repr(first) == repr(second)


@given(PLAIN)
def test_plain_values_come_back_the_same(value):
    assert alike(decode(encode(value)), value)


@given(ARRAYS)
def test_arrays_come_back_to_the_last_bit(array):
    assert alike(decode(encode((array, 1))), (array, 1))
    assert alike(decode(encode(array[()])), array[()])


def test_readings_come_back_the_same():
    answers = Answers(problems=tuple(held_out(8, 0)), texts=("12", "", "é\n", *"abcde"))
    null = LayerNull(observed=np.arange(3.0), permuted=np.arange(12.0).reshape(3, 4).T)
    for value in (answers, null, Operation.ADD, (Operation.ADD, "add")):
        assert alike(decode(encode(value)), value)
    assert decode(encode(null)).permuted.flags.c_contiguous


def test_everything_declared_is_frozen():
    dataclasses = [cls for cls in CLASSES.values() if is_dataclass(cls)]
    assert len(dataclasses) == len(CLASSES) - 1
    assert all(cls.__dataclass_params__.frozen for cls in dataclasses)


@dataclass(frozen=True)
class Other:
    """Declared nowhere."""

    a: int


class Number(int):
    """A number that may be more than one."""


@pytest.mark.parametrize(
    "value",
    [
        [1],
        {"a": 1},
        {1, 2},
        b"bytes",
        1j,
        Other(1),
        Number(1),
        (1, Other(1)),
        print,
        np.array([Other(1)], dtype=object),
        np.array(["a"]),
        np.ma.masked_array([1.0], [True]),
    ],
    ids=str,
)
def test_what_is_not_declared_is_not_written(value):
    with pytest.raises(UnwritableError):
        encode(value)


def test_keys_of_other_types_are_other_keys():
    problem = Problem(a=1, operation=Operation.ADD, b=2)
    keys = [1, 1.0, True, "1", (1,), None, "None", problem, (problem,), Operation.ADD, "add"]
    assert len({canonical(key) for key in keys}) == len(keys)
    assert canonical(("lens", (problem,))) == canonical(
        ("lens", (Problem(a=1, operation=Operation.ADD, b=2),))
    )
    with pytest.raises(UnwritableError):
        canonical(np.zeros(2))


def test_other_bytes_are_refused():
    whole = encode(LayerNull(observed=np.zeros(2), permuted=np.zeros((3, 2))))
    other = encode(np.zeros(2)).replace(b'{"array":0}', b'{"print":0}')
    fewer = encode(LayerNull(observed=np.zeros(2), permuted=np.zeros((3, 2)))).replace(
        b'[{"array":0},{"array":1}]', b'[{"array":0}            ]'
    )
    for content in (b"", b"junk", whole[:-9], whole[9:], other, fewer):
        with pytest.raises(UnreadableError):
            decode(content)
