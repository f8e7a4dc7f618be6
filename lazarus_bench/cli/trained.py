"""What `train` tells: how the training went, where it lies, and its curves as a picture."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lazarus_bench.cli import terminal
from lazarus_bench.cli.flags import CommandLine, Output
from lazarus_bench.cli.outputs import give, write_figure
from lazarus_bench.figures import Curve, Curves, trainings
from lazarus_bench.figures.tables import table, wrapped
from lazarus_bench.report import printed
from lazarus_bench.training.record import METRICS, StepMetrics, latest, read_thinned

if TYPE_CHECKING:
    from lazarus_bench.cli.commands.train import Trained
    from lazarus_bench.cli.inputs import Found
    from lazarus_bench.tasks.labelled_data import LabelledData
    from lazarus_bench.training.engram import TrainingTexts

ROWS = 11
"""Lines of a training's table; its first step and ten stretches."""

POINTS = 101
VALIDATION = "validation.json"
SPLITS = ("train", "validation")


def show(
    recipe: str,
    found: Found,
    results: Sequence[Trained],
    line: CommandLine,
    *,
    as_json: bool,
    plot: str | None,
    readable: str,
) -> None:
    """Print what came of the trainings, and draw them with --plot.

    `readable` is what another command calls the model that they began with.

    Raises:
        UserError: the picture cannot be written.
    """
    if plot is not None:
        drawn = [_curves(t, found) for t in results if _log(t, POINTS)]
        write_figure(trainings(drawn), plot)
    result = {"recipe": recipe, "stages": [_stage(trained) for trained in results]}
    give(found, line, Output(json=as_json), result, _shown(found, results, readable))


def _log(trained: Trained, records: int) -> tuple[StepMetrics, ...]:
    """The log in so many stretches; empty for what takes no steps."""
    directory = trained.artifact.directory
    return read_thinned(directory, records) if (directory / METRICS).exists() else ()


def _validation(trained: Trained) -> dict[str, float]:
    """Validation loss, nats a token of the answer, by step; empty where none is taken."""
    file = trained.artifact.directory / VALIDATION
    found: dict[str, float] = json.loads(file.read_text()) if file.exists() else {}
    return found


def _stage(trained: Trained) -> dict[str, Any]:
    """One training; losses in nats, means over the last ten steps."""
    artifact, last = trained.artifact, latest(trained.artifact.directory)
    first = next(iter(_log(trained, 2)), None)
    return {
        "label": trained.job.recipe.label,
        "spec": trained.job.canonical(),
        "digest": trained.job.digest,
        "directory": str(trained.directory),
        "leaves": trained.job.recipe.leaves,
        "found": trained.found,
        "seconds": round(artifact.seconds, 3),
        "steps": 0 if last is None else last.step,
        "first_loss": None if first is None else first.loss,
        "loss": None if last is None else last.loss,
        "parts": {} if last is None else dict(last.parts),
        "tokens_per_second": None if last is None else round(last.tokens_per_second, 1),
        "validation_loss": _validation(trained),
        **_data(trained),
    }


def _labelled(trained: Trained) -> tuple[LabelledData, TrainingTexts] | None:
    """The labelled texts and what was learnt of them; None where a recipe reads none."""
    from lazarus_bench.training import Engram

    recipe = trained.job.recipe
    if not isinstance(recipe, Engram):
        return None
    from lazarus_bench.tasks.labelled_data import read_data
    from lazarus_bench.training.engram import read_training_texts

    return read_data(recipe.data), read_training_texts(trained.artifact.directory)


def _data(trained: Trained) -> dict[str, Any]:
    """Sizes, balance and overlap of labelled texts, and how many were cut."""
    read = _labelled(trained)
    if read is None:
        return {}
    data, learnt = read
    return {
        "data": {
            "name": data.name,
            "balance": {
                name: dict(zip(SPLITS, counts, strict=True))
                for name, counts in zip(data.classes, data.balance, strict=True)
            },
            "available": dict(zip(SPLITS, data.available, strict=True)),
            "shared": data.shared,
            "cut": learnt.cut,
            "max_length": learnt.max_length,
        }
    }


def _texts(trained: Trained, room: int) -> str:
    read = _labelled(trained)
    if read is None:
        return ""
    data, learnt = read
    cut = f"; {learnt.cut} training texts longer than --max-length or the context, and cut"
    return wrapped(f"{data.name}: {data.summary}{cut if learnt.cut else ''}", room)


def _shown(found: Found, results: Sequence[Trained], readable: str) -> str:
    room = terminal.width()
    parts = [_told(found, trained, room) for trained in results]
    return "\n\n".join([*parts, *_next(readable, results)])


def _told(found: Found, trained: Trained, room: int) -> str:
    artifact = trained.artifact
    took = "found trained already, " if trained.found else ""
    said = (
        f"{trained.job.recipe.label} on {found.name}, seed {trained.job.seed}: "
        f"{took}{terminal.span(artifact.seconds)}; {trained.job.recipe.leaves} in "
        f"{trained.directory}"
    )
    below = [_texts(trained, room), _table(trained, room), _validated(trained, room)]
    return "\n\n".join([wrapped(said, room), *filter(None, below)])


def _table(trained: Trained, room: int) -> str:
    log = _log(trained, ROWS)
    if not log:
        return ""
    parts = list(log[0].parts)
    rows = [
        [
            str(record.step),
            printed.number(record.loss),
            *(printed.number(record.parts[name]) for name in parts),
            f"{record.tokens_per_second:,.0f}",
        ]
        for record in log
    ]
    return table(["step", "loss", *parts, "tok/s"], rows, room)


def _validated(trained: Trained, room: int) -> str:
    found = [f"{printed.number(v)} at step {step}" for step, v in _validation(trained).items()]
    return wrapped(f"validation loss: {', '.join(found)}", room) if found else ""


def _next(readable: str, results: Sequence[Trained]) -> Iterator[str]:
    """A command that looks at the result; none looks at an engram."""
    last = results[-1]
    if last.job.recipe.kind == "engram":
        return
    model = readable if len(results) == 1 else str(results[-2].directory)
    words = ["lazarus-bench", "lens", model, "7 * 8 = ", "--adapter", str(last.directory), "--diff"]
    yield f"look at it: {shlex.join(words)}"


def _curves(trained: Trained, found: Found) -> Curves:
    log = _log(trained, POINTS)
    names = ["loss", *log[0].parts]
    return Curves(
        title=trained.job.recipe.label,
        subject=f"{found.name}, seed {trained.job.seed}",
        unit="nats" if set(names) <= {"loss", "class", "answer", "text", "kl"} else "as logged",
        series=tuple(
            Curve(
                name=name,
                lines=(
                    tuple(
                        (float(r.step), r.loss if name == "loss" else r.parts[name]) for r in log
                    ),
                ),
            )
            for name in names
        ),
    )
