"""The codec: what is written comes back the same, and nothing goes in or out unannounced."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from lazarus_bench.analysis.answers import Answers
from lazarus_bench.analysis.nulls import LayerNull
from lazarus_bench.session.codec import (
    UnreadableError,
    UnwritableError,
    canonical,
    decode,
    encode,
    returned_type,
)
from lazarus_bench.tasks.arithmetic import Operation, Problem, held_out

ARRAYS = st.one_of(
    arrays_of.arrays(dtype, arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    for dtype in (np.bool_, np.int8, np.int64, np.float32, np.float64)
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A result of somebody else's instrument."""

    value: float
    names: tuple[str, ...]
    of: dict[str, int | None]
    over: Annotated[npt.NDArray[Any], "layers"]
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Other:
    """A result with the same fields as its neighbour."""

    a: int


@dataclass(frozen=True)
class Another:
    """Its neighbour."""

    a: int


@dataclass(frozen=True)
class More(Other):
    """What is not written as its base."""


class Number(int):
    """A number that may be more than one."""


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


def back(value, kind):
    return decode(encode(value, kind), kind)


@given(st.floats(), st.lists(st.text()), st.dictionaries(st.text(), st.none() | st.integers()))
def test_structures_come_back_the_same(value, names, of):
    found = Found(value=value, names=tuple(names), of=of, over=np.arange(3.0))
    assert alike(back(found, Found), found)


@given(ARRAYS)
def test_arrays_and_their_scalars_come_back_to_the_last_bit(array):
    kind = tuple[npt.NDArray[Any], int]
    assert alike(back((array, 1), kind), (array, 1))
    for value in array.ravel()[:1]:
        assert alike(back(value, float), value)


def test_measurements_come_back_the_same():
    answers = Answers(problems=tuple(held_out(8, 0)), texts=("12", "", "é\n", *"abcde"))
    null = LayerNull(observed=np.arange(3.0), permuted=np.arange(12.0).reshape(3, 4).T)
    for value in (answers, null, Operation.ADD, 1, True, None):
        assert alike(back(value, type(value)), value)
    assert alike(back((Operation.ADD, "add"), tuple[Operation, str]), (Operation.ADD, "add"))
    assert back(null, LayerNull).permuted.flags.c_contiguous


def test_a_member_of_a_union_comes_back_as_itself():
    kind = tuple[Other | Another | float | None, ...]
    whole = (Other(1), Another(1), 0.5, None)
    assert alike(back(whole, kind), whole)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ([1], tuple[int, ...] | None),
        (Other(1), Another),
        (More(1), Other),
        (Number(1), int),
        (b"bytes", bytes | None),
        (1j, complex),
        (Other(Number(1)), Other),
        (1, Any),
        (print, object),
        (np.array([Other(1)], dtype=object), npt.NDArray[Any]),
        (np.array(["a"]), npt.NDArray[Any]),
        (np.ma.masked_array([1.0], [True]), npt.NDArray[Any]),
    ],
    ids=str,
)
def test_what_would_come_back_as_something_else_is_not_written(value, kind):
    with pytest.raises(UnwritableError):
        encode(value, kind)


def test_a_result_has_the_type_that_the_instrument_says():
    def says(model) -> Found:
        """Measure nothing."""

    def says_nothing(model):
        """Measure nothing."""

    def says_what_is_not_there(model) -> "Nothing":  # noqa: F821
        """Measure nothing."""

    assert returned_type(says) is Found
    for instrument in (says_nothing, says_what_is_not_there):
        with pytest.raises(UnwritableError):
            returned_type(instrument)


def test_arguments_of_other_values_or_types_are_other_keys():
    problem = Problem(a=1, operation=Operation.ADD, b=2)
    arrays = [np.zeros(2), np.zeros(2, int), np.zeros((2, 1)), np.ones(2)]
    keys = [1, 1.0, True, "1", (1,), None, "None", problem, (problem,), Operation.ADD, "add"]
    keys += [Other(1), Another(1), {"a": 1}, {"a": 2}, *arrays]
    assert len({canonical(key) for key in keys}) == len(keys)
    again = Problem(a=1, operation=Operation.ADD, b=2)
    assert canonical(("lens", [problem])) == canonical(("lens", (again,)))
    for key in (print, {1, 2}, Number(1), np.array([None])):
        with pytest.raises(UnwritableError):
            canonical(key)


def test_other_bytes_are_refused():
    null = LayerNull(observed=np.zeros(2), permuted=np.zeros((3, 2)))
    whole = encode(null, LayerNull)
    fewer = whole.replace(b'"observed"', b'"observes"')
    assert fewer != whole
    for content in (b"", b"junk", whole[:-9], whole[9:], fewer):
        with pytest.raises(UnreadableError):
            decode(content, LayerNull)
