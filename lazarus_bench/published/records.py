"""The shapes that the writeups' tables share, and how their printed numbers are read."""

from dataclasses import dataclass
from decimal import Decimal

from lazarus_bench.claims.finding import Finding as Finding
from lazarus_bench.claims.finding import Labelled as Labelled
from lazarus_bench.claims.finding import computed as computed
from lazarus_bench.judge import SHARE, Hits, Means
from lazarus_bench.published.words import OPERATIONS as OPERATIONS

_SYMBOLS = dict(zip("*+-/", OPERATIONS, strict=True))


def percent(printed: str) -> float:
    """Read one printed percentage such as "76.55%" as a fraction.

    "~67%" is read as 67% and "~0%" as 0: the tilde says that the author rounded, not by how much.
    "0.00%" is likewise read as 0, although it only says less than 0.005%.
    """
    return float(Decimal(printed.removeprefix("~").removesuffix("%")) / 100)


def percents(printed: str) -> tuple[float, ...]:
    """Read percentages separated by blanks, in the order they were printed, as fractions."""
    return tuple(percent(word) for word in printed.split())


def operation_of(prompt: str) -> str:
    """Name the operation whose symbol stands in a symbolic prompt such as "7 * 8 ="."""
    return next(name for symbol, name in _SYMBOLS.items() if symbol in prompt)


def depth_of(layer: int, layers: int) -> float:
    """Relative depth of a layer as the writeups count it: layer 10 of 16 is 0.625."""
    return layer / layers


@dataclass(frozen=True, kw_only=True)
class LensReading:
    """One row of a lens table: the top token at one layer, and the probabilities of the words.

    Attributes:
        prompt: The prompt as printed.
        token: The most probable token.
        probability: Its probability.
        words: Probabilities of the operation words, in the order of `OPERATIONS`; a table without
            division has three.
    """

    prompt: str
    token: str
    probability: float
    words: tuple[float, ...]

    @property
    def gold(self) -> float:
        """Probability of the word that names the prompt's operation."""
        return self.words[OPERATIONS.index(operation_of(self.prompt))]

    @property
    def hit(self) -> bool:
        """Whether the top token names the prompt's operation."""
        return self.token == operation_of(self.prompt)


def reading(prompt: str, token: str, printed: str) -> LensReading:
    """Build a row from its printed percentages: the top token's first, then the words'."""
    top, *words = percents(printed)
    return LensReading(prompt=prompt, token=token, probability=top, words=tuple(words))


@dataclass(frozen=True, kw_only=True)
class LensTable:
    """A lens table of one model at one layer: one run, several prompts."""

    model: str
    layer: int
    layers: int
    rows: tuple[LensReading, ...]

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompts, in printed order."""
        return tuple(row.prompt for row in self.rows)

    @property
    def gold_probability(self) -> Means:
        """Probability of the right operation word, `values[1][prompt]`."""
        return Means(values=(tuple(row.gold for row in self.rows),), bounds=SHARE)

    @property
    def hits(self) -> Hits:
        """1 where the top token is the right operation word, `values[1][prompt]`."""
        return Hits(values=(tuple(float(row.hit) for row in self.rows),))


@dataclass(frozen=True, kw_only=True)
class BeforeAfter:
    """Top lens tokens of the same prompts before and after one training run.

    Only the top token's probability was printed. Where it is not the right word, the right word's
    own probability is at most the printed one.
    """

    model: str
    layer: int
    layers: int
    prompts: tuple[str, ...]
    baseline_token: tuple[str, ...]
    baseline_probability: tuple[float, ...]
    token: tuple[str, ...]
    probability: tuple[float, ...]

    @property
    def gold_probability(self) -> Means:
        """Probability of the right word after training; an upper bound on the rows that missed."""
        return Means(values=(self.probability,), bounds=SHARE)

    @property
    def hits(self) -> Hits:
        """1 where the top token after training is the right word, `values[1][prompt]`."""
        return _hits(self.prompts, self.token)

    @property
    def baseline_hits(self) -> Hits:
        """1 where the top token before training is the right word, `values[1][prompt]`."""
        return _hits(self.prompts, self.baseline_token)

    def share_at_least(self, threshold: float) -> Hits:
        """1 where the top token is right and has at least `threshold`, `values[1][prompt]`."""
        rows = zip(self.prompts, self.token, self.probability, strict=True)
        return Hits(
            values=(tuple(float(t == operation_of(p) and x >= threshold) for p, t, x in rows),)
        )


def _hits(prompts: tuple[str, ...], tokens: tuple[str, ...]) -> Hits:
    pairs = zip(prompts, tokens, strict=True)
    return Hits(values=(tuple(float(token == operation_of(prompt)) for prompt, token in pairs),))
