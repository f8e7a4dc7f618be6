"""The pictures that a report's Markdown links: SVG files in folders beside it."""

from collections.abc import Collection, Mapping
from pathlib import Path

from lazarus_bench.errors import UserError
from lazarus_bench.report import heatmap_section, heatmap_svg, scatter
from lazarus_bench.report.files import write_text
from lazarus_bench.report.layout import is_picture, picture
from lazarus_bench.report.rows import Report

FOLDERS = (heatmap_section.FOLDER, scatter.FOLDER)


def pictures(report: Report) -> Mapping[str, str]:
    """The SVG of each picture by its path beside the Markdown file."""
    heat = map(heatmap_svg.svg, report.heatmaps)
    points = map(scatter.svg, report.scatters)
    drawn = zip(FOLDERS, (heat, points), strict=True)
    return {picture(folder, at): svg for folder, own in drawn for at, svg in enumerate(own)}


def write_pictures(report: Report, folder: Path) -> None:
    """Write the pictures that the Markdown file in `folder` links, and remove an earlier report's.

    Only files with names as these are removed.

    Raises:
        UserError: The folder cannot be written.
    """
    wanted = pictures(report)
    for name in FOLDERS:
        _clear(folder / name, {Path(path).name for path in wanted if path.startswith(f"{name}/")})
    for path, drawn in wanted.items():
        write_text(drawn, folder / path)


def _clear(folder: Path, wanted: Collection[str]) -> None:
    try:
        for file in folder.glob("*.svg"):
            if is_picture(file.name) and file.name not in wanted and file.is_file():
                file.unlink()
    except OSError as error:
        raise UserError(
            f"cannot remove an earlier report's pictures from {folder}; name another folder"
        ) from error
