"""Flags and help of the commands that run claims: run, experiment."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

_Commands = Callable[..., argparse.ArgumentParser]
_Examples = Callable[..., dict[str, Any]]

RUNNING = ("run", "experiment")
"""Commands, each a module with a `run`."""

_CODES = """exit code:
  0  judged: every verdict is the one on record, and none is what --fail-on names
  1  a verdict moved, or is what --fail-on names; the report is written all the same
  2  bad input: one sentence says what to mend, and nothing was judged
  3  a claim's own code broke: its trace is on standard error
  130, 141  interrupted (what was trained is kept; the same command goes on), or a closed pipe"""


def add_running_commands(add: _Commands, examples: _Examples) -> None:
    """Add the parsers; `examples` makes the end of a command's help."""
    _run(add, examples)
    _experiment(add, examples)


def _run(add: _Commands, examples: _Examples) -> None:
    run = add(
        "run",
        parents=[_asked(), _trained(), _judged(), _json()],
        help="judge claims: on the lab's models, on yours, or on the published numbers",
        description="Judge pre-registered claims: train what they need and the store lacks, read "
        "the models, and say where each interval falls. Without names, every claim.",
        **examples(
            "lazarus-bench run --published                  # the writeups' own numbers: seconds",
            "lazarus-bench run dual/vo-36 --plan            # what it would train, and how long",
            "lazarus-bench run dual sft --profile smoke     # two families, one seed",
            "lazarus-bench run 'probe/words-*' --model mlx-community/Llama-3.2-1B-bf16",
            "lazarus-bench run --report results --json",
            after=_CODES,
        ),
    )
    run.add_argument(
        "claims",
        metavar="CLAIM",
        nargs="*",
        help="a claim's id (dual/vo-36), a family (dual), or a pattern in which * is any part",
    )
    _report_folder(run, "lazarus-report, and lazarus-report/published where no model is asked")


def _asked() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    group = parser.add_argument_group("what is asked")
    group.add_argument(
        "--model",
        "-m",
        metavar="MODEL",
        action="append",
        default=[],
        help="ask this model instead of the lab's: a Hugging Face id, a directory, or lab:NAME; "
        "may be repeated",
    )
    group.add_argument(
        "--data",
        metavar="NAME=DIR",
        action="append",
        default=[],
        help="read this data set in place of the generated one: sst2=DIR or ag_news=DIR; =hub "
        "fetches it",
    )
    group.add_argument(
        "--profile",
        choices=("smoke", "default", "full"),
        default="default",
        help="how many seeds, prompts and families (default: default)",
    )
    group.add_argument("--seeds", metavar="N", type=int, help="seeds 0 to N-1 of every training")
    group.add_argument(
        "--hypotheses",
        metavar="DIR",
        help="the folder of claim files (default: ./hypotheses, else those that came installed)",
    )
    return parser


def _trained() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    group = parser.add_argument_group("trainings")
    _store(group)
    group.add_argument(
        "--plan", action="store_true", help="show the trainings and their cost, and stop"
    )
    group.add_argument(
        "--offline", action="store_true", help="train nothing; judge from the store alone"
    )
    group.add_argument(
        "--workers", metavar="N", help="trainings at a time on this machine (default: auto)"
    )
    group.add_argument(
        "--scheduler", metavar="ADDRESS", help="train on the workers of a dask scheduler"
    )
    group.add_argument(
        "--ranks", metavar="N", type=int, default=1, help="processes inside each training"
    )
    group.add_argument("--hosts", metavar="FILE", help="mlx.launch's host file for the ranks")
    group.add_argument(
        "--fresh-readings", action="store_true", help="read the models again, whatever is kept"
    )
    return parser


