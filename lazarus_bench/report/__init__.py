"""One versioned report and its renderings: JSON, Markdown, HTML, the table after a pytest run.

Renderers are pure functions of a `Report`; nothing here trains, measures or judges. Names are
loaded on first use: a command that prints numbers needs no statistics. The page (`report.html`) is
not among them, since it loads a template engine that few sessions need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazarus_bench.report.defects import manifest_lines, quirks_line
    from lazarus_bench.report.files import write_text
    from lazarus_bench.report.markdown import render
    from lazarus_bench.report.pictures import write_pictures
    from lazarus_bench.report.pooling import pool_rows
    from lazarus_bench.report.schema import (
        SCHEMA_VERSION,
        Explained,
        JobRow,
        LensRow,
        LensTable,
        PooledClaim,
        PooledFamily,
        Report,
        Row,
        Secondary,
        load,
        save,
    )
    from lazarus_bench.report.terminal import amended_line, claims_table, pooled_line

__all__ = [
    "SCHEMA_VERSION",
    "Explained",
    "JobRow",
    "LensRow",
    "LensTable",
    "PooledClaim",
    "PooledFamily",
    "Report",
    "Row",
    "Secondary",
    "amended_line",
    "claims_table",
    "load",
    "manifest_lines",
    "pool_rows",
    "pooled_line",
    "quirks_line",
    "render",
    "save",
    "write_pictures",
    "write_text",
]

_MODULES = {
    "defects": "manifest_lines quirks_line",
    "files": "write_text",
    "markdown": "render",
    "pictures": "write_pictures",
    "pooling": "pool_rows",
    "schema": (
        "SCHEMA_VERSION Explained JobRow LensRow LensTable PooledClaim PooledFamily Report Row "
        "Secondary load save"
    ),
    "terminal": "amended_line claims_table pooled_line",
}
_HOMES = {name: home for home, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
