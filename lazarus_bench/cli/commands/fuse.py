"""Merge an adapter into its model.

Adds the adapter to the weights it adapts and writes a complete model in Hugging Face layout with a
manifest.json. A quantised model is quantised again, which can undo much of a small adapter; the
command prints how far the logits moved.

Examples:
    lazarus-bench fuse lab:llama --adapter adapters --output fused
    lazarus-bench fuse MODEL-4bit --adapter adapters --output fused --dequantise
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from lazarus_bench.cli import inputs, outputs, terminal
from lazarus_bench.cli.flags import Json, Line, Model, Output, StoreFolder
from lazarus_bench.cli.outputs import give
from lazarus_bench.figures.tables import wrapped
from lazarus_bench.models import precision

if TYPE_CHECKING:
    from lazarus_bench.cli.inputs import Found
    from lazarus_bench.jobs.spec import Job


def run(
    model: Model,
    /,
    *,
    adapter: Annotated[
        str, Parameter(metavar="DIR", help="an adapter of MODEL in mlx-lm's format")
    ],
    folder: Annotated[
        str,
        Parameter(
            name="--output",
            metavar="DIR",
            help="the folder to write; it must be empty or already contain the same model",
        ),
    ],
    dequantise: Annotated[
        bool, Parameter(help="write float weights, which makes the merge exact")
    ] = False,
    store: StoreFolder = None,
    dtype: Annotated[
        precision.Dtype,
        Parameter(
            metavar="TYPE",
            help="add and write in this type: float32, bfloat16, float16, or auto, which is as "
            "stored (default: auto)",
        ),
    ] = precision.AUTO,
    as_json: Json = False,
    line: Line,
) -> int:
    """Fuse MODEL with its adapter and say how exactly it was done."""
    wish = None if dtype == precision.AUTO else dtype
    found = inputs.find(model, adapter, store=store, dtype=wish)
    place = Path(folder).expanduser()
    job = _job(found, dequantise=dequantise)
    there = outputs.holds(place, job.digest)
    if not there:
        outputs.check_free(place)
        outputs.check_folder(place)
        _fuse(found, job, place)
    found.warn_of_another()
    from lazarus_bench.analysis.logits import fused_change
    from lazarus_bench.jobs.artifact import disk_use

    assert found.adapter is not None
    with terminal.busy("comparing logits"), precision.weights_as(found.precision.dtype):
        change = fused_change(found.directory, found.adapter, place)
    amount, room = disk_use(place), terminal.width()
    result = {
        "directory": str(place),
        "digest": job.digest,
        "already_there": there,
        "bytes": amount,
        "change": asdict(change),
    }
    state = "is already in" if there else "fused into"
    what = f"{found.label} {state} {place}, {terminal.size(amount)}"
    text = "\n".join(wrapped(said, room) for said in (what, str(change)))
    give(found, line, Output(json=as_json), result, text)
    return 0


def _job(found: Found, *, dequantise: bool) -> Job:
    """The fusing as a job whose base is the model with its adapter: what its digest covers."""
    from lazarus_bench.jobs.spec import Checkpoint, Job
    from lazarus_bench.models.files import fingerprint
    from lazarus_bench.training import Fuse

    assert found.adapter is not None
    both = f"{fingerprint(found.directory)} {fingerprint(found.adapter)}"
    base = Checkpoint(source=found.label, fingerprint=hashlib.sha256(both.encode()).hexdigest())
    recipe = Fuse(dequantise=dequantise)
    return Job(recipe=recipe, base=base, seed=0, dtype=found.precision.dtype)


def _fuse(found: Found, job: Job, folder: Path) -> None:
    from lazarus_bench import backend
    from lazarus_bench.jobs.artifact import Attempt, write_manifest, write_spec
    from lazarus_bench.training.recipe import Stack

    assert found.adapter is not None
    attempt = Attempt(number=1, earlier=0.0, start=time.perf_counter())
    with terminal.busy(f"fusing {found.label}"), outputs.new_folder(folder) as work:
        with precision.weights_as(job.dtype):
            job.recipe.train(Stack(model=found.directory, adapter=found.adapter), work, job.seed)
        write_spec(work, job)
        write_manifest(work, job, backend.manifest(job.dtype).as_strings(), attempt)
