"""Labelled sentences, and the split that keeps training and evaluation apart."""

import hashlib
from dataclasses import dataclass, field

HELD_OUT_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """A sentence and the index of its class; `place` is the file and line it was read from."""

    text: str
    label: int
    place: str = field(default="", compare=False)


def is_held_out(sentence: Labelled) -> bool:
    """Whether evaluation alone may use this sentence; a pure function of its text."""
    digest = hashlib.blake2b(sentence.text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < HELD_OUT_SHARE * 2**64
