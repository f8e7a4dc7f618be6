"""Experiments by name: the claims that judge each, and the names of the trainings behind them.

A folder of claim files may hold an `experiments.py` with a tuple `EXPERIMENTS` of such records. A
claim declares its trainings in its own file, so an experiment holds no numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lazarus_bench.claims.importing import imported
from lazarus_bench.errors import UserError

FILE = "experiments.py"
"""Beside the claim files."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One experiment of a study.

    `aliases` are other names in its `source`, and `printed` is the command that the source prints,
    with the further `flags` "steps" or "problems". In the ids of its `claims` a `*` matches any
    part. `sections` names the trainings in a configuration, each with the recipe's kind; `data`
    are the default data sets, as `--data` names them.
    """

    name: str
    aliases: tuple[str, ...] = ()
    source: str
    section: str
    does: str
    printed: str = ""
    claims: tuple[str, ...]
    sections: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    data: tuple[str, ...] = ()


def read_experiments(directory: Path) -> tuple[Experiment, ...]:
    """The experiments that a folder of claim files declares, if any; UserError if unreadable."""
    file = directory / FILE
    if not file.is_file():
        return ()
    with imported(directory) as read:
        found = getattr(read(file), "EXPERIMENTS", None)
    if not isinstance(found, tuple) or not all(isinstance(one, Experiment) for one in found):
        raise UserError(f"{file} has no tuple EXPERIMENTS of Experiment records: declare one")
    return found
