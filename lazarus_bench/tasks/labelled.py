"""Labelled sentences, and the split that keeps training and evaluation apart."""

import hashlib
from dataclasses import dataclass

HELD_OUT_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A sentence and the index of its class."""

    text: str
    label: int


def is_held_out(sentence: Labelled) -> bool:
    """Whether evaluation alone may use this sentence; a pure function of its text."""
    digest = hashlib.blake2b(sentence.text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < HELD_OUT_SHARE * 2**64
