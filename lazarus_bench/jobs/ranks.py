"""One training on several ranks: processes that `mlx.launch` starts and that share each batch.

`run_ranked` describes the work as JSON, starts the ranks on this module, and turns what they report
into what `recipe.run` would have done in this process. Rank 0 alone writes the artifact.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from lazarus_bench import reading
from lazarus_bench.codec import from_plain, to_plain
from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.models import precision
from lazarus_bench.training import Recipe

Kind = Literal["done", "user error", "not applicable", "crash", "warning"]

LOCAL = "127.0.0.1"
PORTS = range(20_000, 32_000)
"""Below the ports that systems hand out on their own."""

PEER_LOST = "[ring] connection to a peer was lost"
"""Raised by a rank because another one failed: never the reason."""

BACKENDS = ("ring", "jaccl", "jaccl-ring", "mpi", "nccl")

PIPE_FILL = 256 * 1024
WATCH_SECONDS = 1.0


class RankWarning(UserWarning):
    """A warning that rank 0 gave."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What every rank is given; `lifeline` is a FIFO that ends when the starting process does."""

    recipe: Recipe
    base: Path | None
    out: Path
    seed: int
    ranks: int
    lifeline: Path
    dtype: str | None = None

    def to_json(self) -> str:
        """The task as one JSON text, with the place of the recipe's class."""
        kind = type(self.recipe)
        rest = {"base": self.base and self.base.resolve(), "out": self.out.resolve()}
        row = vars(self) | rest | {"recipe": to_plain(self.recipe)}
        return json.dumps([kind.__module__, kind.__qualname__, row], default=str)

    @classmethod
    def from_json(cls, text: str) -> Task:
        """The task that `to_json` wrote."""
        module, name, row = json.loads(text)
        recipe = from_plain(row.pop("recipe"), getattr(importlib.import_module(module), name))
        paths = {key: row[key] and Path(row[key]) for key in ("base", "out", "lifeline")}
        return cls(recipe=recipe, **row | paths)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One line from a rank to the process that started it."""

    rank: int
    kind: Kind
    text: str = ""


def run_ranked(
    recipe: Recipe,
    base: Path | None,
    out: Path,
    seed: int,
    ranks: int,
    hosts: Path | None = None,
) -> None:
    """Run `recipe` on `ranks` processes and leave its artifact in `out`.

    `base` is the directory of the model it starts from, at the same path for every rank, loaded
    with weights of the type that is asked for here (`models.precision`). Rank 0
    runs on this machine and writes to `out`, which may hold a killed attempt's state. `hosts` is
    `mlx.launch`'s host file, a host a rank, this machine first; None keeps all ranks here.

    Raises:
        UserError: a rank raised it, or `hosts` does not fit.
        NotApplicable: a rank raised it.
        RuntimeError: a rank crashed; it names the rank and its last line.
    """
    backend = "ring" if hosts is None else check_hosts(hosts, ranks)
    with tempfile.TemporaryDirectory(prefix="lazarus-bench-") as folder:
        lifeline = Path(folder) / "lifeline"
        task = Task(
            recipe=recipe,
            base=base,
            out=out,
            seed=seed,
            ranks=ranks,
            lifeline=lifeline,
            dtype=precision.asked_for(),
        )
        command = _command(task, hosts, backend)
        errors = Path(folder) / "stderr"
        os.mkfifo(lifeline)
        held = os.open(lifeline, os.O_RDWR)  # the kernel closes it if this process is killed
        try:
            with errors.open("wb") as stream:
                messages = list(_launched(command, stream.fileno(), Path(folder), hosts is None))
        finally:
            os.close(held)
        _conclude(messages, errors.read_text(encoding="utf-8", errors="replace"), recipe.label)


def check_hosts(file: Path, ranks: int) -> str:
    """The backend that the host file names, ring unless it does.

    Raises:
        UserError: it is not what mlx.launch reads, or does not have a host a rank.
    """

    def no_hosts(why: str) -> UserError:
        return UserError(
            f"{file} is not a host file for mlx.launch ({why}): make one with "
            f"mlx.distributed_config"
        )

    try:
        found = reading.read_json(file)
    except OSError as error:
        raise no_hosts((error.strerror or str(error)).lower()) from error
    except ValueError as error:
        raise no_hosts(f"it is not JSON: {error}") from error
    hosts = found.get("hosts") if isinstance(found, dict) else found
    backend = found.get("backend", "ring") if isinstance(found, dict) else "ring"
    if backend not in BACKENDS:
        raise no_hosts(f"its backend {backend!r} is none of {', '.join(BACKENDS)}")
    if not isinstance(hosts, list) or not all(_is_host(host, backend) for host in hosts):
        raise no_hosts("each host needs a name, 'ssh', and a list of addresses, 'ips'")
    if len(hosts) != ranks:
        raise UserError(f"{file} has {len(hosts)} hosts for {ranks} ranks: give one host per rank")
    return str(backend)


def _is_host(host: object, backend: str) -> bool:
    if not isinstance(host, dict) or not isinstance(host.get("ssh"), str):
        return False
    addresses = host.get("ips", [])
    named = isinstance(addresses, list) and all(isinstance(ip, str) for ip in addresses)
    return named and (bool(addresses) or backend != "ring")


def _command(task: Task, hosts: Path | None, backend: str) -> list[str]:
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    launcher = shutil.which("mlx.launch", path=path)
    if launcher is None:
        raise UserError(f"mlx.launch is not in {scripts}: install mlx there, or train on one rank")
    places = ["-n", str(task.ranks)] if hosts is None else ["--hostfile", str(hosts)]
    named = {k: v for k, v in os.environ.items() if k.startswith("LAZARUS_BENCH_")}
    environment = {"OMP_NUM_THREADS": "1", **named}
    return [
        launcher,
        *places,
        *("--backend", backend, "--starting-port", str(_free_ports(task.ranks))),
        *(f"--env={name}={value}" for name, value in environment.items()),
        *("--", sys.executable, "-m", "lazarus_bench.jobs.ranks", task.to_json()),
    ]


def _free_ports(count: int) -> int:
    """The first of `count` ports in a row that nothing listens on here."""
    # Not the seeded generator: concurrent trainings would all try the same ports.
    draw = random.SystemRandom()
    while True:
        first = draw.choice(PORTS)
        with suppress(OSError):
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind((LOCAL, port))
            return first


def _launched(command: list[str], errors: int, folder: Path, fill: bool) -> Iterator[Message]:
    """Start the ranks and give their messages until the last one ends; none outlives the block."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        # mlx.launch leaves its temporary files behind.
        env={**os.environ, "TMPDIR": str(folder)},
        start_new_session=True,
    )
    try:
        if fill:
            # mlx.launch (0.32) waits for a rank's input to be writable and has nothing to write:
            # it would spin on a core of its own for as long as the pipe is not full.
            with suppress(BrokenPipeError):
                assert process.stdin is not None
                process.stdin.write(b"\n" * PIPE_FILL)
                process.stdin.flush()
        for line in process.stdout or ():
            found = re.search(rb"\{.*\}", line)
            if found:
                with suppress(ValueError, TypeError):
                    yield Message(**json.loads(found[0]))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _conclude(messages: Iterable[Message], errors: str, label: str) -> None:
    """Raise the ranks' error, and give rank 0's warnings."""
    by_kind: dict[Kind, Message] = {}
    for message in messages:
        if message.kind == "warning":
            warnings.warn(message.text, RankWarning, stacklevel=3)
        if PEER_LOST not in message.text:
            by_kind.setdefault(message.kind, message)
    if "user error" in by_kind:
        raise UserError(by_kind["user error"].text)
    if "not applicable" in by_kind:
        raise NotApplicable(by_kind["not applicable"].text)
    if "crash" in by_kind:
        crash = by_kind["crash"]
        raise RuntimeError(f"{label}: rank {crash.rank} crashed: {crash.text}")
    if "done" not in by_kind:
        raise UserError(
            f"{label}: mlx.launch could not run the ranks ({_cause(errors)}): try it by hand, and "
            f"check the host file and the memory"
        )


