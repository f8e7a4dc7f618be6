"""Flags that several commands share."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from cyclopts import Group, Parameter

from lazarus_bench import reading
from lazarus_bench.errors import UserError
from lazarus_bench.models import precision
from lazarus_bench.session.options import Options


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """The command line as it was typed; `str` of it is what a manifest says."""

    command: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(["lazarus-bench", *self.words])


def lab_models(_: object) -> list[str]:
    """What a shell offers for a MODEL."""
    from lazarus_bench.claims.subjects import BLANK
    from lazarus_bench.jobs.subjects import LAB

    return [*LAB, BLANK]


def claim_ids(_: object) -> list[str]:
    """The installed claims' ids; the record is read as it is, since its reader loads much."""
    from lazarus_bench.claims.folder import installed

    folder = installed()
    if folder is None or not (folder / "registry.json").exists():
        return []
    content = reading.read_json(folder / "registry.json")
    # Brackets are patterns to a shell; `run` takes what stands before them.
    return list(dict.fromkeys(claim["id"].partition("[")[0] for claim in content["claims"]))


def families(context: object) -> list[str]:
    """The families of the installed claims."""
    return list(dict.fromkeys(name.partition("/")[0] for name in claim_ids(context)))


def number(help: str) -> Parameter:
    """A flag whose value is a number."""
    return Parameter(metavar="N", help=help)


Line = Annotated[CommandLine, Parameter(parse=False)]
"""A command that asks for `line: Line` is handed what was typed."""

Json = Annotated[bool, Parameter(name="--json", help="print JSON for other programs")]

Hypotheses = Annotated[
    Path | None,
    Parameter(
        name=("--hypotheses", "--pack"),
        metavar="DIR|NAME",
        help="the folder of claim files, or an installed package of claims (default: ./hypotheses "
        "if it has a registry.json, else the installed ones)",
    ),
]

StoreFolder = Annotated[
    Path | None,
    Parameter(
        name="--store",
        metavar="DIR",
        help="where trained models are kept (default: LAZARUS_BENCH_STORE, else the user's cache)",
    ),
]

Model = Annotated[
    str,
    Parameter(
        metavar="MODEL",
        completer=lab_models,
        help="a Hugging Face id, a directory, or a lab name such as lab:llama (seed 0's artifact "
        "in the store)",
    ),
]


NO_OPTION = "there is no option"


def _no_options(_: object, words: list[str] | None) -> None:
    """Refuse what looks like an option among words that may begin with -, such as '-3 + 5 = '."""
    for word in words or ():
        if word.startswith("--") or (word[:1] == "-" and word[1:2].isalpha() and " " not in word):
            raise ValueError(f"{NO_OPTION} {word}")


Prompts = Annotated[
    list[str],
    Parameter(
        metavar="PROMPT",
        help="a prompt; 'a|b' is two, @FILE reads one per line, @FILE.jsonl a JSON text, prompt or "
        "messages (for the model's chat template) per line, @- reads standard input; spaces count",
        allow_leading_hyphen=True,
        validator=_no_options,
    ),
]


def side(name: str, what: str) -> Parameter:
    """One side of pairs of prompts, an argument by its place."""
    told = f"{what}; 'a|b' is two, @FILE reads one per line"
    return Parameter(metavar=name, help=told, allow_leading_hyphen=True)


def answers_to(what: str, counts: str = "only the first token counts") -> Parameter:
    """The answers to one side's prompts."""
    told = (
        f"answers to {what}: one for all prompts, or one per prompt ('a|b' or @FILE); {counts} "
        f"(default: the model's own next token)"
    )
    return Parameter(metavar="TEXT|TEXT", help=told, allow_leading_hyphen=True)


Clean = Annotated[str, side("CLEAN", "prompts whose residuals are copied")]

Corrupted = Annotated[str, side("CORRUPTED", "prompts that receive them; as many as CLEAN")]

CleanAnswers = Annotated[str | None, answers_to("CLEAN")]

CorruptedAnswers = Annotated[str | None, answers_to("CORRUPTED")]

Targets = Annotated[
    list[str] | None,
    Parameter(
        name="--targets",
        metavar="WORD,WORD",
        help="words whose probability to show, each a single token unless --token is given, taken "
        "literally (spaces count); token:N is the token with the id N",
    ),
]

Token = Annotated[
    Literal["only", "first", "phrase"],
    Parameter(
        help="how a word of several tokens is read: not at all (only), by its first token, or by "
        "all of them (phrase: the product of their probabilities) (default: only)"
    ),
]

