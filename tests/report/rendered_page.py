"""A report's Markdown as a browser would have it, and the texts that could break out of it."""

import re
from html.parser import HTMLParser

from hypothesis import strategies as st
from markdown_it import MarkdownIt

# A NUL is no text in CommonMark: it becomes a replacement character.
NASTY = st.text(alphabet="|`\\\n <>&*_~[]()#$!:@ab12'\"-+.") | st.text(
    st.characters(exclude_characters="\x00", codec="utf-8")
)
TAGS = {"h2", "details", "summary", "code", "p", "table", "thead", "tbody", "tr", "th", "td"}


class Page(HTMLParser):
    """The rendered page: its tags in order, and the text of each table row's cells."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.summary, self._open = [], [], "", []
        self.feed(MarkdownIt("commonmark").enable("table").render(text))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag != "br":
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, text):
        if "summary" in self._open:
            self.summary += text
        elif {"td", "th"} & set(self._open):
            self.rows[-1][-1] += text


def one_line(text):
    return re.sub(r"\s+", " ", text).strip()
