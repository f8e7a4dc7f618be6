"""Where one claim still looks for `run.probe_confidence`, until it is rewritten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lazarus_bench.session.runs import Run


def probe_confidence(run: Run, *asked: Any) -> Any:
    """`run.probe_confidence(train, test, held_out)`."""
    return run.probe_confidence(*asked)
