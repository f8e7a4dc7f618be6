"""Dataclasses survive JSON, and what does not fit is refused by its place."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.codec import OMITTED, MalformedError, from_plain, tagged, to_plain


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Shape(ABC):
    @abstractmethod
    def area(self) -> float: ...


@dataclass(frozen=True, kw_only=True)
class Square(Shape):
    side: float

    def __post_init__(self) -> None:
        if self.side < 0:
            raise ValueError(f"a side of {self.side}")

    def area(self) -> float:
        return self.side**2


@dataclass(frozen=True)
class Pair(Shape):
    first: Shape
    second: Shape

    def area(self) -> float:
        return self.first.area() + self.second.area()


tagged(Square, Pair)


@dataclass(frozen=True, kw_only=True)
class Drawing:
    title: str
    shape: Shape | None
    numbers: tuple[float, ...] = ()
    point: tuple[int, str] = (0, "")
    series: Sequence[Sequence[float]] = ()
    about: Mapping[str, str | float] = field(default_factory=dict)
    colour: Colour = Colour.RED
    side: Literal["left", "right"] = "left"
    anything: tuple[object, ...] = ()
    raw: Any = None
    sparse: float | None = field(default=None, metadata=OMITTED)


squares = st.floats(0, allow_nan=False).map(lambda side: Square(side=side))
shapes = st.recursive(squares, lambda own: st.builds(Pair, own, own), max_leaves=5)
numbers = st.floats(allow_nan=False) | st.integers(-(10**9), 10**9)
rows = st.lists(numbers, max_size=4).map(tuple)
finite_rows = rows.filter(lambda row: all(map(math.isfinite, row)))
drawings = st.builds(
    Drawing,
    title=st.text(),
    shape=st.none() | shapes,
    numbers=rows,
    point=st.tuples(st.integers(), st.text()),
    series=st.lists(rows, max_size=3).map(tuple),
    about=st.dictionaries(st.text(), st.integers() | st.text(min_size=4).filter(str.isalpha)),
    colour=st.sampled_from(Colour),
    side=st.sampled_from(["left", "right"]),
    # Where no type is declared, an infinite number reads back as the text that it is written as.
    anything=st.lists(st.text() | squares | finite_rows).map(tuple),
    raw=st.none() | st.dictionaries(st.text(), st.lists(st.integers())),
    sparse=st.none() | numbers,
)


@given(drawings)
def test_any_drawing_survives_json(drawing):
    text = json.dumps(to_plain(drawing), allow_nan=False)
    back = from_plain(json.loads(text), Drawing)
    assert back == drawing
    assert repr(back) == repr(drawing), "integers stay integers, tuples tuples"


def test_numbers_that_json_lacks_are_strings():
    plain = to_plain(Drawing(title="nan", shape=None, numbers=(math.nan, math.inf, -math.inf)))
    assert (plain["title"], plain["numbers"]) == ("nan", ["nan", "inf", "-inf"])
    back = from_plain(plain, Drawing)
    assert math.isnan(back.numbers[0])
    assert (back.title, back.numbers[1:]) == ("nan", (math.inf, -math.inf))


def test_a_subclass_is_written_with_its_name_and_a_default_is_left_out_where_asked():
    plain = to_plain(Drawing(title="a", shape=Square(side=2)))
    assert plain["shape"] == {"type": "Square", "side": 2}
    assert plain["colour"] == "red"
    assert "sparse" not in plain
    assert to_plain(Drawing(title="a", shape=None, sparse=0.5))["sparse"] == 0.5


def test_a_foreign_object_is_not_written():
    with pytest.raises(TypeError, match="object is not a type that can be written"):
        to_plain(Drawing(title="a", shape=None, anything=(object(),)))


PLAIN = {"title": "a", "shape": {"type": "Pair", "first": {"type": "Square", "side": 1}}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": 5}, "drawing.title is 5, not text"),
        ({"title": ...}, "drawing.title is missing"),
        ({"colors": 1}, "drawing has no field 'colors'"),
        ({"shape": 3}, "drawing.shape is 3, not an object"),
        ({}, "drawing.shape.second is missing"),
        ({"shape": {"side": 1}}, "drawing.shape is None, not a type that can be read"),
        ({"shape": {"type": "Path"}}, "drawing.shape is 'Path', not a type that can be read"),
        ({"shape": {"type": "Square", "side": -1}}, "drawing.shape is invalid: a side of -1"),
        ({"shape": {"type": "Square", "side": True}}, "drawing.shape.side is True, not a number"),
        ({"numbers": "12"}, "drawing.numbers is '12', not a list"),
        ({"numbers": [1, "1"]}, "drawing.numbers[1] is '1', not a number"),
        ({"series": [[1], [2, None]]}, "drawing.series[1][1] is None, not a number"),
        ({"point": [1]}, "drawing.point is [1], not a list of 2"),
        ({"point": [1.5, ""]}, "drawing.point[0] is 1.5, not a whole number"),
        ({"about": {"batch": []}}, "drawing.about['batch'] is [], not a number"),
        ({"about": []}, "drawing.about is [], not an object"),
        ({"colour": "green"}, "drawing.colour is 'green', not one of 'red', 'blue'"),
        ({"side": []}, "drawing.side is [], not one of 'left', 'right'"),
        ({"anything": [{"type": "Colour"}]}, "drawing.anything[0] is 'Colour', not a type"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(changes, sentence):
    data = {name: value for name, value in {**PLAIN, **changes}.items() if value is not ...}
    if changes and "shape" not in changes:
        data["shape"] = None
    with pytest.raises(MalformedError) as error:
        from_plain(data, Drawing, "drawing")
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


def test_a_whole_file_has_every_field():
    data = {"title": "a", "shape": None}
    assert from_plain(data, Drawing) == Drawing(title="a", shape=None)
    with pytest.raises(MalformedError, match=r"value\.numbers is missing"):
        from_plain(data, Drawing, whole=True)


def test_deep_nesting_ends_in_a_sentence_and_a_class_is_never_read_as_another():
    with pytest.raises(MalformedError, match="value is 'Pair', not Square"):
        from_plain({"type": "Pair", "first": 1, "second": 2}, Square)
    data = {"type": "Square", "side": 1}
    for _ in range(2000):
        data = {"type": "Pair", "first": data, "second": PLAIN}
    with pytest.raises(MalformedError, match="value is nested too deeply"):
        from_plain(data, Pair)
