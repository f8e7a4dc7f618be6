"""Words as tokens: which single tokens of a tokenizer spell a word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lazarus_bench.errors import NotApplicable


class Tokenizer(Protocol):
    """What we ask of a tokenizer: mlx-lm's wrapper around a Hugging Face one has it."""

    def encode(self, text: str, *, add_special_tokens: bool = ...) -> list[int]:
        """Token ids of `text`."""

    def decode(self, ids: list[int]) -> str:
        """Text of token ids."""


@dataclass(frozen=True, kw_only=True)
class WordTokens:
    """The single tokens that spell one word.

    `bare` is the writeups' token (the word as it stands); `variants` all of bare, leading space,
    capitalised and both that are single tokens (methods, *Lens*).
    """

    word: str
    bare: int
    variants: tuple[int, ...]


def word_tokens(tokenizer: Tokenizer, word: str) -> WordTokens:
    """Look `word` up.

    Raises:
        NotApplicable: the bare word is not a single token here.
    """
    spellings = (word, f" {word}", word.capitalize(), f" {word.capitalize()}")
    found = [tokenizer.encode(spelling, add_special_tokens=False) for spelling in spellings]
    if len(found[0]) != 1:
        raise NotApplicable(
            f"{word!r} is {len(found[0])} tokens in this tokenizer; the lens reads single tokens"
        )
    singles = tuple(dict.fromkeys(ids[0] for ids in found if len(ids) == 1))
    return WordTokens(word=word, bare=found[0][0], variants=singles)
