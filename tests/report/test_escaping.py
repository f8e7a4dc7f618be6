"""Whatever a token holds, it stays in its table cell and can be read."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.report.markup import code, prose, table, token, unescaped

NASTY = st.text(alphabet="|`\\\n\r\t <>&*_~[]()#$!:@ab12'\"…҆\x00\u2028") | st.text()
UNESCAPED_PIPE = re.compile(r"(?<!\\)\|")


@given(NASTY)
def test_text_never_leaves_its_cell_and_a_terminal_shows_its_words(text):
    laid_out = table(["token", "prose", "code"], [[token(text), prose(text), code(text)]])
    lines = laid_out.splitlines()
    assert len(lines) == 3
    assert all(len(UNESCAPED_PIPE.findall(line)) == 4 for line in lines)
    assert len(prose(text).splitlines()) <= 1
    assert not re.search(r"(?<!\\)<", prose(text))
    assert token(text) != token(text + "x")
    words = re.sub(r"\s+", " ", text).strip()
    assert unescaped(prose(text)) == words
    shown = unescaped(f"{code(text)}: {prose(text)}").removesuffix(f": {words}")
    assert shown in (words, f"`{words}`")


@given(NASTY)
def test_code_holds_one_span_whose_content_reads_back(text):
    shown = code(text)
    if shown.startswith("`"):
        content = shown[1:-1]
        assert "`" not in content
    else:
        content = html.unescape(shown.removeprefix("<code>").removesuffix("</code>"))
        assert not re.search(r"[<>*_`|]", shown[len("<code>") : -len("</code>")])
    assert content == re.sub(r"\s+", " ", text).strip()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" Multiply", "`␣Multiply`"),
        ("|", "<code>&#124;</code>"),
        ("`", "<code>&#96;</code>"),
        ("\n", "<code>&#92;n</code>"),
        ("/***/", "`/***/`"),
        ("…", "`…`"),
        ("", "∅"),
        ("\u0486", "`◌\u0486`"),
        ("<b>", "`<b>`"),
    ],
)
def test_published_tokens_can_be_read(text, shown):
    assert token(text) == shown


def test_prose_keeps_tildes_and_stars_from_meaning_anything():
    assert prose("~0% of *all*\n| ok") == r"\~0% of \*all\* \| ok"
