"""The pre-registration: what decides each claim, with a digest, as JSON and as Markdown.

`claims.registration` draws it up from claim files; here it is read, compared and shown.
"""

from lazarus_bench.report.registry.amendments import Status, against, differences, tally
from lazarus_bench.report.registry.file import from_dict, load_registry, to_text
from lazarus_bench.report.registry.records import RegisteredClaim
from lazarus_bench.report.registry.renderings import list_claims, render_claim, render_registry

__all__ = [
    "RegisteredClaim",
    "Status",
    "against",
    "differences",
    "from_dict",
    "list_claims",
    "load_registry",
    "render_claim",
    "render_registry",
    "tally",
    "to_text",
]
