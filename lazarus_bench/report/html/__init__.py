"""A report as one HTML file that needs no network, no other file and no library.

Templates hold the markup. Everything from a report is untrusted text: Jinja escapes it, and the
page's policy allows no request, no script and no style but the two written into it, by digest.
"""

from __future__ import annotations

import base64
import hashlib
import math
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lazarus_bench.figures.draw import Scale, stylesheet
from lazarus_bench.figures.forest import Axis, Lane
from lazarus_bench.judge import Outcome
from lazarus_bench.report import defects, printed, summary, wording
from lazarus_bench.report.html.claims import anchors, claim_views
from lazarus_bench.report.markup import visible
from lazarus_bench.report.schema import Report

__all__ = ["anchors", "page", "render_html"]

_SLUGS = {outcome: outcome.value.replace(" ", "-") for outcome in Outcome}
# HTML has no NUL and no other control character, UTF-8 no half of a surrogate pair.
_UNPRINTABLE = dict.fromkeys(
    (*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0xD800, 0xE000)),
    "\N{REPLACEMENT CHARACTER}",
)


def render_html(report: Report) -> str:
    """Render a report as one HTML page, ending in a newline."""
    views = claim_views(report)
    return page(
        "page.html.jinja",
        report=report,
        families=summary.grouped(views, lambda view: view.about.family),
        explained=defects.lines(report.rows),
        compared=[item for view in views for item in view.compared],
        subjects=summary.subjects(report.rows),
        outcomes=summary.outcomes(report.rows),
        moved=summary.moved(report.rows),
        amended=summary.amended(report.rows),
        claim_places={view.about.claim_id: view.anchor for view in views},
        job_places=anchors((job.digest for job in report.jobs), "job"),
    )


def page(template: str, **values: Any) -> str:
    """Fill in a page's template, whose style and script are written into it."""
    style, script = stylesheet() + "\n" + _asset("style.css"), _asset("behaviour.js")
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    found = _environment().get_template(template)
    return found.render(style=style, script=script, policy=policy, **values)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _asset(name: str) -> str:
    return resources.files(__name__).joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__name__),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {
        "printed": printed,
        "wording": wording,
        "summary": summary,
        "defects": defects,
        "slug": _SLUGS.__getitem__,
        "LEGEND": _legend(),
    }
    environment.filters |= {
        "visible": visible,
        "region": wording.region,
        "sentence": lambda text: text[:1].upper() + text[1:],
        "percent": _percent,
    }
    return environment


def _legend() -> str:
    sample = Lane(
        value=0.7,
        wide=(0.55, 0.85),
        plain=(0.6, 0.8),
        dots=((0.62, "seed 0: 0.62"), (0.69, "seed 1: 0.69"), (0.77, "seed 2: 0.77")),
    )
    told = (
        "The parts of a drawing: the region is tinted, the thick bar is the 95% interval, the thin "
        "one that of the verdict, small dots are seeds"
    )
    axis = Axis(scale=Scale(low=0.0, high=1.0), region=(0.4, math.inf))
    return axis.draw(sample, told=told, kind="supported key")


def _printable(value: Any) -> Any:
    plain = isinstance(value, str) and not hasattr(value, "__html__")
    return value.translate(_UNPRINTABLE) if plain else value


def _percent(share: float) -> float:
    """A fraction in percent; a probability that diverged has no length."""
    return round(100 * min(max(share, 0.0), 1.0), 1) if math.isfinite(share) else 0.0