FirstToken = Annotated[
    Literal["only", "first"],
    Parameter(
        help="how a word of several tokens is read: not at all (only), or by its first token "
        "(default: only)"
    ),
]

Dtype = Annotated[
    precision.Dtype,
    Parameter(
        name="--dtype",
        metavar="TYPE",
        help="compute with weights of this type: float32, bfloat16, float16, or auto, which is as "
        "stored, but float32 on a CPU where it fits (default: auto)",
    ),
]

TopK = Annotated[int, Parameter(metavar="K", help="most probable tokens to show (default: 5)")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Layers:
    """Which layers are asked for: some, all, or neither for the command's own default.

    The command's own docstring says what that default is.
    """

    layer: Annotated[list[int] | None, number("a layer, from 0; may be repeated")] = None
    all_layers: Annotated[bool, Parameter(help="every layer")] = False

    def __post_init__(self) -> None:
        if self.layer and self.all_layers:
            raise UserError("--layer and --all-layers exclude each other: give one of them")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Output:
    """How a result is given."""

    json: Json = False
    output: Annotated[
        Path | None,
        Parameter(
            metavar="FILE.json",
            help="also write the result to this file, with versions, device, BLAS, the model's "
            "digest and this command",
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Reading(Output):
    """What every command that reads a model takes besides MODEL."""

    adapter: Annotated[
        Path | None,
        Parameter(metavar="DIR", help="apply this adapter, in mlx-lm's format, to MODEL"),
    ] = None
    store: StoreFolder = None
    dtype: Dtype = precision.AUTO


def plot(what: str) -> Parameter:
    """--plot, which draws `what`."""
    return Parameter(name="--plot", metavar="FILE.svg|FILE.png", help=what)


_GROUPS = {
    Group("Subjects", sort_key=2): (
        *("model", "data", "profile", "seeds", "first_seed", "until_decided", "budget"),
    ),
    Group("Trainings", sort_key=3): (
        *("store", "plan", "offline", "dtype", "workers", "scheduler", "ranks", "hosts"),
        "fresh_measurements",
    ),
    Group("Verdicts", sort_key=4): ("report", "fail_on", "update_pins"),
}
_MORE = {
    "model": Parameter(name=("--model", "-m"), completer=lab_models),
    "fresh_measurements": Parameter(name=("--fresh-measurements", "--fresh-readings")),
}


def _session_options(*names: str, **more: Parameter) -> Any:
    """The session's `Options` with the flags `names`, made of what each option says of itself."""
    made: list[Any] = []
    hints = get_type_hints(Options)
    for item in fields(Options):
        hint, about = hints[item.name], item.metadata
        if about["choices"]:
            hint = Literal[about["choices"]]
        elif hint in (int | None, int) or item.name == "fail_on":
            hint = str  # `Options` reads it, as pytest's
        asked = Parameter(
            name=f"--{item.name.replace('_', '-')}",
            metavar=about["metavar"] or None,
            help=about["help"],
            group=next((group for group, held in _GROUPS.items() if item.name in held), None),
            parse=None if item.name in names else False,
        )
        own = more.get(item.name, _MORE.get(item.name, Parameter()))
        made.append(
            (item.name, Annotated[hint, asked, own], field(default=item.default, metadata=about))
        )
    place = {"__module__": __name__}  # cyclopts takes what comes from `types` as built in
    made_of = make_dataclass(
        "Flags", made, bases=(Options,), frozen=True, kw_only=True, namespace=place
    )
    return Parameter(name="*")(made_of)


if TYPE_CHECKING:
    Judging = Options
    Experimenting = Options
    Standing = Options
    Listing = Options
    Written = Options
else:
    _ASKED = ("model", "data", "profile", "seeds", "dtype")
    _ALL = [item.name for item in fields(Options)]
    _REPORT = Parameter(
        name=("--report", "-o"),
        help="folder for report.json, report.md and report.html (default: experiments/NAME)",
    )
    Judging = _session_options(*_ALL)
    Experimenting = _session_options(*_ALL, report=_REPORT)
    Standing = _session_options(*_ASKED, "store", "report", report=_REPORT)
    Listing = _session_options(*_ASKED)
    Written = _session_options(
        "report",
        "fail_on",
        report=Parameter(
            name=("--report", "-o"), help="folder for report.json, report.md, report.html"
        ),
        fail_on=Parameter(
            help="what makes the exit code non-zero: refuted, invalid, mixed, inconclusive, or "
            "none (default: refuted,invalid)"
        ),
    )

Published = Annotated[
    bool,
    Parameter(
        group="Verdicts", help="judge the published numbers by the same rule, without a model"
    ),
]
