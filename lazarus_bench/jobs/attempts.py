"""Attempts: how often and how long a job was worked on by processes that were killed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lazarus_bench.jobs.spec import Job

ATTEMPT = "attempt.json"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The `number`-th process at work on a job, `earlier` seconds after the first began."""

    number: int
    earlier: float
    start: float

    def seconds(self) -> float:
        """What all attempts have taken until now."""
        return self.earlier + time.perf_counter() - self.start


def read_object(file: Path) -> Mapping[str, Any]:
    """The JSON object in `file`.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else.
    """
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 (the file is wrong, not the caller)
    return content


def below(directory: Path) -> Iterator[Path]:
    """The files at `directory`; what vanishes meanwhile is left out, unlike with `Path.rglob`."""
    for parent, _, names in os.walk(directory):
        yield from (Path(parent, name) for name in names)


def newest(directory: Path) -> float:
    """When anything at `directory` changed last, seconds since the epoch; 0 when it is gone."""
    times = [0.0]
    for path in (directory, *below(directory)):
        try:
            times.append(path.stat().st_mtime)
        except OSError:  # its process may be at work
            continue
    return max(times)


def past(directory: Path) -> tuple[int, float]:
    """How many attempts were made at `directory`, and the seconds they took.

    A killed process cannot write how long it was at work; the newest file tells it.
    """
    try:
        last = read_object(directory / ATTEMPT)
        worked = max(0.0, newest(directory) - float(last["started"]))
        return int(last["attempts"]), float(last["seconds"]) + worked
    except (OSError, ValueError, KeyError, TypeError):
        # A power cut may empty this file; only the account of time is lost with it.
        return 0, 0.0


def begin(directory: Path, job: Job) -> Attempt:
    """Count one more attempt at `directory`, and note whose it is for those who look."""
    number, earlier = past(directory)
    note = {
        "label": job.label,
        "seed": job.seed,
        "attempts": number + 1,
        "seconds": earlier,
        "started": time.time(),
    }
    beside = directory / f"{ATTEMPT}.new"
    beside.write_text(json.dumps(note) + "\n", encoding="utf-8")
    beside.replace(directory / ATTEMPT)
    return Attempt(number=number + 1, earlier=earlier, start=time.perf_counter())
