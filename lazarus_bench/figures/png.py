"""A figure's SVG as PNG, rasterised by resvg (the extra `png`)."""

from functools import cache
from importlib.util import find_spec

from lazarus_bench.errors import UserError

SCALE = 2
"""Pixels of the PNG for each of the SVG."""


def check_png(named: str) -> None:
    """Make sure that a PNG can be made, before anything is read for it.

    Args:
        named: the option and file that asked for it, as an error begins.

    Raises:
        UserError: resvg is missing, or the machine has no font for it.
    """
    if find_spec("resvg_py") is None:
        raise UserError(
            f"{named} needs resvg: `pip install 'lazarus-bench[png]'`, or end the name in .svg"
        )
    if not _letters():
        raise UserError(
            f"{named} needs a font and this machine has none: install one (such as "
            f"fonts-dejavu-core), or end the name in .svg"
        )


def png(svg: str) -> bytes:
    """Rasterise an SVG, its letters in the machine's fonts."""
    from resvg_py import svg_to_bytes

    return svg_to_bytes(svg_string=svg, zoom=SCALE, background="#ffffff")


@cache
def _letters() -> bool:
    """Whether a letter leaves a trace; resvg draws text without a font as nothing."""
    frame = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">{}</svg>'
    letter = '<text x="2" y="16" font-family="sans-serif" font-size="16">M</text>'
    return png(frame.format(letter)) != png(frame.format(""))
