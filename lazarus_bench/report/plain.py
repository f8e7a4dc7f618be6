"""A report to and from plain JSON values; numbers that JSON lacks travel as strings."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from lazarus_bench.figures import (
    Curve,
    Curves,
    HeatGroup,
    HeatMap,
    HeatRow,
    LayerCurves,
    LayerSeries,
    NullBand,
    Scatter,
)
from lazarus_bench.judge import Estimate, Pooled, Verdict, from_json, to_json
from lazarus_bench.report.rows import (
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

_T = TypeVar("_T")
_Record = (
    Report
    | Row
    | LensTable
    | LensRow
    | JobRow
    | Curves
    | LayerCurves
    | LayerSeries
    | NullBand
    | PooledClaim
    | PooledFamily
    | Scatter
    | HeatMap
    | HeatGroup
    | HeatRow
)


def to_dict(report: Report) -> dict[str, Any]:
    """Turn a report into plain JSON values."""
    return {
        **_plain(report),
        "manifest": dict(report.manifest),
        "rows": [_row_to_dict(row) for row in report.rows],
        "lens_tables": [
            {**_plain(table), "rows": [_plain(row) for row in table.rows]}
            for table in report.lens_tables
        ],
        "jobs": [_plain(job) for job in report.jobs],
        "curves": [
            {**_plain(item), "series": [_curve_to_dict(curve) for curve in item.series]}
            for item in report.curves
        ],
        "layer_curves": [_layer_curves_to_dict(item) for item in report.layer_curves],
        "heatmaps": [_heatmap_to_dict(item) for item in report.heatmaps],
        "scatters": [_plain(item) for item in report.scatters],
        "pooled": [_pooled_to_dict(item) for item in report.pooled],
    }


def from_dict(data: Mapping[str, Any]) -> Report:
    """Build a report from the values that `to_dict` made."""
    return Report(
        **{
            **data,
            "rows": tuple(map(_row_from_dict, _listed(data["rows"]))),
            "lens_tables": tuple(map(_lens_from_dict, _listed(data["lens_tables"]))),
            "jobs": tuple(map(_job_from_dict, _listed(data["jobs"]))),
            "curves": tuple(map(_curves_from_dict, _listed(data["curves"]))),
            "layer_curves": tuple(map(_layer_curves_from_dict, _listed(data["layer_curves"]))),
            "heatmaps": tuple(map(_heatmap_from_dict, _listed(data["heatmaps"]))),
            "scatters": tuple(map(_scatter_from_dict, _listed(data["scatters"]))),
            "pooled": tuple(map(_pooled_from_dict, _listed(data["pooled"]))),
        }
    )


def _listed(value: Any) -> tuple[Any, ...]:
    """A list as a tuple; a word would fall into its letters."""
    if not isinstance(value, list | tuple):
        raise TypeError(f"a list is expected, not {value!r:.40}")
    return tuple(value)


def _plain(value: _Record) -> dict[str, Any]:
    return {field.name: _finite(getattr(value, field.name)) for field in fields(value)}


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity; a diverged run has, and its report must still be written."""
    if isinstance(value, tuple):
        return [_finite(item) for item in value]
    diverged = isinstance(value, float) and not math.isfinite(value)
    return str(value) if diverged else value


def _numbers(kind: type[_Record], data: Mapping[str, Any]) -> dict[str, Any]:
    floats = {field.name for field in fields(kind) if "float" in str(field.type)}
    return {
        name: float(value) if name in floats and isinstance(value, str) else value
        for name, value in data.items()
    }


def _row_to_dict(row: Row) -> dict[str, Any]:
    return {
        **_plain(row),
        "verdict": to_json(row.verdict),
        "published": None if row.published is None else to_json(row.published),
        "digests": list(row.digests),
        "secondary": [
            {"label": item.label, "estimate": to_json(item.estimate)} for item in row.secondary
        ],
        "explained": [
            {
                "reads": item.reads,
                **{name: _maybe(getattr(item, name)) for name in _MEASURED},
                **({} if item.span is None else {"span": list(item.span)}),
            }
            for item in row.explained
        ],
    }


_MEASURED = ("published", "on", "off")


def _maybe(estimate: Estimate | None) -> Any:
    return None if estimate is None else to_json(estimate)


