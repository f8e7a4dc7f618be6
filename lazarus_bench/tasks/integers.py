"""Integers in text: what counts as the answer a model gave (methods, *Answers*)."""

import re

_INTEGER = re.compile(r"-?\d+")


def first_integer(text: str) -> int | None:
    """The first integer in `text`, with its sign; None when there is none."""
    found = _INTEGER.search(text)
    return int(found.group()) if found else None
