"""The pre-registration: what decides each claim, with a digest, as JSON and as Markdown.

It is drawn up from claims, read, compared and shown.
"""

from lazarus_bench.report.registry.amendments import Status, against, amended, differences, tally
from lazarus_bench.report.registry.file import (
    FILE,
    by_id,
    from_dict,
    load_registry,
    read_registered,
    to_text,
)
from lazarus_bench.report.registry.records import (
    RegisteredClaim,
    chosen,
    draw_up,
    drawn_up,
    of_family,
)
from lazarus_bench.report.registry.renderings import list_claims, render_claim, render_registry

__all__ = [
    "FILE",
    "RegisteredClaim",
    "Status",
    "against",
    "amended",
    "by_id",
    "chosen",
    "differences",
    "draw_up",
    "drawn_up",
    "from_dict",
    "list_claims",
    "load_registry",
    "of_family",
    "read_registered",
    "render_claim",
    "render_registry",
    "tally",
    "to_text",
]