def _judged() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    group = parser.add_argument_group("verdicts")
    group.add_argument(
        "--published",
        action="store_true",
        help="judge the writeups' own numbers by the same rule; no model is asked",
    )
    group.add_argument(
        "--fail-on",
        metavar="LIST",
        default="moved,refuted,invalid",
        help="what makes the exit code 1: moved (a verdict on record changed); refuted, invalid, "
        "inconclusive (of verdicts that are not on record); or none (default: "
        "moved,refuted,invalid)",
    )
    group.add_argument(
        "--update-pins", action="store_true", help="put this run's verdicts on record"
    )
    return parser


def _report_folder(parser: argparse.ArgumentParser, default: str, *more: str) -> None:
    parser.add_argument(
        *more,
        "--report",
        metavar="DIR",
        help=f"folder for report.json, report.md and report.html (default: {default})",
    )


def _store(parser: Any) -> None:
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="where trained models are kept (default: LAZARUS_BENCH_STORE, else the user's cache)",
    )


def _json() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--json", action="store_true", help="print JSON for other programs")
    return parser


def _experiment(add: _Commands, examples: _Examples) -> None:
    experiment = add(
        "experiment",
        help="run one of the writeups' experiments by its name",
        description="The writeups' experiments by name, each a set of claims with its trainings.",
        **examples(
            "lazarus-bench experiment list",
            "lazarus-bench experiment run two_stage_classifier --plan",
            "lazarus-bench experiment status",
        ),
    )
    actions = experiment.add_subparsers(dest="action", required=True, metavar="ACTION").add_parser
    _experiment_run(actions, examples)
    actions(
        "list",
        parents=[_asked(), _json()],
        help="tell what each does, its writeup, its claims and what it costs",
        **examples(
            "lazarus-bench experiment list",
            "lazarus-bench experiment list engram",
        ),
    ).add_argument("name", metavar="NAME", nargs="?", help="this one alone, in full")
    status = actions(
        "status",
        parents=[_asked(), _json()],
        help="tell what of each is trained, running or missing, and what came of it",
        **examples(
            "lazarus-bench experiment status",
            "lazarus-bench experiment status two_stage_classifier --profile smoke",
            after="exit code:\n  0  everything is trained\n  1  a training is missing, damaged, "
            "running or unfinished\n  2  bad input",
        ),
    )
    status.add_argument("name", metavar="NAME", nargs="?", help="this one alone, in full")
    _store(status)
    _report_folder(status, "experiments/NAME", "-o")


def _experiment_run(add: _Commands, examples: _Examples) -> None:
    run = add(
        "run",
        parents=[_asked(), _trained(), _judged(), _json()],
        help="train and judge what an experiment claims, with a folder of results",
        description="Run an experiment: its claims are judged, and its folder gets the report and "
        "experiment.json, which names settings, trainings and verdicts. What a claim trains is "
        "registered with it, so a setting chooses among the claims and changes none of them; one "
        "that no claim registers is refused.",
        **examples(
            "lazarus-bench experiment run two_stage_classifier --plan",
            "lazarus-bench experiment run two_stage_classifier --config config.yaml",
            "lazarus-bench experiment run classifier_emergence -m meta-llama/Llama-3.2-1B \\",
            "    --steps 100 300 500 -n 5000 -o experiments/classifier_emergence",
            "lazarus-bench experiment run engram_sst2 --data sst2=hub",
            after=_CODES,
        ),
    )
    run.add_argument("name", metavar="NAME", help="`lazarus-bench experiment list` lists them")
    _report_folder(run, "experiments/NAME", "-o")
    settings = run.add_argument_group("settings, as the writeups give them")
    settings.add_argument(
        "--config", metavar="FILE.yaml", help="the writeup's configuration: sections with settings"
    )
    settings.add_argument(
        "--steps", metavar="N", nargs="+", type=int, help="checkpoints, the last one the length"
    )
    settings.add_argument(
        "-n", "--problems", metavar="N", type=int, help="problems in all; 9 in 10 are trained on"
    )
    settings.add_argument(
        "--baseline-only", action="store_true", help="only the claims that train nothing"
    )
    settings.add_argument(
        "--save", action="store_true", help="what the writeup says; results are always kept"
    )
