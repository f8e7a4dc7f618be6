"""Experiments by name: which claims judge each, and what the trainings behind them are called.

A folder of claim files may hold an `experiments.py` whose `EXPERIMENTS` are such records. What a
claim trains is declared in its own file, so an experiment holds no number: it names the claims, and
the words under which its source gave their trainings' settings.
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

    Attributes:
        name: What it is run by.
        aliases: Other names that its source has for it.
        source: The document that describes it.
        section: Where in that document.
        does: What is done, in one sentence.
        printed: How the document starts it; empty where it does not say.
        claims: Ids of the claims that judge it; `*` stands for any part of one.
        sections: What a configuration calls the trainings, each with the recipe's kind.
        flags: Further flags of the printed command that it has: "steps", "problems".
        data: Data sets that it reads unless others are named, as `--data` names them.
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
    """The experiments of the claim files in `directory`; none where it declares none.

    Raises:
        UserError: its `experiments.py` cannot be read, or declares something else.
    """
    file = directory / FILE
    if not file.is_file():
        return ()
    with imported(directory) as read:
        found = getattr(read(file), "EXPERIMENTS", None)
    if not isinstance(found, tuple) or not all(isinstance(one, Experiment) for one in found):
        raise UserError(f"{file} has no tuple EXPERIMENTS of Experiment records: declare one")
    return found
