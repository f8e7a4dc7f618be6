"""Rows grouped and counted, and a sentence on each family."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from lazarus_bench.claims.subjects import COMPUTED as COMPUTED
from lazarus_bench.claims.subjects import PUBLISHED as PUBLISHED
from lazarus_bench.judge import Outcome
from lazarus_bench.report.markup import code
from lazarus_bench.report.printed import many
from lazarus_bench.report.schema import UNREGISTERED, Row

_IN_WORDS = {PUBLISHED: "the published numbers", COMPUTED: "computed numbers"}
_Item = TypeVar("_Item")


def grouped(items: Iterable[_Item], key: Callable[[_Item], str]) -> dict[str, tuple[_Item, ...]]:
    """Group items by `key`, both groups and items in the order they came."""
    groups: dict[str, list[_Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return {name: tuple(group) for name, group in groups.items()}


def families(rows: Iterable[Row]) -> dict[str, tuple[Row, ...]]:
    """Group rows by family."""
    return grouped(rows, lambda row: row.family)


def claims(rows: Iterable[Row]) -> dict[str, tuple[Row, ...]]:
    """Group rows by claim."""
    return grouped(rows, lambda row: row.claim_id)


def subjects(rows: Iterable[Row]) -> tuple[str, ...]:
    """Every subject once, the published numbers last."""
    found = dict.fromkeys(row.subject for row in rows)
    return tuple(sorted(found, key=lambda subject: subject == PUBLISHED))


def subject_name(subject: str) -> str:
    """The name of a subject in a sentence, as Markdown."""
    return _IN_WORDS.get(subject) or code(subject)


def count(rows: Iterable[Row]) -> Counter[Outcome]:
    """The number of rows with each outcome."""
    return Counter(row.verdict.outcome for row in rows)


def outcomes(rows: Iterable[Row]) -> tuple[Outcome, ...]:
    """Every outcome that is counted; *error* only where a claim's test broke."""
    broken = Outcome.ERROR in count(rows)
    return tuple(outcome for outcome in Outcome if broken or outcome is not Outcome.ERROR)


def moved(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Rows whose verdict is no longer the pinned one."""
    return tuple(row for row in rows if row.moved)


def amended(rows: Iterable[Row]) -> dict[str, tuple[str, ...]]:
    """Claims that differ from the registry, each with its differences."""
    return {row.claim_id: row.amended for row in rows if row.amended}


def amendment(row: Row) -> str:
    """The claim's differences from the registry, in words."""
    if row.amended in ((), (UNREGISTERED,)):
        return "".join(row.amended)
    return f"amended since it was registered: {', '.join(row.amended)}"


def tags(row: Row) -> tuple[str, ...]:
    """Marks after a claim's name: "exploratory", "post hoc", "amended", "not registered"."""
    found = ["exploratory"] if row.exploratory else []
    if row.post_hoc:
        found.append("post hoc")
    if row.amended:
        found.append("not registered" if row.amended == (UNREGISTERED,) else "amended")
    return tuple(found)


def family_sentence(rows: tuple[Row, ...], subject: str) -> str:
    """A family's outcomes on one subject: "of 5 claims, 4 supported (vo-36, ...), 1 refuted"."""
    own = [row for row in rows if row.subject == subject]
    parts = [f"of {many(len(own), 'claim')}"]
    for outcome in Outcome:
        ended = [row for row in own if row.verdict.outcome == outcome]
        names = ", ".join(row.claim_id.partition("/")[2] for row in ended)
        if ended:
            parts.append(f"{len(ended)} {outcome.value} ({names})")
    return ", ".join(parts)
