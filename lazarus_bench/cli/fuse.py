"""`lazarus-bench fuse`: a model and its adapter become one whole model in a folder."""

from __future__ import annotations

import argparse
import hashlib
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lazarus_bench.cli import folders, subject, terminal
from lazarus_bench.cli.results import give
from lazarus_bench.report import printed

if TYPE_CHECKING:
    from lazarus_bench.analysis.fused import FusedChange
    from lazarus_bench.cli.subject import Found
    from lazarus_bench.jobs.spec import Job


def run(options: argparse.Namespace) -> int:
    """Fuse what `options` name and say how exactly it was done.

    Raises:
        UserError: a model, an adapter or a folder cannot be used.
    """
    found, folder = subject.find(options.model, options.adapter), Path(options.folder).expanduser()
    job = _job(found, dequantise=options.dequantise)
    there = folders.holds(folder, job.digest)
    if not there:
        folders.check_free(folder)
        folders.check_place(folder)
        _fuse(found, job, folder)
    found.warn_of_another()
    change = _change(found, folder)
    give(options, found, _result(job, folder, there, change), _shown(found, folder, there, change))
    return 0


def _job(found: Found, *, dequantise: bool) -> Job:
    """The fusing as a job whose base is the model with its adapter: what its digest covers."""
    from lazarus_bench.jobs.spec import Checkpoint, Job
    from lazarus_bench.models.files import fingerprint
    from lazarus_bench.training import Fuse

    assert found.adapter is not None
    both = f"{fingerprint(found.directory)} {fingerprint(found.adapter)}"
    base = Checkpoint(source=found.label, fingerprint=hashlib.sha256(both.encode()).hexdigest())
    return Job(recipe=Fuse(dequantise=dequantise), base=base, seed=0)


def _fuse(found: Found, job: Job, folder: Path) -> None:
    from lazarus_bench import backend
    from lazarus_bench.jobs.artifact import write_manifest, write_spec
    from lazarus_bench.jobs.attempts import Attempt
    from lazarus_bench.training.recipe import Stack

    assert found.adapter is not None
    attempt = Attempt(number=1, earlier=0.0, start=time.perf_counter())
    with terminal.busy(f"fusing {found.label}"), folders.new_folder(folder) as work:
        job.recipe.train(Stack(model=found.directory, adapter=found.adapter), work, job.seed)
        write_spec(work, job)
        write_manifest(work, job, backend.manifest().as_strings(), attempt)


def _change(found: Found, folder: Path) -> FusedChange:
    from lazarus_bench.analysis.fused import fused_change

    assert found.adapter is not None
    with terminal.busy("comparing logits"):
        return fused_change(found.directory, found.adapter, folder)


def _size(folder: Path) -> int:
    from lazarus_bench.jobs.stored import disk_use

    return disk_use(folder)


def _result(job: Job, folder: Path, there: bool, change: FusedChange) -> dict[str, Any]:
    """`change` is of logits after the writeups' eight prompts, root mean squares over tokens."""
    return {
        "directory": str(folder),
        "digest": job.digest,
        "already_there": there,
        "bytes": _size(folder),
        "change": asdict(change),
    }


def _shown(found: Found, folder: Path, there: bool, change: FusedChange) -> str:
    room = terminal.width()
    kept, lost = printed.number(change.adapter), printed.number(change.fusing)
    state = "is already in" if there else "fused into"
    what = terminal.wrapped(f"{found.label} {state} {folder}, {terminal.size(_size(folder))}", room)
    said = terminal.wrapped(
        f"logits after {change.prompts} prompts: the adapter moves them by {kept}, fusing by "
        f"another {lost} (root mean square)" + _warning(change),
        room,
    )
    return f"{what}\n{said}"


def _warning(change: FusedChange) -> str:
    """What a base that is quantised again can do to a small adapter."""
    if change.fusing <= 0.1 * change.adapter:
        return ""
    return (
        ": much of the adapter is lost, as happens where a quantised model is quantised again; "
        "--dequantise keeps it"
    )
