"""One versioned report and its renderings: `report.json`, Markdown, the table after a pytest run.

Renderers are pure functions of a `Report`; nothing here trains, measures or judges.
"""

from lazarus_bench.report.markdown import render
from lazarus_bench.report.rows import (
    SCHEMA_VERSION,
    Curve,
    Curves,
    JobRow,
    LensRow,
    LensTable,
    Report,
    Row,
    Secondary,
)
from lazarus_bench.report.schema import load, save, write_text
from lazarus_bench.report.terminal import claims_table

__all__ = [
    "SCHEMA_VERSION",
    "Curve",
    "Curves",
    "JobRow",
    "LensRow",
    "LensTable",
    "Report",
    "Row",
    "Secondary",
    "claims_table",
    "load",
    "render",
    "save",
    "write_text",
]
