"""--plot FILE: a figure as SVG, or rasterised to PNG (the extra `png`)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from lazarus_bench.errors import UserError
from lazarus_bench.report.files import check_place, unwritable, write_text


def check_plot(named: str | None) -> None:
    """Make sure that the figure can be drawn and written, before anything is read.

    Raises:
        UserError: its name ends in something else than .svg or .png, a PNG cannot be made here, or
            the file cannot be written.
    """
    if named is None:
        return
    ending = Path(named).suffix.lower()
    if ending not in (".svg", ".png"):
        raise UserError(f"--plot {named} cannot be drawn: end its name in .svg or .png")
    if ending == ".png":
        from lazarus_bench.figures.draw import check_png

        check_png(f"--plot {named}")
    check_place(Path(named).expanduser(), "picture")


def write_figure(svg: str, named: str) -> None:
    """Write an SVG into the file, rasterised where the file's name ends in .png.

    Raises:
        UserError: it cannot be written.
    """
    file = Path(named).expanduser()
    if file.suffix.lower() != ".png":
        write_text(svg, file, "picture")
        return
    from lazarus_bench.figures.draw import png

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Beside it and renamed, so that nobody sees half a picture.
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as stream:
            stream.write(png(svg))
        Path(stream.name).chmod(0o644)
        os.replace(stream.name, file)  # noqa: PTH105 - a temporary file's name is a string
    except OSError as error:
        raise unwritable(file, "picture", error) from error