def _row_from_dict(data: Mapping[str, Any]) -> Row:
    published = data["published"]
    return Row(
        **{
            **_numbers(Row, data),
            "verdict": _read(data["verdict"], Verdict),
            "published": None if published is None else _read(published, Verdict),
            "digests": _listed(data["digests"]),
            "amended": _listed(data.get("amended", ())),
            "secondary": tuple(
                Secondary(label=item["label"], estimate=_read(item["estimate"], Estimate))
                for item in data["secondary"]
            ),
            "quirks": _listed(data.get("quirks", ())),
            "explained": tuple(map(_explained_from_dict, data.get("explained", ()))),
        }
    )


def _explained_from_dict(data: Mapping[str, Any]) -> Explained:
    published, on, off = (data[name] and _read(data[name], Estimate) for name in _MEASURED)
    span = data.get("span")
    if span is not None:
        low, high = map(float, span)
        span = (low, high)
    return Explained(reads=data["reads"], published=published, on=on, off=off, span=span)


def _job_from_dict(data: Mapping[str, Any]) -> JobRow:
    return JobRow(**{**_numbers(JobRow, data), "quirks": _listed(data.get("quirks", ()))})


def _lens_from_dict(data: Mapping[str, Any]) -> LensTable:
    rows = tuple(LensRow(**_numbers(LensRow, row)) for row in data["rows"])
    return LensTable(**{**data, "rows": rows})


def _curve_to_dict(curve: Curve) -> dict[str, Any]:
    lines = [[[_finite(x), _finite(y)] for x, y in line] for line in curve.lines]
    return {"name": curve.name, "lines": lines}


def _curves_from_dict(data: Mapping[str, Any]) -> Curves:
    series = tuple(
        Curve(
            name=curve["name"],
            lines=tuple(tuple((float(x), float(y)) for x, y in line) for line in curve["lines"]),
        )
        for curve in data["series"]
    )
    return Curves(**{**data, "series": series})


def _layer_curves_to_dict(item: LayerCurves) -> dict[str, Any]:
    series = [_plain(one) for one in item.series]
    return {**_plain(item), "series": series, "null": _plain(item.null) if item.null else None}


def _layer_curves_from_dict(data: Mapping[str, Any]) -> LayerCurves:
    series, null = data["series"], data["null"]
    return LayerCurves(
        **{
            **data,
            "layers": _listed(data["layers"]),
            "series": tuple(LayerSeries(**_columns(one)) for one in series),
            "null": None
            if null is None
            else NullBand(**{**_columns(null), "upper": float(null["upper"])}),
        }
    )


def _columns(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `data`, its lists as tuples of floats."""
    return {
        name: tuple(map(float, value)) if isinstance(value, list) else value
        for name, value in data.items()
    }


def _heatmap_to_dict(item: HeatMap) -> dict[str, Any]:
    groups = [
        {**_plain(group), "rows": [_plain(row) for row in group.rows]} for group in item.groups
    ]
    return {**_plain(item), "groups": groups}


def _heatmap_from_dict(data: Mapping[str, Any]) -> HeatMap:
    groups = tuple(
        HeatGroup(**{**group, "rows": tuple(HeatRow(**_columns(row)) for row in group["rows"])})
        for group in data["groups"]
    )
    return HeatMap(**{**data, "groups": groups})


def _scatter_from_dict(data: Mapping[str, Any]) -> Scatter:
    x, y = map(float, data["explained"])
    points = tuple((float(x), float(y), int(label)) for x, y, label in data["points"])
    return Scatter(
        **{**data, "classes": _listed(data["classes"]), "points": points, "explained": (x, y)}
    )


def _pooled_to_dict(item: PooledClaim) -> dict[str, Any]:
    result = None if item.result is None else to_json(item.result)
    return {
        **_plain(item),
        "families": [_plain(family) for family in item.families],
        "result": result,
    }


def _pooled_from_dict(data: Mapping[str, Any]) -> PooledClaim:
    result = data["result"]
    return PooledClaim(
        **{
            **data,
            "families": tuple(
                PooledFamily(
                    **{**_numbers(PooledFamily, one), "subjects": _listed(one["subjects"])}
                )
                for one in data["families"]
            ),
            "left_out": tuple((subject, reason) for subject, reason in data["left_out"]),
            "result": None if result is None else _read(result, Pooled),
        }
    )


def _read(data: dict[str, Any], kind: type[_T]) -> _T:
    value = from_json(data)
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} is expected, not {type(value).__name__}")
    return value
