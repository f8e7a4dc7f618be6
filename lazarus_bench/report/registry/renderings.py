"""The pre-registration as Markdown, one claim or all by family, and as a list for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lazarus_bench.report import wording
from lazarus_bench.report.escaping import code, prose
from lazarus_bench.report.layout import table
from lazarus_bench.report.printed import cut
from lazarus_bench.report.registry.amendments import Status
from lazarus_bench.report.registry.records import RegisteredClaim
from lazarus_bench.report.terminal import fitted_table

_SHORT_DIGEST = 12
_GAP = "   "
_LEAST_WORDS = 24
"""Columns of a terminal that a claim's sentence needs, or it is left out."""

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
        named = sizes["further"]
        further = "all" if named is None else prose(", ".join(named))
        numbers = [str(sizes[key]) for key in ("seeds", "prompts", "further_seeds")]
        yield [code(name), *numbers[:2], further, numbers[2]]


def _family(name: str, claims: list[RegisteredClaim]) -> str:
    level = claims[0].decides["level"]
    header = ("Claim", "Region", "Asked of", "Trainings", "Published", "Digest")
    title = f"## {prose(name)}: {_many(len(claims), 'claim')}, level {level:.4g}"
    lines = []
    for claim in claims:
        decides = claim.decides
        tag = " (exploratory)" if decides["exploratory"] else ""
        says, estimand = prose(decides["says"]), prose(decides["estimand"])
        lines.append(
            [
                f"{code(claim.id)}{tag}<br>{says}<br><sub>{estimand}</sub>",
                wording.region(claim.region),
                _codes(decides["subjects"]),
                prose("; ".join(claim.trainings)) or "—",
                prose(claim.printed) or "no number",
                code(claim.digest[:_SHORT_DIGEST]),
            ]
        )
    return f"{title}\n\n{table(header, lines)}"


def render_claim(claim: RegisteredClaim) -> str:
    """Render all about one claim as Markdown, ending in a newline."""
    says = claim.decides["says"]
    sentence = prose(says) + ("" if says.endswith((".", "!", "?")) else ".")
    lines = "\n".join(f"- {name}: {text}" for name, text in _facts(claim))
    return f"# {code(claim.id)}\n\n{sentence}\n\n{lines}\n"


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


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def list_claims(
    claims: Iterable[RegisteredClaim], width: int, statuses: Mapping[str, Status] | None = None
) -> str:
    """Lay out a line for each claim, none longer than `width`.

    The id, the digest and the region always show. With `statuses`, by id, the status takes the
    digest's place, differences are listed below it, and claims that are gone come last.
    """
    claims = list(claims)
    cells = [
        (
            claim.id,
            statuses[claim.id].what if statuses else claim.digest[:_SHORT_DIGEST],
            wording.region(claim.region),
            _asked(claim.decides["subjects"]),
        )
        for claim in claims
    ]
    lines = fitted_table(cells, width).splitlines()
    longest = max(map(len, lines), default=0)
    if width - longest >= _LEAST_WORDS + len(_GAP):
        lines = [
            cut(f"{line.ljust(longest)}{_GAP}{claim.decides['says']}", width)
            for line, claim in zip(lines, claims, strict=True)
        ]
    if statuses is None:
        return "\n".join(lines)
    known = {claim.id: line for claim, line in zip(claims, lines, strict=True)}
    shown = []
    for name, status in statuses.items():
        shown.append(known.get(name, cut(f"{name}{_GAP}{status.what}", width)))
        shown += [f"{_GAP}{difference}" for difference in status.differences]
    return "\n".join(shown)


def _asked(subjects: list[str]) -> str:
    more = f" +{len(subjects) - 1}" if len(subjects) > 1 else ""
    return f"{subjects[0]}{more}" if subjects else "no model"
