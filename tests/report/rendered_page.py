"""A report as a browser would have it, and the texts that could break out of it."""

import re
from html.parser import HTMLParser

from hypothesis import strategies as st
from markdown_it import MarkdownIt

# A NUL is no text in CommonMark: it becomes a replacement character.
NASTY = st.text(alphabet="|`\\\n <>&*_~[]()#$!:@ab12'\"-+.") | st.text(
    st.characters(exclude_characters="\x00", codec="utf-8")
)
TAGS = {"h2", "details", "summary", "code", "p", "table", "thead", "tbody", "tr", "th", "td"}


VOID = {"meta", "input", "br", "link", "img"}


class Page(HTMLParser):
    """A page's elements with attributes, table rows' cells, and text outside style and script."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.rows, self.text, self.summary, self._open = [], [], "", "", []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, text):
        if not {"script", "style"} & set(self._open):
            self.text += text
        if "summary" in self._open:
            self.summary += text
        elif {"td", "th"} & set(self._open):
            self.rows[-1][-1] += text

    @property
    def tags(self):
        return [tag for tag, _ in self.elements]

    def attributes(self, name):
        return [attrs[name] for _, attrs in self.elements if name in attrs]


def rendered(markdown):
    """The page that a browser would show of Markdown."""
    return Page(MarkdownIt("commonmark").enable("table").render(markdown))


def one_line(text):
    return re.sub(r"\s+", " ", text).strip()
