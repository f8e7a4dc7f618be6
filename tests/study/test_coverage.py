"""Every passage with a number has a claim or a reason, and the page says so."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypotheses.writeups.coverage import (
    WRITEUPS,
    Coverage,
    Entry,
    Kind,
    Part,
    Passage,
    coverage,
    passages,
    render,
)
from lazarus_bench.claims.claim_files import read_claims

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "reports" / "coverage.md"


@pytest.fixture(scope="module")
def registered():
    """All claims by id, as the claim files register them."""
    return {claim.id: claim for claim in read_claims(ROOT / "hypotheses")}


@pytest.mark.parametrize("name", WRITEUPS)
def test_every_passage_with_a_number_has_one_entry(writeup, name):
    found = passages(writeup(name))
    said = coverage(name)
    assert [(p.line, p.text[:60]) for p in said.missing(found)] == []
    assert [(e.line, e.quote) for e in said.stale(found)] == []
    assert len(said.entries) == len(found) > 20


@pytest.mark.parametrize("name", WRITEUPS)
def test_entries_are_in_the_order_of_the_text(name):
    said = coverage(name)
    lines = [entry.line for entry in said.entries]
    assert lines == sorted(lines)
    assert said.file == name


def test_every_claim_that_is_named_exists(registered):
    unknown = [(name, list(coverage(name).unknown(registered))) for name in WRITEUPS]
    assert unknown == [(name, []) for name in WRITEUPS]


def test_every_claim_with_a_printed_number_is_named_by_the_passage_that_prints_it(registered):
    entries = [entry for name in WRITEUPS for entry in coverage(name).entries]
    named = {claim for entry in entries for claim in entry.named}
    printed = {name for name, claim in registered.items() if claim.published is not None}
    assert {name for name in printed if not {name, name.partition("[")[0]} & named} == set()


def test_the_page_is_the_one_that_the_entries_make():
    page = render([coverage(name) for name in WRITEUPS])
    assert PAGE.read_text(encoding="utf-8") == page, (
        "reports/coverage.md is stale: python -m hypotheses.writeups.coverage > reports/coverage.md"
    )


ADMITS = ("not judged", "is not", "not covered", "would take", "not separated", "See line", "open")
"""Words by which a note once admitted that something of a judged passage is not judged."""


def test_no_judged_passage_admits_in_words_what_nothing_judges():
    """What is left out of a judged passage is a part of it, with its own reason."""
    for name in WRITEUPS:
        for entry in coverage(name).of_kind(Kind.JUDGED):
            assert entry.note == "", (name, entry.line)
            judged = [part for part in entry.parts if part.kind is Kind.JUDGED]
            assert all(part.claims and not part.note for part in judged)
            said = [part.says for part in judged if any(word in part.says for word in ADMITS)]
            assert said == [], (name, entry.line)


def test_every_part_that_is_judged_is_judged_by_claims_of_its_passage():
    """So that who reads the passage's claims alone misses none."""
    apart = [
        (name, entry.line, part.says)
        for name in WRITEUPS
        for entry in coverage(name).entries
        for part in entry.parts
        if not set(part.claims) <= set(entry.claims)
    ]
    assert apart == []


def test_no_passage_or_part_is_left_without_a_claim_or_a_reason():
    for name in WRITEUPS:
        said = coverage(name)
        assert said.parts_of_kind(Kind.NOT_COVERED) == said.of_kind(Kind.NOT_COVERED) == ()
        assert all(part.note for _, part in said.parts_of_kind(Kind.UNTESTABLE))


def test_no_long_passage_of_a_writeup_is_copied():
    for name in WRITEUPS:
        assert max(len(entry.quote) for entry in coverage(name).entries) <= 50


TEXT = """\
# Title of Llama-3.2-1B

Prose on GPT-OSS 20B without any. It holds 5% of it. Then
it goes on, e.g. to L13! And ends.

1. First item
2. Second item has 3 parts
   and more. None here.
- bullet of 0.5

| A | B |
|---|---|
| x | 7 |

```
no number here
```
```
step 1
```
### 2. Numbered heading
### Layer 2
Two words.
"""


def test_passages_are_sentences_and_whole_blocks():
    found = [(p.line, p.kind, p.text) for p in passages(TEXT)]
    assert found == [
        (3, "sentence", "It holds 5% of it."),
        (3, "sentence", "Then it goes on, e.g. to L13!"),
        (7, "sentence", "Second item has 3 parts and more."),
        (9, "sentence", "bullet of 0.5"),
        (11, "table", "| A | B |\n|---|---|\n| x | 7 |"),
        (18, "code", "```\nstep 1\n```"),
        (22, "heading", "Layer 2"),
        (23, "sentence", "Two words."),
    ]


