"""Run one of the study's experiments by name.

An experiment is a set of claims with their trainings.

Examples:
    lazarus-bench experiment list
    lazarus-bench experiment run two_stage_classifier --plan
    lazarus-bench experiment status
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from lazarus_bench.cli.application import actions
from lazarus_bench.cli.flags import (
    Experimenting,
    Hypotheses,
    Json,
    Line,
    Listing,
    Published,
    Standing,
)

app = actions()


def _names(_: object) -> list[str]:
    """What a shell offers for NAME."""
    from lazarus_bench.claims.experiments import read_experiments
    from lazarus_bench.claims.folder import installed

    folder = installed()
    return [] if folder is None else [experiment.name for experiment in read_experiments(folder)]


_NAMED = Parameter(metavar="NAME", completer=_names)
One = Annotated[str | None, _NAMED, Parameter(help="show only this one, in full")]
_SETTINGS = Group("Settings of the experiment", sort_key=5)


@Parameter(name="*", group=_SETTINGS)
@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a run: a configuration file, and the printed commands' own flags."""

    config: Annotated[
        Path | None,
        Parameter(
            metavar="FILE.yaml", help="the experiment's configuration file, settings in sections"
        ),
    ] = None
    steps: Annotated[
        list[int] | None,
        Parameter(
            metavar="N",
            consume_multiple=True,
            help="checkpoints; the last one is the number of steps",
        ),
    ] = None
    problems: Annotated[
        int | None,
        Parameter(
            name=("--problems", "-n"),
            metavar="N",
            help="total number of problems; 9 in 10 are used for training",
        ),
    ] = None
    baseline_only: Annotated[bool, Parameter(help="only the claims that need no training")] = False
    save: Annotated[
        bool, Parameter(help="accepted but has no effect: results are always saved")
    ] = False


@app.command
def run(
    name: Annotated[
        str, _NAMED, Parameter(help="an experiment's name; see `lazarus-bench experiment list`")
    ],
    /,
    *,
    asked: Experimenting = Experimenting(),
    published: Published = False,
    hypotheses: Hypotheses = None,
    as_json: Json = False,
    settings: Settings = Settings(),
    line: Line,
) -> int:
    r"""Run an experiment's trainings, judge its claims and write a folder of results.

    The folder gets the report and experiment.json, which lists settings, trainings and verdicts.
    A claim's trainings are registered with it, so a setting selects claims and does not change
    them; a setting that no claim registers is rejected.

    Examples:
        lazarus-bench experiment run two_stage_classifier --plan
        lazarus-bench experiment run two_stage_classifier --config config.yaml
        lazarus-bench experiment run classifier_emergence -m meta-llama/Llama-3.2-1B \
            --steps 100 300 500 -n 5000 -o experiments/classifier_emergence
        lazarus-bench experiment run engram_sst2 --data sst2=hub

    Exit codes:
        0  judged; no verdict is one that --fail-on lists
        1  a verdict is one that --fail-on lists; the report is written all the same
        2  bad input: one sentence says what to fix, and nothing was judged
        3  a claim's own code failed: the traceback is on standard error
        130, 141  interrupted (trainings are kept; the same command resumes), or a closed pipe
    """
    from lazarus_bench.cli import experiments

    return experiments.run(
        name,
        asked,
        hypotheses,
        line,
        config=settings.config,
        flags={("steps", "--steps"): settings.steps, ("problems", "-n"): settings.problems},
        baseline_only=settings.baseline_only,
        published=published,
        as_json=as_json,
    )


@app.command(name="list")
def list_them(
    name: One = None,
    /,
    *,
    asked: Listing = Listing(),
    hypotheses: Hypotheses = None,
    as_json: Json = False,
) -> int:
    """List the experiments with their purpose, source, claims and cost.

    Examples:
        lazarus-bench experiment list
        lazarus-bench experiment list engram
    """
    from lazarus_bench.cli import experiments

    look = experiments.Look(asked=asked, hypotheses=hypotheses, name=name)
    return experiments.list_them(look, as_json=as_json)


@app.command
def status(
    name: One = None,
    /,
    *,
    asked: Standing = Standing(),
    hypotheses: Hypotheses = None,
    as_json: Json = False,
) -> int:
    """Show which trainings are done, running or missing, and the verdicts so far.

    Examples:
        lazarus-bench experiment status
        lazarus-bench experiment status two_stage_classifier --profile smoke

    Exit codes:
        0  everything is trained
        1  a training is missing, damaged, running or unfinished
        2  bad input
    """
    from lazarus_bench.cli import experiments

    look = experiments.Look(asked=asked, hypotheses=hypotheses, name=name)
    return experiments.status(look, as_json=as_json)
