"""Lens heat maps in Markdown: a picture, what it shows in words, its numbers folded below."""

from collections.abc import Iterator, Sequence

from lazarus_bench.report import printed
from lazarus_bench.report.escaping import code, prose, token
from lazarus_bench.report.heatmap import HeatGroup, HeatMap, HeatRow, course, over
from lazarus_bench.report.layout import fold, picture, table
from lazarus_bench.report.sparkline import spread

FOLDER = "heatmaps"

_ALT = "probability of the operation's name by colour, a row a prompt, a column a layer"
_READING = (
    "Lens probability of the word that names a prompt's operation, at every layer. Outlined is the "
    "classifier layer. One colour scale for all, logarithmic, two colours a factor of ten."
)
_COLUMNS = 8


def heatmap_section(items: Sequence[HeatMap]) -> Iterator[str]:
    """Link all heat maps below one heading; nothing where there are none."""
    if items:
        yield f"## Lens heat maps\n\n{_READING}"
        yield from (_linked(item, at) for at, item in enumerate(items))


def _linked(item: HeatMap, at: int) -> str:
    heading = f"### {prose(item.title)}: {code(item.subject)}"
    said = f"{prose(_sentence(over(item)))}. {prose(_sentence(course(item)))}."
    numbers = fold("Numbers", iter([_table(item)]))
    return f"{heading}\n\n![{_ALT}]({picture(FOLDER, at)})\n\n{said}\n\n{numbers}"


def _table(item: HeatMap) -> str:
    layers = spread(range(item.depth), _COLUMNS)
    header = ["Prompts", "Prompt", "Name", *(f"L{layer}" for layer in layers)]
    lines = (line for group in item.groups for line in _lines(group, layers))
    return table(header, lines, right="   " + "r" * len(layers))


def _lines(group: HeatGroup, layers: Sequence[int]) -> Iterator[list[str]]:
    for position, row in enumerate(group.rows):
        yield [prose(group.name) if position == 0 else "", *_cells(row, layers)]


def _cells(row: HeatRow, layers: Sequence[int]) -> list[str]:
    prompt = token(row.prompt.rstrip()).replace("␣", " ")
    return [prompt, prose(row.gold), *(printed.number(row.probability[at]) for at in layers)]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
