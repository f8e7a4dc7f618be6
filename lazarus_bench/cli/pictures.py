"""--plot FILE: a heat map as SVG, drawn here, or as PNG by matplotlib, the extra `plots`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path

from lazarus_bench.errors import UserError
from lazarus_bench.report.files import check_place, unwritable, write_text
from lazarus_bench.report.heatmap import HeatMap, HeatRow
from lazarus_bench.report.heatmap_scale import PROBABILITY, Scale
from lazarus_bench.report.heatmap_svg import label, svg

LONGEST = 40
"""Characters of a prompt that are drawn."""


def check_plot(named: str | None) -> None:
    """Make sure that the picture can be drawn, before anything is read.

    Raises:
        UserError: its name ends in something else than .svg or .png, or PNG lacks matplotlib,
            or the file cannot be written.
    """
    if named is None:
        return
    ending = Path(named).suffix.lower()
    if ending not in (".svg", ".png"):
        raise UserError(f"--plot {named} cannot be drawn: end its name in .svg or .png")
    if ending == ".png" and find_spec("matplotlib") is None:
        raise UserError(
            f"--plot {named} needs matplotlib: `pip install matplotlib`, or end the name in .svg"
        )
    check_place(Path(named).expanduser(), "picture")


def heat_row(prompt: str, gold: str, probability: Sequence[float]) -> HeatRow:
    """One row of numbers, a layer each."""
    return HeatRow(prompt=prompt, gold=gold, probability=tuple(map(float, probability)))


def write(item: HeatMap, named: str, outlined: Collection[int], scale: Scale = PROBABILITY) -> None:
    """Draw `item` into the file.

    Raises:
        UserError: it cannot be written.
    """
    file = Path(named).expanduser()
    if file.suffix.lower() == ".png":
        from lazarus_bench.report.heatmap_png import png

        write_bytes(png(item, outlined=outlined, longest=LONGEST, scale=scale), file)
        return
    rows = [row for group in item.groups for row in group.rows]
    longest = max(len(label(row, LONGEST)) for row in rows)
    write_text(svg(item, outlined=outlined, longest=longest, scale=scale), file, "picture")


def write_bytes(content: bytes, file: Path) -> None:
    """Write beside and rename, so that nobody sees half a picture."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as stream:
            stream.write(content)
        Path(stream.name).chmod(0o644)
        os.replace(stream.name, file)  # noqa: PTH105 - a temporary file's name is a string
    except OSError as error:
        raise unwritable(file, "picture", error) from error
