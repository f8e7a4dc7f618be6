"""Classes of tokens by their text alone, and the class that a list of them has in common.

Source: methods, *Router projection*, names the classes; what falls into each is declared here.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from lazarus_bench.tasks.arithmetic import Operation

GENERAL = "general"
SINGLE_SCRIPT = "single-script"
SHORT = 2
"""Characters that a short token has at most, blanks around it not counted."""

OPERATION_WORDS = frozenset(
    word for operation in Operation for word in (operation.word, *operation.synonyms)
) | {"addition", "subtraction", "multiplication", "division", "multiplied"}

_KEYWORDS = (
    "argc argv async await bool const constexpr def elif elseif endif enum extern fn func goto "
    "impl inline int lambda namespace nullptr printf println ptr str struct typedef typename "
    "typeof uint unsigned var void volatile"
)
KEYWORDS = frozenset(_KEYWORDS.split())
"""Words of common programming languages that prose does not use; `return` or `new` it does."""

_IDENTIFIER = re.compile(
    r"[a-z0-9]+[A-Z]\w*|\w*[^\W_]_[^\W_]\w*|_+[^\W_]\w*|[.@#$]\w+|\w+[(\[{]\w*"
)
"""camelCase, snake_case, _private, .member, call( and the like."""


def _is_code(text: str) -> bool:
    return text in KEYWORDS or _IDENTIFIER.fullmatch(text) is not None


def _is_number(text: str) -> bool:
    return any(c.isnumeric() for c in text) and all(c.isnumeric() or c in "+-−.,%" for c in text)


def _is_punctuation(text: str) -> bool:
    return all(unicodedata.category(c)[0] in "PS" for c in text)


def _is_operation(text: str) -> bool:
    return text.lower() in OPERATION_WORDS


def _is_short(text: str) -> bool:
    return len(text) <= SHORT and text.isprintable()


CLASSES: Mapping[str, Callable[[str], bool]] = {
    "operation words": _is_operation,
    "numbers": _is_number,
    "code": _is_code,
    "punctuation": _is_punctuation,
    SINGLE_SCRIPT: lambda text: foreign_script(text) is not None,
    "short tokens": _is_short,
}
"""The declared classes, the most specific first: of two with as many tokens the first is named."""


def foreign_script(text: str) -> str | None:
    """The one script other than Latin that all letters of `text` are of, such as "CYRILLIC".

    Latin does not count: nearly every token of these vocabularies is of it.
    """
    scripts = {unicodedata.name(c, "").split(" ")[0] for c in text if c.isalpha()}
    script = scripts.pop() if len(scripts) == 1 else "LATIN"
    return None if script in ("LATIN", "") else script


def classes_of(token: str) -> tuple[str, ...]:
    """Every class `token` falls into; none where its bytes are no text by themselves."""
    text = token.strip()
    if not text or "\ufffd" in text:
        return ()
    return tuple(name for name, holds in CLASSES.items() if holds(text))


def category(tokens: Sequence[str]) -> str:
    """The class that at least half of `tokens` fall into, else `GENERAL`.

    Of several the one with most tokens. Tokens of "single-script" count together only when they
    share their script.
    """
    counts = Counter(
        name for token in tokens for name in classes_of(token) if name != SINGLE_SCRIPT
    )
    scripts = Counter(
        foreign_script(token) for token in tokens if SINGLE_SCRIPT in classes_of(token)
    )
    counts[SINGLE_SCRIPT] = max(scripts.values(), default=0)
    best = max(CLASSES, key=lambda name: counts[name])
    return best if tokens and 2 * counts[best] >= len(tokens) else GENERAL
