"""A recipe that does odd things on its ranks; the ranks import it by the path they are given."""

import fcntl
import os
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.training import Recipe


@dataclass(frozen=True, kw_only=True)
class Odd(Recipe):
    """What to do; `steps` of a training, `stop` where rank 0 is killed."""

    kind = "odd"
    version = 1

    what: str
    steps: int = 8
    stop: int = 0
    numbers: tuple[int, ...] = field(default=(1, 2))

    def train(self, base, out, seed, show=None):
        globals()[self.what](self, out)


def rank() -> int:
    return int(os.environ["MLX_RANK"])


def user_error(spec, out):
    raise UserError("the dial is at 7: turn it to 5")


def not_applicable(spec, out):
    raise NotApplicable("there is no dial")


def crash_of_one(spec, out):
    if rank() == 1:
        raise ZeroDivisionError("ours")
    time.sleep(60)


def killed_one(spec, out):
    if rank() == 1:
        os.kill(os.getpid(), 9)
    time.sleep(60)


def talk(spec, out):
    assert spec.numbers == (1, 2)
    print("{not a message}")
    warnings.warn(f"rank {rank()} is warm", UserWarning, stacklevel=1)
    (out / f"from{rank()}").write_text(str(os.environ["OMP_NUM_THREADS"]))


def sleep(spec, out):
    """Hold a lock as long as this rank lives."""
    lock = (Path(os.environ["ODD_LOCKS"]) / str(rank())).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write("held")
    lock.flush()
    time.sleep(600)


def train(spec, out):
    """Fit a line, from a start that differs by rank, and leave the weights of each rank."""
    from lazarus_bench.backend import mx, nn, optim
    from lazarus_bench.training import resume
    from lazarus_bench.training.loop import fit

    resume.Saver.due = lambda self: True
    mx.random.seed(rank())
    model = nn.Linear(2, 1)

    class Rows:
        def __init__(self, x, whole=None):
            self.x, self.whole, self.size = x, whole or len(x), len(x)

        def shard(self, rank, size):
            return Rows(self.x[rank::size], len(self.x) / size)

    def loss(model, rows):
        noise = mx.random.normal((1,))
        return ((model(rows.x) - rows.x[:, :1] + 0.1 * noise) ** 2).sum() / rows.whole, {}

    def after(step):
        if step == spec.stop and rank() == 0:
            os.kill(os.getpid(), 9)

    fit(
        model,
        loss,
        (Rows(mx.array([[i, j] for j in range(3)]) / 10.0) for i in range(100)),
        optimizer=optim.Adam(0.1),
        steps=spec.steps,
        label="odd",
        out=out,
        after=after,
        show=False,
    )
    mx.save_safetensors(str(Path(os.environ["ODD_LOCKS"]) / f"{rank()}"), model.parameters())
