"""The options of a session, declared once: pytest's `--lb-NAME` and the command line's `--NAME`.

Each field of `Options` is one option: a switch if its default is False, repeatable if that is ().
Its metadata says what else a parser needs to offer it and how text becomes its value, so that an
`Options` is valid once it exists, whoever built it.
"""

# ruff: noqa: RUF009
# `_option` is `dataclasses.field` with our metadata.
from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from lazarus_bench.claims.profiles import PROFILES
from lazarus_bench.claims.subjects import PUBLISHED
from lazarus_bench.errors import UserError
from lazarus_bench.models.precision import AUTO, DTYPES, wished

MOVED = "moved"
FAILABLE = (MOVED, "refuted", "invalid", "mixed", "inconclusive")
"""What a row can be that sets the exit code."""

DEFAULT_REPORT = Path("lazarus-report")
REPORT_FILES = ("report.json", "report.md", "report.html")
PICTURES = ("figures",)
"""Folders beside them; `report.pictures` names them too, which loads more than the options need."""

Read = Callable[[Any, str], Any]
"""From what a parser found, and the flag as the user typed it, to the field's value."""


def _option(
    help: str,
    *,
    default: Any = None,
    metavar: str = "",
    choices: tuple[str, ...] = (),
    spellings: tuple[str, ...] = (),
    read: Read | None = None,
) -> Any:
    about = {"help": help, "metavar": metavar, "choices": choices, "spellings": spellings}
    return field(default=default, metadata={**about, "read": read})


def _words(given: Any, _: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys([given] if isinstance(given, str) else given))


def _all_words(given: Any, _: str) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _profile(given: str, flag: str) -> str:
    if given not in PROFILES:
        raise UserError(f"{flag} {given!r} is unknown: choose {', '.join(PROFILES)}")
    return given


MOST = 1000
"""Seeds, ranks or workers; a plan lists every training of every seed."""


def _count(unit: str, remedy: str = "give 1 or more", auto: bool = False) -> Read:
    """A reader of whole numbers from 1, which leaves None alone and takes "auto" for it."""

    def read(given: Any, flag: str) -> int | None:
        if given is None or (auto and given == "auto"):
            return None
        text = str(given)
        if not (text.isascii() and text.isdecimal()) or not text.strip("0"):
            raise UserError(f"{flag} {given} {unit}: {remedy}")
        if len(text) > 30 or int(text) > MOST:
            raise UserError(f"{flag} {text:.40} is too many: give at most {MOST}")
        return int(text)

    return read


def _seed(given: Any, flag: str) -> int:
    text = str(given)
    if not (text.isascii() and text.isdecimal()) or len(text) > 7:
        raise UserError(f"{flag} {text:.40} is no seed: give a whole number from 0 to 9999999")
    return int(text)


def _seconds(given: Any, flag: str) -> float | None:
    """Seconds from "45s", "90m" or "2h"; None is left alone."""
    if given is None or isinstance(given, float):
        return given
    number, unit = str(given)[:-1], str(given)[-1:]
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    if unit not in units or not number.isascii() or not number.replace(".", "", 1).isdecimal():
        raise UserError(f"{flag} {given} is not a time: give one such as 45s, 90m or 2h")
    return float(number) * units[unit]


def _path(given: Any, _: str) -> Path | None:
    return None if given is None else Path(given)


