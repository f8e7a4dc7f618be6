"""Damaged files: each input that a command reads, changed at random, given to its reader."""

import io
import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from attack_forks import Attempt
from attack_inputs import CLASSES, ENGRAM_WORDS, TRAINING

Damage = Callable[[random.Random, bytes], bytes]
NESTED = "[" * 100_000
LEAVES = (
    *(
        None,
        True,
        False,
        -1,
        0,
        1,
        10**30,
        -(10**30),
        1e308,
        5e-324,
        "",
        "x",
        "x" * 100_000,
        [],
        {},
    ),
    *(
        [None],
        [[]],
        {"": {}},
        {"a": [1]},
        "\u202e\x1b[31m",
        "../../etc/passwd",
        "/dev/zero",
        "\x00",
    ),
    *(
        "nan",
        "1e400",
        "-1",
        "１２",
        [0] * 10_000,
        ["x"],
        [[1, 2], [3]],
        2**63,
        -0.5,
        "True",
        "null",
    ),
)
RAW = ("NaN", "Infinity", "-Infinity", "1e400", "9" * 5000, NESTED, '"\\ud800"', '{"a": 1, "a": 2}')
"""What Python's own JSON does not write."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """An input: the file, what is copied for it, and the commands that read it, FILE in place."""

    file: str
    commands: tuple[str, ...]
    beside: str = ""
    damages: tuple[Damage, ...] = ()
    strict: bool = False
    """Whether the whole file is JSON, so that what no parser reads must be refused."""
    weight: int = 1


def flipped(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def truncated(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.choice((0, 1, len(data) - 1, rng.randrange(len(data))))]


def spliced(rng: random.Random, data: bytes) -> bytes:
    at, start = rng.randrange(len(data)), rng.randrange(len(data))
    chunk = data[start : start + rng.randrange(1, 200)]
    return data[:at] + chunk + data[at + rng.choice((0, len(chunk))) :]


def inserted(rng: random.Random, data: bytes) -> bytes:
    odd = rng.choice((b"\xff", b"\x00", b"\xed\xa0\x80", b"\xc0\xaf", b"\x1b[31m", b"\r", b"\x0b"))
    at = rng.randrange(len(data))
    return data[:at] + odd * rng.choice((1, 1, 1000)) + data[at:]


def whole(rng: random.Random, data: bytes) -> bytes:
    return rng.choice(
        (
            b"\xef\xbb\xbf" + data,
            data.replace(b"\n", b"\r\n"),
            data + data,
            data[::-1],
            data.decode("latin-1").encode("utf-16"),
            b"\x00" * len(data),
            NESTED.encode(),
            b"\x1f\x8b" + data,
            b"\x80\x04\x95" + data,
            b"%PDF-1.4\n",
            b"\n" * 100_000,
        )
    )


def relined(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    how = rng.randrange(4)
    if how == 0:
        lines.insert(other, lines[at])
    elif how == 1:
        del lines[at]
    elif how == 2:
        lines[at], lines[other] = lines[other], lines[at]
    else:
        lines[at] = rng.choice(
            (b"\n", b"x" * 200_000 + b"\n", b",,,,,,\n", b'"\n', b"{}\n", b"[]\n")
        )
    return b"".join(lines)


BYTES = (flipped, truncated, spliced, inserted, whole, relined)


def rejson(rng: random.Random, data: bytes) -> bytes:
    """A leaf, a list or an object of other kind, lost, renamed or added."""
    content = json.loads(data)
    holders = list(_holders(content))
    if not holders:
        return flipped(rng, data)
    holder = rng.choice(holders)
    key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    how = rng.randrange(6)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, dict):
        holder[rng.choice(("", "x", "__class__", "\x1b[31m", key + "x"))] = holder.pop(key)
    elif how == 2:
        holder[key] = "@RAW@"
    elif how == 3:
        holder[key] = [holder[key]]
    else:
        holder[key] = rng.choice(LEAVES)
    return json.dumps(content).replace('"@RAW@"', rng.choice(RAW)).encode()


def _holders(content: Any) -> Iterator[Any]:
    if isinstance(content, dict | list) and content:
        yield content
        for each in content.values() if isinstance(content, dict) else content:
            yield from _holders(each)


def rejsonl(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines()
    at = rng.randrange(len(lines))
    lines[at] = rejson(rng, lines[at])
    return b"\n".join(lines) + b"\n"


def revalued(rng: random.Random, data: bytes) -> bytes:
    """A field of a line of CSV, TSV, YAML or TOML."""
    lines = data.decode().splitlines()
    at = rng.randrange(len(lines))
    signs = [sign for sign in (",", "\t", ": ", " = ") if sign in lines[at]]
    value = rng.choice(
        (*RAW, *map(json.dumps, LEAVES), "nan", "inf", "-", "&a *a", "!!python/name:os")
    )
    if signs:
        parts = lines[at].split(signs[0])
        parts[rng.randrange(len(parts))] = value
        lines[at] = signs[0].join(parts)
    else:
        lines[at] = value
    return ("\n".join(lines) + "\n").encode()


def reheaded(rng: random.Random, data: bytes) -> bytes:
    """The header of safetensors, its length right or wrong."""
    length = int.from_bytes(data[:8], "little")
    header = rejson(rng, data[8 : 8 + length])
    said = len(header) if rng.random() < 0.8 else rng.choice((0, 2**63, len(header) + 1, 10**9))
    return said.to_bytes(8, "little") + header + data[8 + length :]


def rearrayed(rng: random.Random, data: bytes) -> bytes:
    """One array of an npz of another shape, kind or content, lost or of pickles."""
    arrays = dict(np.load(io.BytesIO(data)))
    name = rng.choice(list(arrays))
    array = arrays.pop(name)
    others = (
        *(array[:-1], array[None], array.astype(str), array.view(np.uint8), np.array(None)),
        *(np.zeros(0), np.full(array.shape, np.nan), np.full(array.shape, -1), np.zeros((1,) * 20)),
        *(np.array({"a": 1}), np.full(array.shape, 10**18), np.zeros(array.shape, complex)),
    )
    if rng.random() < 0.9:
        arrays[name] = rng.choice(others)
    sink = io.BytesIO()
    np.savez(sink, **arrays)
    return sink.getvalue()


JSON, LINES, TEXT = (
    (rejson, rejson, *BYTES),
    (rejsonl, rejsonl, *BYTES),
    (revalued, revalued, *BYTES),
)
TENSORS, ARRAYS = (reheaded, *BYTES[:5]), (rearrayed, rearrayed, *BYTES[:5])
GENERATE = "generate tiny|7 * 8 = |--max-tokens|2"
ADAPTED = f"{GENERATE}|--adapter|adapter"
STUDY = "--hypotheses|hostile-claims/hostile_claims"
CLAIMED = "judge long.csv|--claims|FILE"
STORED = ("store ls", "store verify", "store show|sft", "lab list", "store gc|--dry-run")
FINISHED, BEGUN = "store/sft-*", "store/.partial/sft-*"
PROBE = f"classifier tiny|--classes|{CLASSES[0]}|--classes|add:@FILE|--permutations|9"

KINDS: Mapping[str, Kind] = {
    "report": Kind(
        file="report/report.json",
        commands=("report report", "render report", "diff report|OLD", "report FILE|--json"),
        damages=JSON,
        strict=True,
        weight=4,
    ),
    "evidence": Kind(
        file="report/evidence.npz",
        commands=("judge report", "judge FILE", "report report|--as|html"),
        damages=ARRAYS,
        weight=3,
    ),
    "pins": Kind(
        file="hostile-claims/hostile_claims/pins.json",
        commands=(f"run --published|--report|judged|{STUDY}",),
        damages=JSON,
        strict=True,
    ),
    "registry": Kind(
        file="hostile-claims/hostile_claims/registry.json",
        commands=(
            "claims list|--against|FILE",
            f"claims export|--output|hostile-claims/hostile_claims/|{STUDY}",
        ),
        damages=JSON,
        strict=True,
        weight=2,
    ),
    "pyproject": Kind(
        file="pyproject.toml", beside="hostile-claims", commands=("claims list",), damages=TEXT
    ),
    "config": Kind(
        file="tiny/config.json", commands=(GENERATE,), damages=JSON, strict=True, weight=4
    ),
    "tokenizer": Kind(
        file="tiny/tokenizer.json", commands=(GENERATE,), damages=JSON, strict=True, weight=3
    ),
    "tokenizer_config": Kind(
        file="tiny/tokenizer_config.json", commands=(GENERATE,), damages=JSON, strict=True, weight=2
    ),
    "weights": Kind(file="tiny/model.safetensors", commands=(GENERATE,), damages=TENSORS, weight=2),
    "adapter": Kind(
        file="adapter/adapters.safetensors",
        beside="tiny",
        commands=(ADAPTED,),
        damages=TENSORS,
        weight=2,
    ),
    "adapter_config": Kind(
        file="adapter/adapter_config.json",
        beside="tiny",
        commands=(ADAPTED,),
        damages=JSON,
        strict=True,
        weight=2,
    ),
    "prompts": Kind(
        file="prompts.txt",
        beside="tiny",
        commands=("generate tiny|@FILE|--max-tokens|2", PROBE),
        damages=TEXT,
    ),
    "rows": Kind(
        file="rows.jsonl",
        beside="tiny",
        commands=(f"train sft|tiny|--data|FILE|{TRAINING}",),
        damages=LINES,
        weight=2,
    ),
    "texts": Kind(
        file="sst2/train.tsv",
        beside="tiny",
        commands=(f"train engram|tiny|--data|sst2=sst2|{ENGRAM_WORDS}",),
        damages=TEXT,
    ),
    "training": Kind(
        file="config.yaml",
        beside="tiny",
        commands=(f"train sft|tiny|--config|FILE|{TRAINING}",),
        damages=TEXT,
        weight=2,
    ),
    "experiment": Kind(
        file="experiment.yaml",
        commands=("experiment run|two_stage_classifier|--config|FILE|--plan",),
        damages=TEXT,
    ),
    "csv": Kind(file="long.csv", commands=("judge FILE|--region|> 0",), damages=TEXT, weight=3),
    "jsonl": Kind(
        file="long.jsonl", commands=("judge FILE|--region|> 0",), damages=LINES, weight=2
    ),
    "parquet": Kind(
        file="long.parquet", commands=("judge FILE|--region|> 0",), damages=BYTES[:5], weight=2
    ),
    "lm_eval": Kind(
        file="lm_eval_sums_1.jsonl",
        commands=("judge FILE|--value|acc|--region|> 0",),
        damages=LINES,
        weight=2,
    ),
    "inspect": Kind(
        file="inspect_good.json",
        commands=("judge FILE|--value|match|--region|> 0",),
        damages=JSON,
        strict=True,
        weight=2,
    ),
    "eval": Kind(
        file="inspect_good.eval",
        commands=("judge FILE|--value|match|--region|> 0",),
        damages=BYTES[:5],
        weight=2,
    ),
    "toml": Kind(
        file="claims.toml", beside="long.csv", commands=(CLAIMED,), damages=TEXT, weight=2
    ),
    "yaml": Kind(
        file="claims.yaml",
        beside="long.csv",
        commands=(CLAIMED,),
        damages=(rejson, *TEXT),
        weight=2,
    ),
    "benchmark": Kind(
        file="measured.json",
        commands=("benchmark --from|FILE", "benchmark --gate|--from|FILE"),
        damages=JSON,
        strict=True,
        weight=3,
    ),
    "hosts": Kind(
        file="hosts.json",
        beside="hostile-claims",
        commands=(f"run --plan|--ranks|2|--workers|1|--hosts|FILE|{STUDY}",),
        damages=JSON,
        strict=True,
    ),
    "manifest": Kind(file=f"{FINISHED}/manifest.json", commands=STORED, damages=JSON, weight=2),
    "spec": Kind(file=f"{FINISHED}/spec.json", commands=STORED, damages=JSON, weight=2),
    "log": Kind(file=f"{FINISHED}/metrics.jsonl", commands=STORED[1:3], damages=LINES),
    "validation": Kind(file=f"{FINISHED}/validation.json", commands=STORED[1:3], damages=JSON),
    "problems": Kind(file=f"{FINISHED}/problems.jsonl", commands=STORED[1:3], damages=LINES),
    "attempt": Kind(file=f"{BEGUN}/attempt.json", commands=STORED, damages=JSON),
    "state": Kind(file=f"{BEGUN}/resume/0*.safetensors", commands=STORED[:2], damages=TENSORS),
    "begun_log": Kind(file=f"{BEGUN}/metrics.jsonl", commands=STORED[:2], damages=LINES),
    "begun_validation": Kind(file=f"{BEGUN}/validation.json", commands=STORED[:2], damages=JSON),
}


def files(place: Path, count: int, seed: int) -> Iterator[Attempt]:
    """`count` damaged files; each kind comes before any comes again."""
    rng = random.Random(seed)
    order = [*KINDS, *rng.choices(list(KINDS), [kind.weight for kind in KINDS.values()], k=count)]
    for name in order[:count]:
        yield damaged(place, rng, name, KINDS[name])


def damaged(place: Path, rng: random.Random, name: str, kind: Kind) -> Attempt:
    """A command that reads a file of this kind that was changed once."""
    (file,) = place.glob(kind.file)
    relative = file.relative_to(place)
    damage, command = rng.choice(kind.damages), rng.choice(kind.commands)
    data = damage(rng, file.read_bytes())
    first, _, others = command.replace("FILE", str(relative)).partition("|")
    words = (*first.split(), *(others.split("|") if others else ()))
    return Attempt(
        words=tuple(word.replace("OLD", str(place / "report")) for word in words),
        furnish=partial(_furnish, place, relative, kind.beside, data),
        about=f"{name} {damage.__name__}",
        hostile=(relative.name, "results/", "mine/", "reads 128 tokens"),
        breaks=kind.strict and not _readable(data),
    )


def _readable(data: bytes) -> bool:
    from lazarus_bench.reading import parse_json

    try:
        parse_json(data.decode("utf-8-sig"))
    except ValueError:
        return False
    return True


def _furnish(place: Path, relative: Path, beside: str, data: bytes, folder: Path) -> None:
    """Leave the damaged file where it was, with what stands around it."""
    for name in filter(None, (relative.parts[0], beside)):
        if (place / name).is_dir():
            shutil.copytree(place / name, folder / name)
        else:
            shutil.copy(place / name, folder / name)
    (folder / relative).write_bytes(data)
