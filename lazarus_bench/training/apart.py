"""A training in a process of its own, which has one peak of memory, and what it took."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lazarus_bench.codec import from_plain, to_plain
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.private import python_module
from lazarus_bench.training import known_recipes
from lazarus_bench.training.recipe import Recipe
from lazarus_bench.training.record import read_steps

STATUS = Path("/proc/self/status")

REFUSALS = {error.__name__: error for error in (UserError, NotApplicable)}


class ProcessError(RuntimeError):
    """A process ended without a result, as for want of memory."""


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """Tokens a second of every step, and peaks in bytes.

    `allocated` is mlx's allocator's; `resident` the whole process's, `before` the same when all
    modules were loaded and nothing was read yet.
    """

    rates: tuple[float, ...]
    allocated: int
    resident: int
    before: int


def begin(spec: Recipe, base: Path | None, seed: int) -> subprocess.Popen[str]:
    """Start the process that trains `spec` on the model in `base`."""
    place = None if base is None else str(base)
    task = {"kind": spec.kind, "spec": to_plain(spec), "base": place, "seed": seed}
    command = [*python_module("lazarus_bench.training.apart"), json.dumps(task)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(label: str, process: subprocess.Popen[str]) -> Weighed:
    """Wait for the process of the training `label` and read its result.

    Raises:
        UserError, NotApplicable: the recipe does.
        ProcessError: it ended without a result.
    """
    said, complained = process.communicate()
    lines = said.splitlines()
    if process.returncode or not lines:
        last = (complained.splitlines() or ["it said nothing"])[-1]
        raise ProcessError(
            f"{label}: its process ended with {process.returncode} and no result: {last}"
        )
    answer = json.loads(lines[-1])
    if "refusal" in answer:
        raise REFUSALS[answer["refusal"]](answer["reason"])
    return from_plain(answer, Weighed)


def weighed(label: str, spec: Recipe, base: Path | None, seed: int) -> Weighed:
    """Both, one after the other; an interrupt ends the training too."""
    process = begin(spec, base, seed)
    try:
        return end(label, process)
    finally:
        process.kill()


def peak_since_start() -> int:
    """Most bytes that this process has held in memory so far.

    Linux keeps in `ru_maxrss` what the process that started this one held (`exec` carries it over),
    so that there the kernel's own mark for this program is read.
    """
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main(text: str) -> None:
    """Do the training of the task in `text` in this process, and print what was measured."""
    import mlx_lm  # noqa: F401 - loaded by every recipe, so not a part of what one adds

    from lazarus_bench import backend
    from lazarus_bench.cores import on_own_core

    task = json.loads(text)
    spec = from_plain(task["spec"], known_recipes()[task["kind"]])
    backend.set_threads()
    before = peak_since_start()
    try:
        with tempfile.TemporaryDirectory() as folder, on_own_core():
            base = None if task["base"] is None else Path(task["base"])
            spec.train(base, Path(folder), task["seed"], show=False)
            taken = read_steps(Path(folder))
    except (UserError, NotApplicable) as error:
        print(json.dumps({"refusal": type(error).__name__, "reason": str(error)}))
        return
    found = Weighed(
        rates=tuple(step.tokens / step.seconds for step in taken),
        allocated=backend.peak_memory(),
        resident=peak_since_start(),
        before=before,
    )
    print(json.dumps(to_plain(found)))


if __name__ == "__main__":
    main(sys.argv[1])
