"""--plot FILE of a training: its curves as SVG, drawn here, or as PNG by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lazarus_bench.cli.pictures import write_bytes
from lazarus_bench.report.charts import Curves
from lazarus_bench.report.files import write_text
from lazarus_bench.report.training_curves_svg import svg


def write_curves(items: Sequence[Curves], named: str) -> None:
    """Draw `items` into the file.

    Raises:
        UserError: it cannot be written.
    """
    file = Path(named).expanduser()
    if file.suffix.lower() == ".png":
        from lazarus_bench.report.training_curves_png import png

        write_bytes(png(items), file)
        return
    write_text(svg(items), file, "picture")
