"""Which claim judges which passage of the writeups, and why no claim judges the others.

`passages` finds every passage with a number in a writeup's text; the `.toml` files hold, for each
one, the line, the words it is known by, and either the claims that judge it or why none does, and
of a passage that says several things the same for each part;
`entries` reads them and `page` makes `reports/coverage.md` of them:

    python -m hypotheses.writeups.coverage > reports/coverage.md
"""

from .entries import (
    WRITEUPS,
    Coverage,
    Entry,
    Kind,
    Part,
    coverage,
)
from .page import render
from .passages import Passage, passages

__all__ = [
    "WRITEUPS",
    "Coverage",
    "Entry",
    "Kind",
    "Part",
    "Passage",
    "coverage",
    "passages",
    "render",
]