def _cause(errors: str) -> str:
    """The line of mlx.launch that names the rank that failed, else the last line.

    A rank that raised (code 1) has said why, and −15 is how mlx.launch ends those that are left.
    """
    plain = re.sub(r"\x1b\[\d+m", "", errors)
    lines = [line.strip() for line in plain.splitlines() if line.strip()]
    fallen = [line for line in lines if re.search(r"rank \d+ exited with code", line)]
    first = [line for line in fallen if not re.search(r"code (1|-15)$", line)]
    return (first or fallen or lines[-1:] or ["they said nothing"])[0]


def main(text: str) -> None:
    """Be one rank of the task in `text`, and end this process."""
    say = _reporter()
    try:
        task = Task.from_json(text)
        with precision.weights_as(task.dtype):
            _train(task, say)
    except UserError as error:
        say("user error", str(error))
    except NotApplicable as error:
        say("not applicable", str(error))
    except Exception as error:
        traceback.print_exc()
        say("crash", traceback.format_exception_only(error)[-1].strip())
    else:
        say("done", "")
        return
    sys.exit(1)


def _reporter() -> Callable[[Kind, str], None]:
    """Take standard output for messages alone; what else is printed goes to standard error."""
    rank, channel = int(os.environ["MLX_RANK"]), os.dup(1)
    os.dup2(2, 1)

    def say(kind: Kind, text: str) -> None:
        # In one write, since mlx.launch mixes the ranks' outputs as they come; a pipe keeps up to
        # 4096 bytes together.
        message = asdict(Message(rank=rank, kind=kind, text=text[:900]))
        os.write(channel, json.dumps(message, ensure_ascii=False).encode() + b"\n")

    return say


def _train(task: Task, say: Callable[[Kind, str], None]) -> None:
    local = task.lifeline.exists()
    if local:
        threading.Thread(target=_die_with, args=(task.lifeline,), daemon=True).start()
    from lazarus_bench import backend

    backend.set_threads()
    group = backend.group()
    if group.size != task.ranks:
        raise UserError(f"{task.ranks} ranks were asked for and {group.size} met: try mlx.launch")
    if group.rank == 0 and not local:
        raise UserError("rank 0 runs on another machine: name this machine first in the host file")
    if group.rank == 0:
        warnings.showwarning = lambda message, *_: say("warning", str(message))
        task.recipe.train(task.base, task.out, task.seed, False)
        return
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:  # rank 0 alone writes the artifact
        task.recipe.train(task.base, Path(folder), task.seed, False)


def _die_with(lifeline: Path) -> None:
    """End this process when the one that holds `lifeline` has ended."""
    with suppress(OSError):
        end = os.open(lifeline, os.O_RDONLY | os.O_NONBLOCK)
        while True:
            with suppress(BlockingIOError):  # what a FIFO without data raises while it is held
                if os.read(end, 1) == b"":
                    break
            time.sleep(WATCH_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
