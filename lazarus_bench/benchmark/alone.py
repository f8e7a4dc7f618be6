"""One recipe's training in a process of its own: its speed, and the peak of the whole process.

A process has one peak of resident memory, so each training that is to be weighed gets its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lazarus_bench.benchmark.resident import peak_since_start
from lazarus_bench.errors import NotApplicable, UserError

SETTLING = 3
"""First steps that do not count."""

REFUSALS = {error.__name__: error for error in (UserError, NotApplicable)}


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """Tokens a second of every step that counts, and peaks in bytes.

    `allocated` is mlx's allocator's; `resident` the whole process's, `before` the same when all
    modules were loaded and nothing was read yet.
    """

    rates: tuple[float, ...]
    allocated: int
    resident: int
    before: int


def begin(name: str, base: Path, steps: int) -> subprocess.Popen[str]:
    """Start the process of recipe `name`, one of `recipes.RECIPES`, on the model in `base`."""
    task = json.dumps({"name": name, "base": str(base), "steps": steps})
    command = [sys.executable, "-m", "lazarus_bench.benchmark.alone", task]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(name: str, process: subprocess.Popen[str]) -> Weighed:
    """Wait for the process and read what it found.

    Raises:
        UserError, NotApplicable: the recipe does.
        RuntimeError: it ended without a result.
    """
    said, complained = process.communicate()
    lines = said.splitlines()
    if process.returncode or not lines:
        last = (complained.splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(
            f"{name}: its process ended with {process.returncode} and no result: {last}"
        )
    answer: dict[str, Any] = json.loads(lines[-1])
    if "refusal" in answer:
        raise REFUSALS[answer["refusal"]](answer["reason"])
    return Weighed(**answer | {"rates": tuple(answer["rates"])})


def weighed(name: str, base: Path, steps: int) -> Weighed:
    """Both, one after the other; nothing runs on where the waiting was interrupted."""
    process = begin(name, base, steps)
    try:
        return end(name, process)
    finally:
        process.kill()


def main(text: str) -> None:
    """Be that process."""
    from lazarus_bench import backend

    task = json.loads(text)
    backend.set_threads()
    try:
        found = _run(task["name"], Path(task["base"]), task["steps"])
    except (UserError, NotApplicable) as error:
        print(json.dumps({"refusal": type(error).__name__, "reason": str(error)}))
    else:
        print(json.dumps(vars(found)))


def _run(name: str, model: Path, steps: int) -> Weighed:
    import mlx_lm  # noqa: F401 - loaded by every recipe, so not a part of what one adds

    from lazarus_bench import backend
    from lazarus_bench.benchmark.recipes import task_of
    from lazarus_bench.cores import on_own_core
    from lazarus_bench.training.record import read_steps

    spec, base = task_of(name, model, steps + SETTLING)
    before = peak_since_start()
    with tempfile.TemporaryDirectory() as folder, on_own_core():
        spec.train(base, Path(folder), 100, show=False)
        taken = read_steps(Path(folder))[SETTLING:]
    allocated, resident = backend.peak_memory(), peak_since_start()
    rates = tuple(step.tokens / step.seconds for step in taken)
    return Weighed(rates=rates, allocated=allocated, resident=resident, before=before)


if __name__ == "__main__":
    main(sys.argv[1])
