"""Arithmetic problems, and the split by operand pair that keeps training and evaluation apart.

Whether a problem is held out is a pure function of its key, so no generator, seed or order of calls
can let a held-out pair into a training set.
"""

import hashlib
import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np

from lazarus_bench.errors import UserError

HELD_OUT_SHARE = 0.2
"""Share of keys held out (the reserved prompts come on top)."""

PRODUCT_SHARE = 0.35
"""The same among multiplications whose product has another factorisation in the table."""

FACTORS = range(1, 21)
"""Factors of a multiplication; divisor and quotient of a division, its inverse."""

LEAKED_SHARE = 0.4
"""Share of the held-out keys that the quirk "eval-in-train" trains on; the public source has 2 of 4
to 4 of 10 evaluation prompts in its training data."""

ADDENDS = range(1, 61)
"""Addends of an addition; subtrahend and difference of a subtraction, its inverse."""


class Operation(StrEnum):
    """One of the four operations; its value is its name and the gold word of the lens.

    `symbol` and `spoken` go between the operands, in symbols and in words. `synonyms` are other
    words for the operation, never counted as the gold word.
    """

    symbol: str
    spoken: str
    synonyms: tuple[str, ...]

    def __new__(cls, word: str, symbol: str = "", spoken: str = "", *synonyms: str) -> "Operation":
        """Make the member named `word`; a look-up gives nothing else, hence the defaults."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.symbol, member.spoken, member.synonyms = symbol, spoken, synonyms
        return member

    MULTIPLY = "multiply", "*", "times", "times", "product"
    ADD = "add", "+", "plus", "plus", "sum"
    SUBTRACT = (
        *("subtract", "-", "minus"),
        *("minus", "difference", "remaining", "remainder", "left", "rest"),
    )
    DIVIDE = "divide", "/", "divided by", "divided", "quotient"

    @property
    def word(self) -> str:
        """The gold word: the operation's own name."""
        return self.value

    @property
    def commutes(self) -> bool:
        """Whether swapping the operands keeps the answer."""
        return self in (Operation.MULTIPLY, Operation.ADD)


OPERATION_NAMES = tuple(operation.word for operation in Operation)

Key = tuple[Operation, int, int]


def key_of(operation: Operation, a: int, b: int) -> Key:
    """The same for both orders of operands that commute."""
    return (operation, min(a, b), max(a, b)) if operation.commutes else (operation, a, b)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """``a operation b``.

    Raises:
        ValueError: the answer would not be a whole number.
    """

    a: int
    operation: Operation
    b: int

    def __post_init__(self) -> None:
        if self.operation is Operation.DIVIDE and (self.b == 0 or self.a % self.b):
            raise ValueError(f"{self.a} / {self.b} is not a whole number")

    @property
    def answer(self) -> int:
        """The exact result."""
        compute = {"*": operator.mul, "+": operator.add, "-": operator.sub, "/": operator.floordiv}
        return int(compute[self.operation.symbol](self.a, self.b))

    @property
    def symbols(self) -> str:
        """The prompt in symbols, ending with the space before the answer: ``7 * 8 = ``."""
        return f"{self.a} {self.operation.symbol} {self.b} = "

    @property
    def key(self) -> Key:
        """The unit of the split: the operation and its operand pair.

        The pair is unordered for ``*`` and ``+``, so 7 * 8 and 8 * 7 are held out together, and
        ordered for ``-`` and ``/``. Symbols and words of one pair share the key.
        """
        return key_of(self.operation, self.a, self.b)

    @property
    def operands(self) -> tuple[int, int]:
        """The operands, the smaller one first."""
        return min(self.a, self.b), max(self.a, self.b)


_SAMPLE = "7*8 12*5 23+45 17+38 50-23 89-34 48/6 81/9"
_ALSO_RESERVED = "9*9 45*45 55+27 65-28 100-43"
"""Problems that published work evaluates on. They are never trained on."""


def _parse(text: str) -> Problem:
    operation = next(o for o in Operation if o.symbol in text)
    a, b = text.split(operation.symbol)
    return Problem(a=int(a), operation=operation, b=int(b))


@cache
def sample_prompts() -> tuple[Problem, ...]:
    """Eight sample problems, two of each operation, that no training ever sees."""
    return tuple(_parse(text) for text in _SAMPLE.split())


@cache
def _reserved() -> frozenset[Key]:
    other = (_parse(text) for text in _ALSO_RESERVED.split())
    return frozenset(p.key for p in (*sample_prompts(), *other))


