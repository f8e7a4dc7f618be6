"""The pre-registration: what decides each claim, with a digest, as JSON, as Markdown and as a list.

`registry.json` holds no revision, and no dates but those of its claims' histories, so that it
changes when a claim does and at no other time; a version unknown here is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lazarus_bench.claims.claim import Claim, family_sizes, recipes_of
from lazarus_bench.claims.claim_files import nearest
from lazarus_bench.claims.folder import REGISTRY
from lazarus_bench.claims.history import Event
from lazarus_bench.claims.registration import decides
from lazarus_bench.codec import OMITTED, from_plain, to_plain
from lazarus_bench.digests import digest_of
from lazarus_bench.errors import UserError
from lazarus_bench.judge import Region
from lazarus_bench.report import printed, wording
from lazarus_bench.report.files import read_versioned
from lazarus_bench.report.markup import code, prose, table
from lazarus_bench.report.printed import cut
from lazarus_bench.report.schema import UNREGISTERED
from lazarus_bench.report.summary import grouped
from lazarus_bench.report.terminal import fitted_table


@dataclass(frozen=True, kw_only=True)
class RegisteredClaim:
    """A claim, what decides it as plain JSON, and the digest of that: SHA-256 of canonical JSON.

    `source` and `printed`, the published number in short, decide nothing, nor does `history`;
    `trainings` are labels in the order of `decides["needs"]`.
    """

    id: str
    digest: str
    source: str
    printed: str
    trainings: tuple[str, ...]
    decides: Mapping[str, Any]
    history: tuple[Event, ...] = field(default=(), metadata=OMITTED)

    @property
    def family(self) -> str:
        """The part of the id before the slash."""
        return self.id.partition("/")[0]

    @property
    def region(self) -> Region:
        """The claim's region; ValueError if `decides` holds no valid one."""
        place = f"{self.id}, region"
        region: Region = from_plain(self.decides.get("region"), Region, place)  # type: ignore[type-abstract]
        return region


def draw_up(claim: Claim, family_size: int) -> RegisteredClaim:
    """The registry's entry of a claim in a family of `family_size` verdicts."""
    values = decides(claim, family_size)
    trainings = []
    for need in claim.trainings:
        stages = ", then ".join(recipe.label for recipe in recipes_of(need)) or "the base"
        trainings.append(f"{stages}, on the instruct sibling" if need.on_instruct else stages)
    return RegisteredClaim(
        id=claim.id,
        digest=digest_of(values),
        source=claim.finding.source,
        printed="" if claim.published is None else printed.number(claim.published.point),
        trainings=tuple(trainings),
        decides=values,
    )


def drawn_up(claims: Sequence[Claim]) -> tuple[RegisteredClaim, ...]:
    """The registry's entries of all claims of some claim files, in their order."""
    sizes = family_sizes(claims)
    return tuple(draw_up(claim, sizes[claim.family]) for claim in claims)


def with_history(
    claims: Iterable[RegisteredClaim], record: Mapping[str, RegisteredClaim] | None
) -> tuple[RegisteredClaim, ...]:
    """The claims with their histories on `record`, by id."""
    kept = record or {}
    return tuple(
        replace(claim, history=kept[claim.id].history) if claim.id in kept else claim
        for claim in claims
    )


def put_on_record(
    claims: Iterable[RegisteredClaim],
    record: Mapping[str, RegisteredClaim] | None,
    *,
    on: str,
    known: str | None,
    seen: tuple[int, int] | None,
) -> tuple[RegisteredClaim, ...]:
    """The claims with what happens to each `on` this day added to its history.

    Args:
        claims: those of all claim files.
        record: the registry that they take the place of, by id; None where this is the first.
        on: the day, ISO 8601.
        known: what was known of the numbers of new and amended claims; None where nobody said.
        seen: the first and the last seed of which that is so.

    Raises:
        UserError: a claim was amended, and nobody said what was known.
    """
    kept = record or {}
    found = []
    for claim in with_history(claims, record):
        changed = differences(kept[claim.id], claim) if claim.id in kept else ()
        if changed and known is None:
            raise UserError(
                f"{claim.id} is amended ({', '.join(changed)}): say what was known of its numbers "
                f"by then, such as --known 'nothing', or --known 'all rows of reports/lab' "
                f"--seen 0-4 for the seeds of those numbers"
            )
        if changed or claim.id not in kept:
            event = Event(on=on, changed=changed, known=known or "", seen=seen)
            claim = replace(claim, history=(*claim.history, event))
        found.append(claim)
    return tuple(found)


def chosen(claims: Sequence[RegisteredClaim], claim_id: str) -> RegisteredClaim:
    """The claim called `claim_id`; if there is none, a UserError has the nearest names."""
    names = [claim.id for claim in claims]
    if claim_id not in names:
        raise UserError(
            f"no claim is called {claim_id}{nearest(claim_id, names)}: "
            "`lazarus-bench claims list` lists them"
        )
    return claims[names.index(claim_id)]


