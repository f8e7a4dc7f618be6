"""One versioned report and its renderings: JSON, Markdown, HTML, the table after a pytest run.

Renderers are pure functions of a `Report`; nothing here trains, measures or judges. The page is
made by `report.html`, not imported here, since it loads a template engine that few sessions need.
"""

from lazarus_bench.report.charts import Curve, Curves, LayerCurves, LayerSeries, NullBand
from lazarus_bench.report.defects import quirks_line
from lazarus_bench.report.heatmap import HeatGroup, HeatMap, HeatRow
from lazarus_bench.report.markdown import render
from lazarus_bench.report.pictures import pictures, write_pictures
from lazarus_bench.report.pooling import pool_rows
from lazarus_bench.report.rows import (
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
)
from lazarus_bench.report.scatter import Scatter
from lazarus_bench.report.schema import load, save, write_text
from lazarus_bench.report.terminal import amended_line, claims_table, pooled_line

__all__ = [
    "SCHEMA_VERSION",
    "Curve",
    "Curves",
    "Explained",
    "HeatGroup",
    "HeatMap",
    "HeatRow",
    "JobRow",
    "LayerCurves",
    "LayerSeries",
    "LensRow",
    "LensTable",
    "NullBand",
    "PooledClaim",
    "PooledFamily",
    "Report",
    "Row",
    "Scatter",
    "Secondary",
    "amended_line",
    "claims_table",
    "load",
    "pictures",
    "pool_rows",
    "pooled_line",
    "quirks_line",
    "render",
    "save",
    "write_pictures",
    "write_text",
]