def _fail_on(given: Any, flag: str) -> tuple[str, ...]:
    words = [given] if isinstance(given, str) else given
    chosen = tuple(name.strip() for word in words for name in word.split(","))
    if chosen == ("none",):
        return ()
    for name in chosen:
        if name == "none":
            raise UserError(f"{flag} none stands alone: leave out the others, or none")
        if name not in FAILABLE:
            raise UserError(
                f"{flag} {name!r} is unknown: choose from {', '.join((*FAILABLE, 'none'))}"
            )
    return chosen


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user asks of a session.

    Text is accepted where a parser found it: `Options(workers="2")` has 2 workers and
    `Options(fail_on="moved,refuted")` fails on both.

    Raises:
        UserError: one of them is wrong, or two exclude each other; the sentence names the flag as
            the user typed it.
    """

    PREFIX: ClassVar[str] = "--"
    """What precedes a flag's name where the user types it."""

    ASK_MODELS: ClassVar[str] = ""
    """What else the user has to type for the lab's models to be judged."""

    model: tuple[str, ...] = _option(
        "judge the claims on this model instead of the lab's: a Hugging Face id, a directory, or "
        "lab:NAME; may be repeated",
        default=(),
        metavar="MODEL",
        read=_words,
    )
    data: tuple[str, ...] = _option(
        "use this data set instead of the generated one: sst2=DIR for sentiment, ag_news=DIR for "
        "topics, or one that an installed package declares; =hub downloads it; may be repeated, "
        "once per data set",
        default=(),
        metavar="NAME=DIR",
        read=_all_words,
    )
    profile: str = _option(
        "number of seeds, prompts and lab families: smoke, default or full",
        default="default",
        metavar="NAME",
        choices=tuple(PROFILES),
        read=_profile,
    )
    seeds: int | None = _option(
        "use N seeds for every training and lab model (default: the profile's, "
        "which uses fewer for the lab's additional families unless models are named)",
        metavar="N",
        read=_count("is not a number of seeds"),
    )
    first_seed: int = _option(
        "number the seeds from this one on, so that claims are judged on seeds that nobody has "
        "looked at",
        default=0,
        metavar="N",
        read=_seed,
    )
    store: Path | None = _option(
        "where trained models are kept (default: LAZARUS_BENCH_STORE, else the user's cache)",
        metavar="DIR",
        read=_path,
    )
    plan: bool = _option("show the trainings and their cost, and stop", default=False)
    dtype: str = _option(
        "compute with model weights of this type: float32, bfloat16, float16, or auto, which is as "
        "stored, but float32 on a CPU where it fits",
        default=AUTO,
        metavar="TYPE",
        choices=DTYPES,
        read=wished,
    )
    offline: bool = _option("train nothing; judge only from the store", default=False)
    fresh_measurements: bool = _option(
        "measure the models again and replace the stored measurements",
        default=False,
        spellings=("fresh_readings",),
    )
    report: Path | None = _option(
        "folder for report.json, report.md and report.html (default: lazarus-report, and "
        "lazarus-report/published when only published numbers are judged)",
        metavar="DIR",
        read=_path,
    )
    until_decided: bool = _option(
        "train more seeds, up to the profile's registered looks, for the claims that are still "
        "undecided; the level is shared by the looks",
        default=False,
    )
    budget: float | None = _option(
        "stop adding seeds after this time, such as 90m or 2h (with until-decided)",
        metavar="TIME",
        read=_seconds,
    )
    update_pins: bool = _option("put this run's verdicts on record", default=False)
    fail_on: tuple[str, ...] = _option(
        "outcomes that make the exit code non-zero: moved (a verdict on record "
        "changed); refuted, invalid, mixed, inconclusive (for verdicts that are not on "
        "record); or none; an error always does",
        default=(MOVED, "refuted", "invalid"),
        metavar="LIST",
        read=_fail_on,
    )
    workers: int | None = _option(
        "number of parallel trainings on this machine, one process each (default: auto, which is "
        "one per core as far as memory allows, or a single one on an accelerator)",
        metavar="N",
        read=_count("is not a number of processes", "give 1 or more, or auto", auto=True),
    )
    scheduler: str | None = _option(
        "train on the workers of a running dask scheduler, such as tcp://10.0.0.1:8786 "
        "or, with certificates, tls://10.0.0.1:8786",
        metavar="ADDRESS",
    )
    ranks: int = _option(
        "processes per training, which share its batches (mlx.launch)",
        default=1,
        metavar="N",
        read=_count("is not a number of processes"),
    )
    hosts: Path | None = _option("mlx.launch host file for the ranks", metavar="FILE", read=_path)

    def __post_init__(self) -> None:
        """Turn text into values, and refuse what cannot be run."""
        for item in fields(self):
            read = item.metadata["read"]
            if read is not None:
                value = read(getattr(self, item.name), self.flag(item.name))
                object.__setattr__(self, item.name, value)
        self._check_machines()

    def _check_machines(self) -> None:
        flag = self.flag
        if self.budget is not None and not self.until_decided:
            raise UserError(f"{flag('budget')} limits {flag('until_decided')}: give both, or none")
        if self.until_decided and (self.offline or self.seeds is not None):
            other = flag("offline") if self.offline else flag("seeds")
            raise UserError(
                f"{flag('until_decided')} trains the seeds that the profile's looks name: leave "
                f"out {other}"
            )
        if self.scheduler is not None:
            if self.workers is not None:
                raise UserError(
                    f"{flag('workers')} counts processes of this machine and {flag('scheduler')} "
                    f"names another's: give one of them"
                )
            from lazarus_bench.jobs.cluster import check_address

            check_address(self.scheduler, flag("scheduler"))
        if self.hosts is not None:
            if self.ranks == 1 or self.scheduler is not None:
                raise UserError(
                    f"{flag('hosts')} places the ranks of one training after the other: give "
                    f"{flag('ranks')}, and no {flag('scheduler')}"
                )
            from lazarus_bench.jobs.ranks import check_hosts

            check_hosts(self.host_file(), self.ranks)

    @classmethod
    def flag(cls, name: str) -> str:
        """The flag of the field `name`, as the user types it."""
        return cls.PREFIX + name.replace("_", "-")

    def plain(self) -> dict[str, Any]:
        """The options as plain values for another process; `Options(**plain)` reads them."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: str(v) if isinstance(v, Path) else v for name, v in values.items()}

    def host_file(self) -> Path:
        """The host file, named so that a process with another working directory finds it."""
        assert self.hosts is not None
        return self.hosts.expanduser().absolute()

    def report_folder(self, *, only_published: bool) -> Path:
        """Where the report goes; a quick look at the published numbers has a place of its own."""
        if self.report is not None:
            return self.report
        return DEFAULT_REPORT / PUBLISHED if only_published else DEFAULT_REPORT

    def check_report(self) -> None:
        """Make sure, before anything is trained, that the report can be written.

        Raises:
            UserError: its folder cannot be written, or something stands in a file's place.
        """
        folder, flag = self.report_folder(only_published=False).absolute(), self.flag("report")
        there = next(path for path in (folder, *folder.parents) if path.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            why = "is not writable" if there.is_dir() else "is a file"
            raise UserError(f"{flag} {folder}: {there} {why}; name another folder")
        for name in REPORT_FILES:
            if (folder / name).is_dir():
                raise UserError(f"{flag} {folder}: {name} is a folder there; name another folder")
        for name in PICTURES:
            if (folder / name).exists() and not (folder / name).is_dir():
                raise UserError(f"{flag} {folder}: {name} is a file there; name another folder")
