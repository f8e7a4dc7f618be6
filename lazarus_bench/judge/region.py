"""Regions of the real line that a claim bets on."""

# ruff: noqa: D102 (overrides inherit the docstring of what they override)
from __future__ import annotations

import math
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar


def _number(value: float) -> str:
    whole = float(value).is_integer() and abs(value) < 1e15
    return (f"{value:.0f}" if whole else f"{value:g}").replace("-", "−")


@dataclass(frozen=True)
class Region(ABC):
    """A part of the real line; a claim is supported when the whole interval lies inside it."""

    def __post_init__(self) -> None:
        if any(not math.isfinite(edge) for edge in self.edges()):
            raise ValueError(f"a region's edges must be finite numbers, not {self.edges()}")

    @abstractmethod
    def edges(self) -> tuple[float, ...]:
        """Return the finite boundaries, ascending."""

    @abstractmethod
    def contains(self, low: float, high: float) -> bool:
        """Whether every point of the closed interval [low, high] belongs to the region."""

    @abstractmethod
    def excludes(self, low: float, high: float) -> bool:
        """Whether no point of the closed interval [low, high] belongs to the region."""

    @abstractmethod
    def describe(self) -> str:
        """Return the region as a reader writes it, for example ``≥ 0.36``."""

    def contains_value(self, x: float) -> bool:
        """Whether the point x belongs to the region."""
        return self.contains(x, x)


@dataclass(frozen=True)
class _HalfLine(Region):
    """One side of `x`: a point belongs to it or lies beyond, as an operator against `x` says."""

    x: float

    sign: ClassVar[str]
    belongs: ClassVar[Callable[[float, float], bool]]
    beyond: ClassVar[Callable[[float, float], bool]]

    @property
    def upwards(self) -> bool:
        """Whether it extends to +∞."""
        return self.sign in "≥>"

    def edges(self) -> tuple[float, ...]:
        return (self.x,)

    def contains(self, low: float, high: float) -> bool:
        return type(self).belongs(low if self.upwards else high, self.x)

    def excludes(self, low: float, high: float) -> bool:
        return type(self).beyond(high if self.upwards else low, self.x)

    def describe(self) -> str:
        return f"{self.sign} {_number(self.x)}"


class AtLeast(_HalfLine):
    """[x, ∞)."""

    sign, belongs, beyond = "≥", operator.ge, operator.lt


class AtMost(_HalfLine):
    """(−∞, x]."""

    sign, belongs, beyond = "≤", operator.le, operator.gt


class Above(_HalfLine):
    """(x, ∞)."""

    sign, belongs, beyond = ">", operator.gt, operator.le


class Below(_HalfLine):
    """(−∞, x)."""

    sign, belongs, beyond = "<", operator.lt, operator.ge


@dataclass(frozen=True)
class Within(Region):
    """[a, b]. "No effect" is ``Within(-m, m)``: an equivalence test (TOST), never p > .05."""

    a: float
    b: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.a > self.b:
            raise ValueError(f"Within needs a ≤ b, not {self.a} and {self.b}")

    def edges(self) -> tuple[float, ...]:
        return (self.a, self.b)

    def contains(self, low: float, high: float) -> bool:
        return low >= self.a and high <= self.b

    def excludes(self, low: float, high: float) -> bool:
        return high < self.a or low > self.b

    def describe(self) -> str:
        return f"within [{_number(self.a)}, {_number(self.b)}]"


_NUMBER = r"\s*([+−-]?(?:\d+\.?\d*|\.\d+)(?:e[+−-]?\d+)?)\s*"
_HALF_LINE = re.compile(rf"\s*(>=|<=|≥|≤|>|<){_NUMBER}", re.IGNORECASE | re.ASCII)
_WITHIN = re.compile(rf"\s*(?:within)?\s*\[{_NUMBER},{_NUMBER}\]\s*", re.IGNORECASE | re.ASCII)
_SIGNS: dict[str, type[_HalfLine]] = {
    ">=": AtLeast,
    "≥": AtLeast,
    "<=": AtMost,
    "≤": AtMost,
    ">": Above,
    "<": Below,
}


def region_of(text: str) -> Region:
    """Return the region that a text such as "> 0", "<= 0.1" or "[-0.01, 0.01]" names.

    It reads what `describe` writes.

    Raises:
        ValueError: the text names no region.
    """
    within, half = _WITHIN.fullmatch(text), _HALF_LINE.fullmatch(text)
    if within is not None:
        return Within(_float(within[1]), _float(within[2]))
    if half is not None:
        return _SIGNS[half[1]](_float(half[2]))
    raise ValueError(f"{text!r} is no region: write one such as '> 0', '<= 0.1' or '[-0.1, 0.1]'")


def _float(text: str) -> float:
    return float(text.replace("−", "-"))