def of_family(claims: Sequence[RegisteredClaim], family: str) -> tuple[RegisteredClaim, ...]:
    """The claims of a family; if there is none, a UserError names all families."""
    found = tuple(claim for claim in claims if claim.family == family)
    if not found:
        known = ", ".join(dict.fromkeys(claim.family for claim in claims))
        raise UserError(f"no family of claims is called {family}: choose from {known}")
    return found


VERSION, READABLE = 2, (1, 2)
"""Version 1 had no histories."""

FILE = REGISTRY
"""Beside the claim files, like the pins."""

PAGE = "registry.md"
"""The same to read."""


def to_text(claims: Iterable[RegisteredClaim]) -> str:
    """The content of a `registry.json`."""
    # Readers of before `schema` look for "registry".
    told = {"schema": VERSION, "kind": "registry", "registry": VERSION}
    content = told | {"claims": to_plain(tuple(claims))}
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def load_registry(path: Path) -> tuple[RegisteredClaim, ...]:
    """Read what `to_text` wrote; UserError if it is missing, another file or another version."""
    data = read_versioned(
        path,
        kind="registry",
        key="registry",
        versions=READABLE,
        remedy=f"a registry.json, or write one with `lazarus-bench claims export --output {path}`",
        again="export it again",
    )
    try:
        claims = from_plain(data.get("claims"), tuple[RegisteredClaim, ...], "registry.claims")
        for claim in claims:
            _ = claim.region
            if claim.decides.get("id") != claim.id:
                raise ValueError(f"what decides {claim.id} is of another claim")
        if len({claim.id for claim in claims}) < len(claims):
            raise ValueError("a claim is registered twice")
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); export it again, or fix it") from error
    return claims


def read_registered(directory: Path) -> dict[str, RegisteredClaim] | None:
    """`by_id` of the registry beside the claim files in `directory`; None where there is none."""
    file = directory / FILE
    return by_id(file) if file.exists() else None


def by_id(file: Path) -> dict[str, RegisteredClaim]:
    """The claims in a registry's file, by id; UserError if damaged or a digest does not match."""
    claims = load_registry(file)
    for claim in claims:
        if digest_of(claim.decides) != claim.digest:
            raise UserError(
                f"{file} says of {claim.id} what its digest {claim.digest[:12]} does not cover: it "
                f"was changed by hand; restore it, or export it again"
            )
    return {claim.id: claim for claim in claims}


KEPT, AMENDED, NEW, GONE = "as registered", "amended", "new", "gone"

_PHRASES = {
    "says": "what it says",
    "needs": "its trainings",
    "test": "the test that reads and judges",
    "published": "the published number",
    "helpers": "code that its test uses",
    "data": "data that its test reads",
    "binary": "whether samples are hits",
    "difference": "whether it is a difference",
    "exploratory": "whether its source left it open",
    "quirk": "the known defect it is about",
    "words": "words that must be single tokens",
    "rule": "the judge's rule",
    "profiles": "the profiles' sizes",
}


@dataclass(frozen=True, kw_only=True)
class Status:
    """One claim's status `what`, and a phrase for each difference."""

    what: str
    differences: tuple[str, ...] = ()


def against(then: Iterable[RegisteredClaim], now: Iterable[RegisteredClaim]) -> dict[str, Status]:
    """The status of every claim of either registry; those that are gone come last."""
    before = {claim.id: claim for claim in then}
    found = {}
    for claim in now:
        old = before.pop(claim.id, None)
        if old is None:
            found[claim.id] = Status(what=NEW)
        else:
            how = differences(old, claim)
            found[claim.id] = Status(what=AMENDED if how else KEPT, differences=how)
    return found | {name: Status(what=GONE) for name in before}


def tally(statuses: Mapping[str, Status]) -> str:
    """Count the claims by status: "76 as registered, 1 amended"."""
    counts = Counter(status.what for status in statuses.values())
    parts = [f"{counts[what]} {what}" for what in (KEPT, AMENDED, NEW, GONE) if counts[what]]
    return ", ".join(parts)


def differences(then: RegisteredClaim, now: RegisteredClaim) -> tuple[str, ...]:
    """A phrase for each thing that decides the claim and has changed; empty where nothing has."""
    if then.digest == now.digest:
        return ()
    return tuple(_phrases(then, now)) or ("what decides it is written differently",)


def _phrases(then: RegisteredClaim, now: RegisteredClaim) -> Iterator[str]:
    for name in dict.fromkeys((*now.decides, *then.decides)):
        old, new = then.decides.get(name), now.decides.get(name)
        resized = then.decides.get("family_size") != now.decides.get("family_size")
        if old == new or (name == "level" and resized):  # the level follows from the family's size
            continue
        if name == "region":
            yield f"region {wording.region(then.region)} → {wording.region(now.region)}"
        elif name in ("family_size", "alpha", "level"):
            shown = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in (old, new))
            yield f"{name.replace('_', ' ')} {' → '.join(shown)}"
        elif name == "subjects":
            yield f"subjects {' → '.join(', '.join(v or ()) or 'none' for v in (old, new))}"
        elif name in ("helpers", "data"):
            files = dict.fromkeys((*(new or {}), *(old or {})))
            changed = [f for f in files if (old or {}).get(f) != (new or {}).get(f)]
            yield f"{_PHRASES[name]} ({', '.join(changed)})"
        else:
            yield _PHRASES.get(name, name.replace("_", " "))


