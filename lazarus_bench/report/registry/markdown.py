"""The pre-registration as Markdown: one claim, or all of them by family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lazarus_bench.report import wording
from lazarus_bench.report.escaping import code, prose
from lazarus_bench.report.layout import table
from lazarus_bench.report.registry.listing import SHORT_DIGEST
from lazarus_bench.report.registry.records import RegisteredClaim

_INTRODUCTION = (
    "What every claim bets on, fixed before it is judged. A claim's digest is the SHA-256 of the "
    "canonical JSON of everything that decides it: what it says, estimand, region, subjects, "
    "trainings, the size of its family and with it the level, the judge's rule, the published "
    "number, the sizes of the profiles, and the test that reads the models, with its controls and "
    "thresholds. `registry.json` beside this file has all of it; a report names the digests that "
    "its verdicts were reached under, and says which claims were amended since."
)


def render_registry(claims: Iterable[RegisteredClaim]) -> str:
    """Render a registry as Markdown, ending in a newline."""
    claims = tuple(claims)
    families: dict[str, list[RegisteredClaim]] = {}
    for claim in claims:
        families.setdefault(claim.family, []).append(claim)
    sections = [
        "# Registered claims",
        _INTRODUCTION,
        *_shared(claims),
        *(_family(name, group) for name, group in families.items()),
    ]
    return "\n\n".join(sections) + "\n"


def _shared(claims: tuple[RegisteredClaim, ...]) -> Iterator[str]:
    if claims:
        decides = claims[0].decides
        yield f"A claim is {prose(decides['rule'])}, alpha {decides['alpha']:g}."
        yield table(
            ("Profile", "Seeds", "Prompts", "Further families", "Seeds of each"),
            _profiles(decides["profiles"]),
            right=" rr r",
        )


def _profiles(profiles: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    for name, sizes in profiles.items():
        further = prose(", ".join(sizes["further"]))
        numbers = [str(sizes[key]) for key in ("seeds", "prompts", "further_seeds")]
        yield [code(name), *numbers[:2], further, numbers[2]]


def _family(name: str, claims: list[RegisteredClaim]) -> str:
    level = claims[0].decides["level"]
    header = ("Claim", "Region", "Asked of", "Trainings", "Published", "Digest")
    title = f"## {prose(name)}: {_many(len(claims), 'claim')}, level {level:.4g}"
    return f"{title}\n\n{table(header, map(_line, claims))}"


def _line(claim: RegisteredClaim) -> list[str]:
    decides = claim.decides
    tag = " (exploratory)" if decides["exploratory"] else ""
    says, estimand = prose(decides["says"]), prose(decides["estimand"])
    return [
        f"{code(claim.id)}{tag}<br>{says}<br><sub>{estimand}</sub>",
        wording.region(claim.region),
        _codes(decides["subjects"]),
        prose("; ".join(claim.trainings)) or "—",
        prose(claim.printed) or "no number",
        code(claim.digest[:SHORT_DIGEST]),
    ]


def render_claim(claim: RegisteredClaim) -> str:
    """Render all about one claim as Markdown, ending in a newline."""
    lines = "\n".join(f"- {name}: {text}" for name, text in _facts(claim))
    return f"# {code(claim.id)}\n\n{_sentence(claim.decides['says'])}\n\n{lines}\n"


def _facts(claim: RegisteredClaim) -> Iterator[tuple[str, str]]:
    decides = claim.decides
    yield "Estimand", prose(decides["estimand"])
    yield "Region", wording.region(claim.region)
    yield (
        "Family",
        f"{prose(claim.family)}, {_many(decides['family_size'], 'claim')}: "
        f"level {decides['level']:.4g}",
    )
    yield "Asked of", _codes(decides["subjects"])
    yield "Trainings", prose("; ".join(claim.trainings)) or "none"
    if decides["words"]:
        yield "Words that must be single tokens", _codes(decides["words"])
    if decides["exploratory"]:
        yield "Status", "exploratory, left open by its source"
    if decides["quirk"]:
        yield "Known defect", code(decides["quirk"])
    yield "Source", f"{prose(claim.source)}: {prose(claim.printed) or 'no number'}"
    yield "Rule", prose(decides["rule"])
    sizes = (f"{code(n)} {p['seeds']} × {p['prompts']}" for n, p in decides["profiles"].items())
    yield "Profiles, seeds × prompts", ", ".join(sizes)
    yield "Digest of the test", code(decides["test"])
    yield "Digest", code(claim.digest)


def _codes(names: Iterable[str]) -> str:
    return ", ".join(map(code, names)) or "—"


def _sentence(words: str) -> str:
    return prose(words) + ("" if words.endswith((".", "!", "?")) else ".")


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
