"""The `--lb-` options and what they mean; a wrong one is refused before anything is trained."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lazarus_bench.errors import UserError

if TYPE_CHECKING:
    from lazarus_bench.session.session import Resources, Session

DEFAULT_REPORT = "lazarus-report"
PUBLISHED = "published"
REPORT_FILES = ("report.json", "report.md", "report.html")
PICTURES = ("figures",)
"""Folders beside them; `report.pictures` names them too, which loads more than the options need."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the `--lb-` options."""
    add = parser.getgroup("lazarus-bench", "claims about neural networks").addoption
    add(
        "--lb-model",
        action="append",
        default=[],
        metavar="SPEC",
        help="judge the claims on this model instead of the lab's: a Hugging Face id, a "
        "directory, or lab:NAME; may be given several times",
    )
    add(
        "--lb-data",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="read this data set in place of the generated one: sst2=DIR for sentiment, ag_news="
        "DIR for topics; DIR has its files, or is hub; may be given once for each",
    )
    add("--lb-profile", default="default", metavar="NAME", help="smoke, default or full")
    add(
        "--lb-seeds",
        type=int,
        default=None,
        metavar="N",
        help="seeds 0 to N-1 of every training and every lab model; without it, the profile's, "
        "which has fewer of the lab's further families unless --lb-model names them",
    )
    add("--lb-store", default=None, metavar="DIR", help="where trained artifacts are kept")
    add("--lb-plan", action="store_true", help="show the trainings and their cost, and stop")
    add("--lb-offline", action="store_true", help="train nothing; judge from the store alone")
    add(
        "--lb-fresh-readings",
        action="store_true",
        help="read the models again, and replace the readings that the store keeps",
    )
    add(
        "--lb-report",
        default=None,
        metavar="DIR",
        help="folder for report.json, report.md and report.html (default: "
        f"{DEFAULT_REPORT}, and {DEFAULT_REPORT}/{PUBLISHED} when only those numbers are judged)",
    )
    add("--lb-update-pins", action="store_true", help="put this run's verdicts on record")
    add(
        "--lb-fail-on",
        default="moved,refuted,invalid",
        metavar="LIST",
        help="what makes the exit code non-zero: moved (a pinned verdict changed); refuted, "
        "invalid, inconclusive (of verdicts without a pin); or none",
    )

    _add_machines(add)


def _add_machines(add: Callable[..., None]) -> None:
    add(
        "--lb-workers",
        default=None,
        metavar="N",
        help="trainings at a time on this machine, each a process; auto, the default: one a core, "
        "one in all on an accelerator",
    )
    add(
        "--lb-scheduler",
        default=None,
        metavar="ADDRESS",
        help="train on the workers of a running dask scheduler, such as tcp://10.0.0.1:8786",
    )
    add(
        "--lb-ranks",
        type=int,
        default=1,
        metavar="N",
        help="processes inside each training, which share its batches (mlx.launch)",
    )
    add("--lb-hosts", default=None, metavar="FILE", help="mlx.launch's host file for the ranks")


def fail_on(config: pytest.Config) -> tuple[str, ...]:
    """The statuses that set the exit code.

    Raises:
        UserError: `--lb-fail-on` names an unknown one.
    """
    from lazarus_bench.session.trial import FAILABLE

    chosen = tuple(name.strip() for name in str(config.getoption("--lb-fail-on")).split(","))
    if chosen == ("none",):
        return ()
    for name in chosen:
        if name not in FAILABLE:
            known = ", ".join((*FAILABLE, "none"))
            raise UserError(f"--lb-fail-on {name!r} is unknown: choose from {known}")
    return chosen


def check_options(config: pytest.Config) -> None:
    """Make sure, before anything is trained, that the report can be written.

    Raises:
        UserError: `--lb-fail-on` is unknown, the report's folder cannot be written, or a plan is
            asked of xdist.
    """
    fail_on(config)
    if config.getoption("--lb-plan") and config.getoption("numprocesses", None):
        raise UserError("--lb-plan shows nothing under xdist's workers; leave -n out")
    folder = report_folder(config, only_published=False).absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "may not be written" if there.is_dir() else "is a file"
        raise UserError(f"--lb-report {folder}: {there} {why}; name another folder")
    for name in REPORT_FILES:
        if (folder / name).is_dir():
            raise UserError(f"--lb-report {folder}: {name} is a folder there; name another folder")
    for name in PICTURES:
        if (folder / name).exists() and not (folder / name).is_dir():
            raise UserError(f"--lb-report {folder}: {name} is a file there; name another folder")


def report_folder(config: pytest.Config, only_published: bool) -> Path:
    """Where the report goes; by default a quick look at the published numbers has its own place."""
    named = config.getoption("--lb-report")
    if named is not None:
        return Path(named)
    return Path(DEFAULT_REPORT, PUBLISHED) if only_published else Path(DEFAULT_REPORT)


def new_session(config: pytest.Config) -> Session:
    """The session that pytest's options ask for.

    Raises:
        UserError: as `session_of`.
    """
    return session_of(config.getoption)


def session_of(given: Callable[[str], Any]) -> Session:
    """The session that options ask for; `given` hands out the value of each `--lb-` option.

    Raises:
        UserError: an unknown profile, no seeds, no workers, options that exclude each other, data
            that cannot be read, or a store that cannot be made.
    """
    from lazarus_bench.claims.profiles import profile
    from lazarus_bench.jobs.store import Store, default_root
    from lazarus_bench.session.session import Session
    from lazarus_bench.tasks.labelled_data import given_data

    store = given("--lb-store")
    root = Path(store).expanduser() if store else default_root()
    return Session(
        profile=profile(
            given("--lb-profile"),
            given("--lb-seeds"),
            named=bool(given("--lb-model")),
        ),
        store=Store(root.absolute()),  # a worker has another working directory
        resources=_resources(given),
        fresh_readings=given("--lb-fresh-readings"),
        data=given_data(given("--lb-data")),
    )


def _resources(given: Callable[[str], Any]) -> Resources:
    from lazarus_bench.session.session import Resources

    hosts = given("--lb-hosts")
    found = Resources(
        workers=_workers(given("--lb-workers")),
        scheduler=given("--lb-scheduler"),
        ranks=given("--lb-ranks"),
        hosts=None if hosts is None else Path(hosts).expanduser().absolute(),
        offline=given("--lb-offline"),
    )
    _check_resources(found)
    return found


def _check_resources(found: Resources) -> None:
    if found.scheduler is not None and found.workers is not None:
        raise UserError(
            "--lb-workers counts processes of this machine and --lb-scheduler names another's: "
            "give one of them"
        )
    if found.scheduler is not None:
        from lazarus_bench.jobs.cluster import check_address

        check_address(found.scheduler)
    if found.ranks < 1:
        raise UserError(f"--lb-ranks {found.ranks} is no number of processes: give 1 or more")
    if found.hosts is None:
        return
    if found.ranks == 1 or found.scheduler is not None:
        raise UserError(
            "--lb-hosts places the ranks of one training after the other: give --lb-ranks, and no "
            "--lb-scheduler"
        )
    from lazarus_bench.jobs.ranks import check_hosts

    check_hosts(found.hosts, found.ranks)


def _workers(text: str | None) -> int | None:
    if text in (None, "auto"):
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"--lb-workers {text} is no number of processes: give 1 or more, or auto")
    return int(text)