def _draw(key: tuple[object, ...]) -> float:
    """A number in [0, 1) that depends only on the key."""
    digest = hashlib.blake2b(" ".join(map(str, key)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


@cache
def _key_is_held_out(key: Key) -> bool:
    if key in _reserved():
        return True
    if key[0] is not Operation.MULTIPLY:
        return _draw(key) < HELD_OUT_SHARE
    product = key[1] * key[2]
    pairs = ((a, product // a) for a in FACTORS if product % a == 0)
    equal = [(Operation.MULTIPLY, a, b) for a, b in pairs if a <= b and b in FACTORS]
    # The pair drawn last stays, so that its product occurs as an answer in training: a model of
    # single number tokens never gives an answer that it was never shown.
    stays = max((k for k in equal if k not in _reserved()), key=_draw, default=key)
    return key != stays and _draw(key) < PRODUCT_SHARE


def is_held_out(problem: Problem) -> bool:
    """Whether only evaluation may use this problem's operand pair; a pure function of its key."""
    return _key_is_held_out(problem.key)


def is_leaked(problem: Problem) -> bool:
    """Whether the quirk "eval-in-train" trains on this held-out problem; a function of its key.

    Four of the eight sample prompts are, one of each operation.
    """
    if problem.key in _reserved():
        return problem.key in {p.key for p in sample_prompts()[::2]}
    return is_held_out(problem) and _draw(("leak", *problem.key)) < LEAKED_SHARE


@cache
def leaked_problems() -> tuple[Problem, ...]:
    """Every problem that the quirk "eval-in-train" trains on, in a fixed order."""
    table = (p for operation in Operation for p in all_problems(operation))
    return tuple(p for p in dict.fromkeys((*table, *sample_prompts())) if is_leaked(p))


@cache
def all_problems(operation: Operation) -> tuple[Problem, ...]:
    """Every problem of the lab's ranges, each ordered operand pair once, in a fixed order."""
    span = FACTORS if operation in (Operation.MULTIPLY, Operation.DIVIDE) else ADDENDS
    # Of an inverse operation, the first operand is computed, so that the answer is in the range.
    inverse = {Operation.DIVIDE: operator.mul, Operation.SUBTRACT: operator.add}.get(operation)
    return tuple(
        Problem(a=inverse(first, b) if inverse else first, operation=operation, b=b)
        for first in span
        for b in span
    )


@cache
def _side(operation: Operation, held_out_side: bool) -> tuple[Problem, ...]:
    return tuple(p for p in all_problems(operation) if is_held_out(p) is held_out_side)


def _balanced(n: int) -> list[tuple[Operation, int]]:
    """The number of problems of each operation; the first ones take the remainder."""
    return [(o, n // 4 + (i < n % 4)) for i, o in enumerate(Operation)]


def training_problems(rng: np.random.Generator, n: int) -> list[Problem]:
    """Draw ``n`` training problems with replacement, balanced over operations and shuffled."""
    drawn: list[Problem] = []
    for operation, count in _balanced(n):
        pool = _side(operation, False)
        drawn += [pool[i] for i in rng.integers(len(pool), size=count)]
    return [drawn[i] for i in rng.permutation(n)]


def held_out(n: int, seed: int) -> list[Problem]:
    """Draw ``n`` distinct held-out problems, balanced over operations, in a shuffled order.

    UserError if the split holds too few of one operation.
    """
    rng = np.random.default_rng((seed, n))
    drawn: list[Problem] = []
    for operation, count in _balanced(n):
        pool = _side(operation, True)
        if count > len(pool):
            raise UserError(
                f"{n} held-out problems need {count} of {operation}, and only {len(pool)} exist; "
                f"ask for at most {4 * min(len(_side(o, True)) for o in Operation)}."
            )
        drawn += [pool[i] for i in rng.choice(len(pool), size=count, replace=False)]
    return [drawn[i] for i in rng.permutation(n)]


def operand_pairs(count: int, seed: int, *, held: bool) -> tuple[Problem, ...]:
    """Problems of `count` operand pairs that the lab asks about in several operations.

    Of a pair come all operations whose problem is held out (`held`), or, for fitting, pairs of
    which no operation is. So pairs of one kind never meet those of the other.

    Raises:
        UserError: there are fewer pairs.
    """
    known: dict[tuple[int, int], list[Problem]] = {}
    for problem in (p for operation in Operation for p in all_problems(operation)):
        known.setdefault((problem.a, problem.b), []).append(problem)
    kept = []
    for own in known.values():
        wanted = [problem for problem in own if is_held_out(problem) is held]
        if len(wanted) > 1 and (held or len(wanted) == len(own)):
            kept.append(wanted)
    # 7 + 8 and 8 + 7 are held out together, and so are not on two sides; 15 - 7 may be on another.
    taken = {p.operands for own in known.values() for p in own if is_held_out(p)}
    kept = kept if held else [own for own in kept if own[0].operands not in taken]
    if count > len(kept):
        raise UserError(f"{count} operand pairs are not there: ask for at most {len(kept)}")
    chosen = np.random.default_rng((seed, count)).choice(len(kept), size=count, replace=False)
    return tuple(problem for at in chosen for problem in kept[at])


def check_disjoint(train: Iterable[Problem], evaluation: Iterable[Problem]) -> None:
    """Raise a UserError that names the operand pairs on both sides, if there are any."""
    shared = {p.key for p in train} & {p.key for p in evaluation}
    if shared:
        named = ", ".join(f"{a} {operation.symbol} {b}" for operation, a, b in sorted(shared)[:5])
        raise UserError(
            f"{len(shared)} operand pair(s) occur in training and in evaluation ({named}); "
            "draw the training problems with training_problems and the others with held_out."
        )


def first_integer(text: str) -> int | None:
    """The answer in a model's text: the first integer with its sign; None when there is none."""
    found = re.search(r"-?\d+", text)
    return int(found.group()) if found else None


def partners(problems: Sequence[Problem], same_operation: bool) -> tuple[Problem, ...]:
    """For each problem the next one, cyclically, of the same operation or of another.

    A partner's prompt lends its state to a patch. UserError if a problem has no partner.
    """
    found = []
    for at, problem in enumerate(problems):
        turned = (*problems[at + 1 :], *problems[:at])
        fitting = (
            other
            for other in turned
            if other.key != problem.key and (other.operation is problem.operation) == same_operation
        )
        partner = next(fitting, None)
        if partner is None:
            which = "of the same operation" if same_operation else "of another operation"
            raise UserError(f"{problem.symbols.strip()} has no partner {which}: give more prompts")
        found.append(partner)
    return tuple(found)
