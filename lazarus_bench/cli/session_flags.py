"""Flags of the commands that judge claims: what is asked, trained and put on record."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from lazarus_bench.cli.flags import CommandLine, Hypotheses, StoreFolder, lab_models


@Parameter(name="*", group=Group("What is asked", sort_key=2))
@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which models, data and seeds are asked about."""

    model: Annotated[
        tuple[str, ...],
        Parameter(
            name=("--model", "-m"),
            metavar="MODEL",
            completer=lab_models,
            help="ask this model instead of the lab's: a Hugging Face id, a directory, or "
            "lab:NAME; may be repeated",
        ),
    ] = ()
    data: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="NAME=DIR",
            help="read this data set in place of the generated one: sst2=DIR or ag_news=DIR; =hub "
            "fetches it",
        ),
    ] = ()
    profile: Annotated[
        Literal["smoke", "default", "full"],
        Parameter(help="how many seeds, prompts and families (default: default)"),
    ] = "default"
    seeds: Annotated[
        int | None, Parameter(metavar="N", help="seeds 0 to N-1 of every training")
    ] = None
    hypotheses: Hypotheses = None


@Parameter(name="*", group=Group("Trainings", sort_key=3))
@dataclass(frozen=True, kw_only=True)
class Trained:
    """Where and how trainings run."""

    store: StoreFolder = None
    plan: Annotated[bool, Parameter(help="show the trainings and their cost, and stop")] = False
    offline: Annotated[bool, Parameter(help="train nothing; judge from the store alone")] = False
    workers: Annotated[
        str | None,
        Parameter(metavar="N", help="trainings at a time on this machine (default: auto)"),
    ] = None
    scheduler: Annotated[
        str | None,
        Parameter(metavar="ADDRESS", help="train on the workers of a dask scheduler"),
    ] = None
    ranks: Annotated[int, Parameter(metavar="N", help="processes inside each training")] = 1
    hosts: Annotated[
        Path | None, Parameter(metavar="FILE", help="mlx.launch's host file for the ranks")
    ] = None
    fresh_readings: Annotated[bool, Parameter(help="read the models again, whatever is kept")] = (
        False
    )


@Parameter(name="*", group=Group("Verdicts", sort_key=4))
@dataclass(frozen=True, kw_only=True)
class Judged:
    """What becomes of verdicts."""

    published: Annotated[
        bool,
        Parameter(help="judge the writeups' own numbers by the same rule; no model is asked"),
    ] = False
    fail_on: Annotated[
        str,
        Parameter(
            metavar="LIST",
            help="what makes the exit code 1: moved (a verdict on record changed); refuted, "
            "invalid, inconclusive (of verdicts that are not on record); or none (default: "
            "moved,refuted,invalid)",
        ),
    ] = "moved,refuted,invalid"
    update_pins: Annotated[bool, Parameter(help="put this run's verdicts on record")] = False


def together(line: CommandLine, *records: Any, **more: Any) -> argparse.Namespace:
    """All flags of a command side by side, paths as text and several values as lists."""
    given = {f.name: getattr(record, f.name) for record in records for f in fields(record)} | more
    plain = {
        name: str(value) if isinstance(value, Path) else value for name, value in given.items()
    }
    listed = {
        name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()
    }
    return argparse.Namespace(command=line.command, arguments=list(line.words), **listed)