@given(st.lists(st.sampled_from(TEXT.splitlines()), max_size=30))
def test_no_digit_of_prose_is_lost(lines):
    """Whatever the order of lines, each one with a lone digit word is in some passage."""
    marked = [*lines, "```" if lines.count("```") % 2 else "", "", "Here are 4711 of them."]
    assert any("4711" in passage.text for passage in passages("\n".join(marked)))


JUDGED_PART = Part(says="y", claims=("a/b",))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "names 0 claims"),
        ({"kind": Kind.LABEL, "claims": ("a/b",)}, "names 1 claims"),
        ({"kind": Kind.NOT_COVERED}, "without a note"),
        ({"quote": " ", "kind": Kind.LABEL}, "quotes nothing"),
        (
            {"claims": ("a/b",), "note": "y is not judged"},
            "line 1 is judged and has a note: make what it leaves",
        ),
        ({"kind": Kind.LABEL, "parts": (JUDGED_PART,)}, "line 1 is label and has parts"),
    ],
)
def test_an_entry_owes_a_claim_or_a_reason_and_what_it_leaves_out_is_a_part(fields, message):
    with pytest.raises(ValueError, match=message):
        Entry(**{"line": 1, "quote": "x"} | fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "the part 'y' is judged and names 0 claims"),
        ({"claims": ("a/b",), "note": "but not z"}, "the part 'y' is judged and has a note"),
        ({"kind": Kind.UNTESTABLE}, "the part 'y' is untestable without a note"),
        ({"kind": Kind.CONFIGURATION}, "the part 'y' is configuration without a note"),
        ({"kind": Kind.UNTESTABLE, "claims": ("a/b",), "note": "why"}, "names 1 claims"),
        ({"says": " ", "claims": ("a/b",)}, "says nothing"),
    ],
)
def test_a_part_owes_a_claim_or_a_reason(fields, message):
    with pytest.raises(ValueError, match=message):
        Part(**{"says": "y"} | fields)


def _said(*entries):
    return Coverage(writeup="A", file="a", title="T", entries=entries)


def test_what_is_missing_stale_or_unknown_is_named():
    known, other = (Passage(line=n, kind="sentence", text=f"{n} of 8") for n in (1, 2))
    said = _said(
        Entry(line=1, quote="1 of 8", claims=("f/one", "f/two[x]", "f/gone")),
        Entry(line=9, quote="nothing", kind=Kind.LABEL),
    )
    assert list(said.missing([known, other])) == [other]
    assert [entry.line for entry in said.stale([known, other])] == [9]
    assert list(said.unknown({"f/one[a]", "f/two[x]"})) == ["f/gone"]
    part = Part(says="a part", claims=("f/lost",))
    whole = _said(Entry(line=1, quote="1", claims=("f/one",), parts=(part,)))
    assert list(whole.unknown({"f/one"})) == ["f/lost"]


def test_two_entries_for_one_passage_are_no_answer():
    passage = Passage(line=1, kind="sentence", text="1 of 8")
    twice = Entry(line=1, quote="1", kind=Kind.LABEL), Entry(line=1, quote="8", kind=Kind.LABEL)
    assert list(_said(*twice).missing([passage])) == [passage]


def test_a_page_survives_bars_and_backquotes():
    page = render(
        [
            _said(
                Entry(
                    line=1,
                    quote="a | `b` | 3",
                    claims=("f/one",),
                    parts=(
                        Part(says="the 3", claims=("f/one",)),
                        Part(says="the b", kind=Kind.UNTESTABLE, note="no number of it."),
                        Part(says="the a", kind=Kind.CONFIGURATION, note="a size"),
                    ),
                ),
                Entry(line=2, quote="c 4", kind=Kind.UNTESTABLE, note="Why."),
                Entry(line=3, quote="d 5", kind=Kind.CONFIGURATION),
            )
        ]
    )
    assert (
        r"| 1 | `` a \| `b` \| 3 `` | `f/one` | the 3: `f/one`; the b: untestable, see below; "
        "the a: configuration, a size |" in page
    )
    assert r"- Line 1, part of `` a \| `b` \| 3 ``, the b: no number of it." in page
    assert "- Line 2, `c 4`: Why." in page
    assert "**Configuration, not a result.** 3 `d 5`." in page
    assert "| A, T | 3 | 1 | 0 | 1 | 1 | 0 | 1 |" in page
