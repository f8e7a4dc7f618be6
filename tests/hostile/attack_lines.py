"""Hostile command lines, drawn from the commands' own signatures: every command and every flag."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from attack_forks import Attempt
from attack_inputs import CLASSES, REPORTS, hostile_places
from commandcases import ANSWERS, ENGRAM, FULL, GRPO, SFT, SMALL, SWAPS, TWO
from cyclopts import App

Command = tuple[str, ...]

NUMBERS = (
    *("nan", "inf", "-inf", "1e400", "-1e400", "1e-400", "-1", "-0", "0", "1", "2", str(10**20)),
    *(str(-(10**20)), "0x10", "１２", "٣", "1_0", " 3", "3 ", "+3", "3.0", "2.5", "1,5", "½", "²"),
    *("9" * 5000, "1e5", "0.1", "1e308", str(2**63), str(2**64 - 1), "true", "none"),
)
TEXTS = (
    *(
        "",
        " ",
        "-",
        "--",
        "---",
        "-x",
        "--no-such",
        "-9",
        "\t",
        "\n",
        "\r",
        "a\nb",
        "\x01\x02",
        "\x7f",
    ),
    *("\x1b[31mred", "\x1b]8;;http://x\x07link\x1b]8;;\x07", "\x9b31m", "\u202eevil", "\u2066x"),
    *("\u2028", "\ufeff", "e\u0301", "🦙" * 500, "x" * 5000, "x" * 100_000, "a/" * 2500, "\udcff"),
    *('{"a": [1]}', "[" * 5000, "[1, 2", "*", "**/*", "[a-z]", "?", "a|b|", "|", "||", "a,b", ","),
    *("%s%n%d", "{0}", "{x!r}", "$HOME", "`id`", "$(id)", "; id", "null", "None", "a=b", "=", "=="),
    *("lab:", "lab:nope", "lab:llama", "lab:blank", "hub", "x=hub", "../../etc/passwd", "a:b", ":"),
    *("tcp://", "tcp://127.0.0.1:1", "tls://127.0.0.1:1", "http://[::1", "file:///etc/passwd"),
    *(
        "@",
        "@-",
        "@missing",
        "@folder",
        "@empty",
        "@binary",
        "@secret",
        "@/dev/null",
        "all",
        "auto",
    ),
    *("> 0", ">", ">= nan", "[1, 0]", "[-inf, inf]", "> 1e400", "(((", "a:b|c", "a:|", "x:@empty"),
)
PATHS = (
    *("", "-", "--", ".", "..", "/", "//", "~", "~nobody", "~nosuchuser/x", "~/x.json", "missing"),
    *("missing/deeper/x.json", "folder", "folder/", "folder/inside/x", "pipe", "loop", "round"),
    *("dangling", "empty", "binary", "vast", "odd-\udcff", "line\nfeed", "secret", "secret.json"),
    *("locked", "locked/x", "locked/x.json", "socket", "/dev/null", "/dev/zero", "/dev/full"),
    *("/dev/stdin", "/dev/stdout", "/dev/tty", "/proc/self/mem", "/proc/self/fd/0", "/etc/shadow"),
    *(
        "/proc/self/environ",
        "/proc/version",
        "x" * 300,
        "x" * 5000,
        "a/" * 2500,
        "file:///etc/passwd",
    ),
    *("*", "[", '{"a": 1}', "a\nb.json", "\x1b[31m.json", "\u202e.svg", "x.JSON", "x.png", "x.svg"),
    *("x.json", "x.jsonl", "x.md", "x.html", "x.csv", "x.yaml", "x.npz", "x.parquet", "x.eval"),
    *("@missing", "folder=x", "a=missing", "a=folder", "a=/dev/zero", "/root/x.json", "tls://x"),
    *("/dev/fd/1", "/dev/fd/9", "con.json", "x.json/", "./-x", "/nowhere/x.json", "\udcff.json"),
)
READING = {"lens", "analyze", "ablate", "erase", "patch", "steer", "generate", "classifier"}
READING |= {"moe-expert", "attribute", "interchange"}
SLOW = {"run", "experiment", "doctor", "claims", "fuse", "train", *READING}
"""Commands of more than 0.2 s where nothing stops them: fewer lines than the others have."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """An argument of a command: its names, none where it is positional, and its type."""

    names: tuple[str, ...]
    metavar: str
    hint: Any

    @property
    def values(self) -> Sequence[str]:
        """What to try, the fitting kinds first."""
        kinds = set(_kinds(self.hint))
        if kinds & {int, float}:
            return (*NUMBERS, *NUMBERS, *TEXTS)
        if bool in kinds:
            return ("", "yes", "false", "=", "\x1b[31m", "--", "2")
        return (*TEXTS, *PATHS, *PATHS, *NUMBERS[:12])


def _kinds(hint: Any) -> Iterator[Any]:
    """The types in `hint`."""
    origin = get_origin(hint)
    if origin is Annotated:
        yield from _kinds(get_args(hint)[0])
    elif origin is Literal or hint in (NoneType, ...):
        return
    elif get_args(hint):
        for each in get_args(hint):
            yield from _kinds(each)
    else:
        yield hint


def signatures() -> dict[Command, list[Flag]]:
    """Every command with its arguments."""
    from lazarus_bench.cli.application import Everything, application

    return dict(_walk(application(Everything()), ()))


def _walk(app: App, path: Command) -> Iterator[tuple[Command, list[Flag]]]:
    if app.default_command is not None and path:
        found = app.assemble_argument_collection()
        yield path, [_flag(each) for each in found if each.parse and each.names[0] != "*"]
    for name in app:
        if not name.startswith("-"):
            yield from _walk(app[name], (*path, name))


def _flag(argument: Any) -> Flag:
    named = argument.parameter.negative or ()
    names = [name for name in argument.names if name.startswith("-")]
    kept = [n for n in names if not n.startswith(("--no-", "--empty-")) or n in named]
    return Flag(names=tuple(kept or names), metavar=argument.names[0], hint=argument.hint)


def whole(place: Path) -> dict[Command, tuple[list[str], list[str]]]:
    """A small use of each command: its words, and those that stand last so that it stays small."""
    tiny, mixture, study = (
        str(place / name) for name in ("tiny", "mixture", "hostile-claims/hostile_claims")
    )
    report, published, store = (
        str(place / "report"),
        str(REPORTS / "published"),
        str(place / "store"),
    )
    classes = [word for text in CLASSES for word in ("--classes", text)]
    few = [*classes, "--permutations", "9"]
    prompts = [tiny, "7 * 8 = "]
    small = {"sft": SFT, "full": FULL, "dual-reward": SMALL, "grpo": GRPO, "grpo-dual": GRPO}
    small |= {"two-stage": TWO, "engram": ENGRAM}
    fit = ["--batch", "2", "--max-length", "8"]
    small |= {
        "jacobian-lens": [*fit, "--examples", "2"],
        "tuned-lens": [*fit, "--examples", "8", "--steps", "2"],
    }
    judged = ["--published", "--report", "judged"]
    return {
        ("doctor",): ([], []),
        ("init",): (["mine"], []),
        ("run",): (["--hypotheses", study], judged),
        ("experiment", "run"): (["two_stage_classifier"], ["--plan"]),
        ("experiment", "list"): ([], []),
        ("experiment", "status"): (["two_stage_classifier"], []),
        ("report",): ([report], []),
        ("render",): ([report], []),
        ("diff",): ([report, published], []),
        ("judge",): ([str(place / "long.csv"), "--region", "> 0"], []),
        ("lab", "list"): ([], []),
        ("lab", "build"): (["granite"], ["--store", "/proc/none"]),
        ("completion",): (["zsh"], []),
        ("lens",): (prompts, []),
        ("analyze",): (prompts, []),
        ("ablate",): (prompts, []),
        ("generate",): (prompts, ["--max-tokens", "2"]),
        ("classifier",): ([tiny, *few], []),
        ("erase",): ([tiny, "9 * 9 = ", *classes, "--draws", "2"], []),
        ("patch",): ([tiny, "7 * 8 = ", "7 + 8 = ", *ANSWERS], []),
        ("attribute",): ([tiny, "7 * 8 = ", "7 + 8 = ", *ANSWERS], []),
        ("interchange",): ([tiny, *SWAPS], ["--steps", "2"]),
        ("steer",): ([*prompts, "--toward", "3 + 4 = ", "--away", "3 * 4 = "], []),
        ("moe-expert", "analyze"): ([mixture, *few], []),
        ("moe-expert", "trace"): ([mixture, "7 * 8 = "], []),
        ("moe-expert", "weights"): ([mixture], []),
        ("moe-expert", "project"): ([mixture, "--draws", "2"], []),
        ("fuse",): ([tiny, "--adapter", str(place / "adapter"), "--output", "fused"], []),
        ("benchmark",): ([], ["--from", str(place / "measured.json")]),
        ("data",): (["arithmetic", "--count", "20", "--output", "rows/"], []),
        ("claims", "list"): (["--hypotheses", study], []),
        ("claims", "show"): (["hostile-claims/noise-keeps-answers", "--hypotheses", study], []),
        ("claims", "export"): (["--hypotheses", study], []),
        ("store", "ls"): (["--store", store], []),
        ("store", "show"): (["sft", "--store", store], []),
        ("store", "verify"): (["--store", store], []),
        ("store", "gc"): (["--store", store, "--dry-run"], []),
        **{("train", name): ([tiny, *words], []) for name, words in small.items()},
    }


def lines(place: Path, count: int, seed: int) -> Iterator[Attempt]:
    """`count` hostile command lines; each flag of each command comes before any comes again."""
    rng, known, told = random.Random(seed), whole(place), signatures()
    assert told.keys() == known.keys(), told.keys() ^ known.keys()
    pairs = [(command, flag) for command, flags in told.items() for flag in flags]
    cheap = [pair for pair in pairs if pair[0][0] not in SLOW]
    rng.shuffle(pairs)
    chosen = [*pairs, *(rng.choice(cheap if rng.random() < 0.65 else pairs) for _ in range(count))]
    for command, flag in chosen[:count]:
        yield line(rng, command, flag, told[command], known[command])


def line(
    rng: random.Random,
    command: Command,
    flag: Flag,
    flags: Sequence[Flag],
    words: tuple[list[str], list[str]],
) -> Attempt:
    """A use of `command` with a hostile value of `flag`, and sometimes of others."""
    base, last = list(words[0]), list(words[1])
    named = [each for each in flags if each.names]
    targets = [flag, *(rng.choice(named) for _ in range(rng.choice((0, 0, 0, 1, 2))) if named)]
    hostile = []
    for each in targets:
        value = rng.choice(each.values)
        hostile.append(value)
        last = _without(last, each)
        if not each.names:
            base = _placed(rng, base, value)
            continue
        name = rng.choice(each.names)
        hostile.append(name)
        base += [f"{name}={value}"] if rng.random() < 0.5 else [name, value]
        if bool in _kinds(each.hint) and rng.random() < 0.5:
            base = [*base[: -1 if "=" in base[-1] else -2], name]
    if rng.random() < 0.1:
        hostile.append(rng.choice(TEXTS))
        base.insert(rng.randrange(len(base) + 1), hostile[-1])
    if command[0] in READING and rng.random() < 0.4:
        # What a command sees before it loads anything.
        base = [word if not word.endswith(("/tiny", "/mixture")) else "missing" for word in base]
    return Attempt(
        words=(*command, *base, *last),
        furnish=hostile_places,
        about=f"{' '.join(command)} {flag.names[0] if flag.names else flag.metavar}",
        hostile=tuple(hostile),
    )


def _without(last: list[str], flag: Flag) -> list[str]:
    """`last` stays, but where it would repeat a value that it does not bound."""
    return [] if last[:1] == ["--max-tokens"] and last[0] in flag.names else last


def _placed(rng: random.Random, base: list[str], value: str) -> list[str]:
    """`value` in place of one of the words before the options, or after them."""
    until = next((at for at, word in enumerate(base) if word.startswith("--")), len(base))
    if until == 0:
        return [value, *base]
    at = rng.randrange(until)
    return [*base[:at], value, *base[at + 1 :]]
