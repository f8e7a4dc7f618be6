"""The entries as one Markdown page, `reports/coverage.md`."""

from collections.abc import Iterable, Iterator, Sequence

from .entries import EXPLAINED, Coverage, Entry, Kind, Part

_HEAD = """\
# What the claims cover

Every sentence, heading, table and code block with a number in the five writeups, and what becomes
of it. Names of models and data sets, list markers and the numbering of headings count as no
numbers; a table or a block is one passage. `tests/study/test_coverage.py` finds the passages in
the writeups' text and fails when one has neither a claim nor a reason, when a testable one has no
claim, when a claim named here does not exist, and when this page is not the one that
`python -m hypotheses.writeups.coverage` prints.

- **judged**: by the claims named; a part that needs a word of its own stands beside, each with the
  claims that judge it or with the reason why none does, and untestable ones are listed again below.
  Verdicts are in [`published/report.md`](published/report.md) and
  [`lab/report.md`](lab/report.md).
- **not covered**: testable, and no claim tests it; the tests allow none.
- **untestable**: nothing that could be measured here bears on it; the note says why.
- **configuration**: sizes, data, prompts, settings, commands, arithmetic of these; not a result.
- **label**: a heading, date, file or name that states nothing by itself."""

_TITLES = {
    Kind.NOT_COVERED: "Not covered",
    Kind.UNTESTABLE: "Not testable",
    Kind.CONFIGURATION: "Configuration, not a result",
    Kind.LABEL: "Labels",
}


def render(writeups: Sequence[Coverage]) -> str:
    """The page of all `writeups`, ending in a newline."""
    parts = [_HEAD, _summary(writeups), *(_writeup(item) for item in writeups)]
    return "\n\n".join(parts) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    """Inline code that survives a table: no bar, no line break, a fence longer than any inside."""
    inner = " ".join(text.split()).replace("|", "\\|")
    fence = "`"
    while fence in inner:
        fence += "`"
    pad = " " if "`" in inner else ""
    return f"{fence}{pad}{inner}{pad}{fence}"


def _summary(writeups: Sequence[Coverage]) -> str:
    rows = [
        [
            f"{item.writeup}, {item.title}",
            str(len(item.entries)),
            *(str(len(item.of_kind(kind))) for kind in Kind),
            str(len(item.parts_of_kind(Kind.UNTESTABLE))),
        ]
        for item in writeups
    ]
    counts = [sum(int(row[column]) for row in rows) for column in range(1, len(rows[0]))]
    rows.append(["all", *map(str, counts)])
    kinds = [str(kind) for kind in Kind]
    return _table(["Writeup", "Passages", *kinds, "untestable parts of judged ones"], rows)


def _writeup(item: Coverage) -> str:
    return "\n\n".join([f"## {item.writeup}: {item.title}", *_sections(item)])


def _sections(item: Coverage) -> Iterator[str]:
    judged = item.of_kind(Kind.JUDGED)
    if judged:
        yield _table(["Line", "Passage", "Judged by", "Parts"], map(_judged, judged))
    for kind, title in _TITLES.items():
        found = item.of_kind(kind)
        if kind in EXPLAINED:
            lines = [*map(_explained, found), *_explained_parts(item, kind)]
            if lines:
                yield f"**{title}**\n\n" + "\n".join(lines)
        elif found:
            yield f"**{title}.** {'; '.join(map(_short, found))}."


def _judged(entry: Entry) -> list[str]:
    return [
        str(entry.line),
        _code(entry.quote),
        _names(entry.claims),
        "; ".join(map(_part, entry.parts)),
    ]


def _names(claims: Iterable[str]) -> str:
    return ", ".join(f"`{claim}`" for claim in claims)


def _part(part: Part) -> str:
    if part.kind is Kind.JUDGED:
        return f"{part.says}: {_names(part.claims)}"
    if part.kind in EXPLAINED:
        return f"{part.says}: {part.kind}, see below"
    return f"{part.says}: {part.kind}, {part.note}"


def _explained(entry: Entry) -> str:
    return f"- Line {entry.line}, {_code(entry.quote)}: {entry.note}"


def _explained_parts(item: Coverage, kind: Kind) -> Iterator[str]:
    for entry, part in item.parts_of_kind(kind):
        yield f"- Line {entry.line}, part of {_code(entry.quote)}, {part.says}: {part.note}"


def _short(entry: Entry) -> str:
    return f"{entry.line} {_code(entry.quote)}"
