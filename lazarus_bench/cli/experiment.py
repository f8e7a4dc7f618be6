"""`lazarus-bench experiment`: the experiments of a study by name, run, listed and looked up."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lazarus_bench.claims.claim import Claim
from lazarus_bench.claims.claim_files import read_claims
from lazarus_bench.claims.experiments import Experiment, read_experiments
from lazarus_bench.claims.folder import claims_folder
from lazarus_bench.claims.subjects import PUBLISHED
from lazarus_bench.cli import experiments_told, terminal
from lazarus_bench.cli.experiments_told import RESULTS
from lazarus_bench.cli.plans import planned, show_plan
from lazarus_bench.cli.run import check, judged
from lazarus_bench.cli.verdicts import tally
from lazarus_bench.errors import UserError
from lazarus_bench.report import load, write_text
from lazarus_bench.session.experiments import (
    Setting,
    experiment_named,
    having,
    settings_of,
    trains,
)
from lazarus_bench.session.selection import select

if TYPE_CHECKING:
    from lazarus_bench.cli.claims_session import Judged

RECORD = "experiment.json"


def run(options: argparse.Namespace) -> int:
    """Carry out `options.action`.

    Raises:
        UserError: there is no such experiment, or it has no such setting.
    """
    if options.action == "run":
        return _run(options)
    return experiments_told.run(options)


def _run(options: argparse.Namespace) -> int:
    folder = claims_folder(options.hypotheses)
    experiment = experiment_named(options.name, read_experiments(folder))
    with terminal.busy("reading the claims"):
        claims = read_claims(folder)
    config = _config(options.config)
    options.model = _models(options.model, config.pop("model", None))
    settings = [*_flags(experiment, options), *settings_of(experiment, config)]
    chosen = _chosen(experiment, claims, settings, baseline=options.baseline_only)
    _prepare(options, experiment)
    check(options, folder)
    if options.plan:
        show_plan(options, *planned(options, chosen, claims))
        return 0
    done = judged(options, [claim.id for claim in chosen], folder)
    _record(options, experiment, settings, chosen, done)
    return done.code


def _prepare(options: argparse.Namespace, experiment: Experiment) -> None:
    """Fill in what the experiment has of its own: its folder and its data."""
    folder = Path(RESULTS, experiment.name)
    options.report = options.report or str(folder / PUBLISHED if options.published else folder)
    options.data = options.data or ([] if options.published else list(experiment.data))


def _config(file: str | None) -> dict[str, Any]:
    """The content of a YAML file.

    Raises:
        UserError: it cannot be read, has a key twice, or is no table of sections.
    """
    if file is None:
        return {}
    from lazarus_bench.cli.config_file import read_yaml

    content = read_yaml(file)
    if not isinstance(content, dict):
        raise UserError(f"--config {file} has no sections: write one such as stage1: with settings")
    return content


def _models(given: list[str], configured: object) -> list[str]:
    """The models that flags name, or else the configuration.

    Raises:
        UserError: the configuration's is no name, or another one.
    """
    if configured is None:
        return given
    if not isinstance(configured, str):
        raise UserError(f"model: {configured} in --config is no name: write an id or a directory")
    if given not in ([], [configured]):
        raise UserError(
            f"--model {', '.join(given)} and model: {configured} in --config differ: give one"
        )
    return [configured]


def _flags(experiment: Experiment, options: argparse.Namespace) -> Iterator[Setting]:
    """The settings that were given as flags.

    Raises:
        UserError: the experiment has no such flag.
    """
    for key, flag in (("steps", "--steps"), ("problems", "-n")):
        value = getattr(options, key)
        if value is None:
            continue
        if key not in experiment.flags:
            raise UserError(
                f"{experiment.name} has no setting {flag}: leave it out; what its claims train is "
                f"shown by `lazarus-bench experiment list {experiment.name}`"
            )
        yield Setting(given=flag, kind="sft", key=key, value=value)


def _chosen(
    experiment: Experiment, claims: Sequence[Claim], settings: Sequence[Setting], *, baseline: bool
) -> tuple[Claim, ...]:
    """The experiment's claims that have the settings.

    Raises:
        UserError: no claim has one of them, or none trains nothing.
    """
    found = having(select(claims, experiment.claims), settings)
    if not baseline:
        return found
    bare = tuple(claim for claim in found if not trains(claim))
    if not bare:
        raise UserError(
            f"every claim of {experiment.name} trains something: leave --baseline-only out"
        )
    return bare


def _record(
    options: argparse.Namespace,
    experiment: Experiment,
    settings: Sequence[Setting],
    chosen: Sequence[Claim],
    done: Judged,
) -> None:
    """Leave beside the report what was run with which settings, and what came of it."""
    rows = () if done.report is None else load(done.report).rows
    document = {
        "schema": 1,
        "kind": "experiment",
        "experiment": experiment.name,
        "writeup": experiment.source,
        "command": shlex.join(["lazarus-bench", *options.arguments]),
        "models": options.model,
        "profile": options.profile,
        "seeds": options.seeds,
        "data": options.data,
        "settings": {setting.given: setting.value for setting in settings},
        "claims": [claim.id for claim in chosen],
        "verdicts": tally(rows),
        "exit_code": done.code,
    }
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    write_text(text, Path(options.report, RECORD), "record of the experiment")