def amended(
    claim: RegisteredClaim, registered: Mapping[str, RegisteredClaim] | None
) -> tuple[str, ...]:
    """How `claim` differs from what is on record; nothing where there is no record at all."""
    if registered is None:
        return ()
    then = registered.get(claim.id)
    return (UNREGISTERED,) if then is None else differences(then, claim)


_SHORT_DIGEST = 12
_GAP = "   "
_LEAST_WORDS = 24
"""Columns of a terminal that a claim's sentence needs, or it is left out."""

_INTRODUCTION = (
    "What every claim bets on, fixed before it is judged. A claim's digest is the SHA-256 of the "
    "canonical JSON of everything that decides it: what it says, estimand, region, subjects, "
    "trainings, the size of its family and with it the level, the judge's rule, the published "
    "number, the sizes of the profiles, and the test that reads the models, with its controls and "
    "thresholds, what it uses of its own project, and its data files. `registry.json` beside this "
    "file has all of it; a report names the digests that its verdicts were reached under, and says "
    "which claims were amended since. Below a claim stands its history: when it was registered and "
    "amended, and which of its numbers were known then; verdicts on seeds known then are post hoc."
)


def render_registry(claims: Iterable[RegisteredClaim]) -> str:
    """Render a registry as Markdown, ending in a newline."""
    claims = tuple(claims)
    families = grouped(claims, lambda claim: claim.family)
    sections = [
        "# Registered claims",
        _INTRODUCTION,
        *_shared(claims),
        *(_family(name, group) for name, group in families.items()),
    ]
    return "\n\n".join(sections) + "\n"


def _shared(claims: tuple[RegisteredClaim, ...]) -> Iterator[str]:
    if claims:
        decides, lines = claims[0].decides, []
        for name, sizes in decides["profiles"].items():
            further = "all" if sizes["further"] is None else prose(", ".join(sizes["further"]))
            seeds, prompts = str(sizes["seeds"]), str(sizes["prompts"])
            lines.append([code(name), seeds, prompts, further, str(sizes["further_seeds"])])
        yield f"A claim is {prose(decides['rule'])}, alpha {decides['alpha']:g}."
        yield table(
            ("Profile", "Seeds", "Prompts", "Further families", "Seeds of each"),
            lines,
            right=" rr r",
        )


def _family(name: str, claims: tuple[RegisteredClaim, ...]) -> str:
    level = claims[0].decides["level"]
    header = ("Claim", "Region", "Asked of", "Trainings", "Published", "Digest")
    title = f"## {prose(name)}: {printed.many(len(claims), 'claim')}, level {level:.4g}"
    lines = []
    for claim in claims:
        decides = claim.decides
        tag = " (exploratory)" if decides["exploratory"] else ""
        says, estimand = prose(decides["says"]), prose(decides["estimand"])
        lines.append(
            [
                f"{code(claim.id)}{tag}<br>{says}<br><sub>{estimand}</sub>{_past(claim)}",
                wording.region(claim.region),
                _codes(decides["subjects"]),
                prose("; ".join(claim.trainings)) or "—",
                prose(claim.printed) or "no number",
                code(claim.digest[:_SHORT_DIGEST]),
            ]
        )
    return f"{title}\n\n{table(header, lines)}"


def _past(claim: RegisteredClaim) -> str:
    """When a claim was registered, and its amendments, in a table's cell."""
    if not claim.history:
        return ""
    return f"<br><sub>{'<br>'.join(prose(str(event)) for event in claim.history)}</sub>"


def render_claim(claim: RegisteredClaim) -> str:
    """Render everything that decides one claim as Markdown, ending in a newline."""
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
        f"{prose(claim.family)}, {printed.many(decides['family_size'], 'verdict')}: "
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
    for event in claim.history:
        yield "History", prose(str(event))
    yield "Digest of the test", code(decides["test"])
    for name in ("helpers", "data"):
        for file, digest in decides.get(name, {}).items():
            yield _PHRASES[name].capitalize(), f"{code(file)} {code(digest[:_SHORT_DIGEST])}"
    yield "Digest", code(claim.digest)


def _codes(names: Iterable[str]) -> str:
    return ", ".join(map(code, names)) or "—"


def list_claims(
    claims: Iterable[RegisteredClaim], width: int, statuses: Mapping[str, Status] | None = None
) -> str:
    """Lay out a line for each claim, none longer than `width`.

    The id, the digest and the region always show. With `statuses`, by id, the status takes the
    digest's place, differences are listed below it, and claims that are gone come last.
    """
    claims, cells = list(claims), []
    for claim in claims:
        subjects = claim.decides["subjects"]
        more = f" +{len(subjects) - 1}" if len(subjects) > 1 else ""
        asked = f"{subjects[0]}{more}" if subjects else "no model"
        mark = statuses[claim.id].what if statuses else claim.digest[:_SHORT_DIGEST]
        cells.append((claim.id, mark, wording.region(claim.region), asked))
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
