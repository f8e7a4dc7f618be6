"""What the attacks begin with: a whole example of each input, small, and hostile places."""

import json
import os
import shutil
import socket
import sys
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
REPORTS = TESTS.parent / "reports"
sys.path[:0] = [str(TESTS)]

LONG = "item,seed,arm,cluster,value\n" + "".join(
    f"{item},{seed},{arm},{item // 2},{(item + seed) % 3}\n"
    for item in range(4)
    for seed in range(2)
    for arm in "ab"
)
CLAIMS = {
    "claims": [
        {"id": "mine/better", "says": "Better", "arms": ["a", "b"], "region": "> -0.5"},
        {"id": "mine/good", "arms": ["a"], "region": ">= 0.2", "looks": [3, 6]},
    ]
}
CONFIG = """\
method: sft
max_steps: 2
learning_rate: 0.0001
train_samples: 24
lora:
  rank: 2
  alpha: 4.0
"""
TRAINING = "--steps|2|--examples|24|--batch|4|--rank|2|--validation|8"
ENGRAM_WORDS = "--examples|40|--validation|60|--epochs|1|--batch|4|--rank|2"
CLASSES = (
    "multiply:7 * 8 = |12 * 5 = |3 * 9 = |6 * 4 = |8 * 8 = ",
    "add:23 + 45 = |3 + 9 = |14 + 3 = |8 + 8 = |2 + 31 = ",
)


def build(place: Path) -> None:
    """Leave every input below `place`; mlx is imported for it."""
    from commandcases import random_adapter
    from families import small_llama
    from sample_benchmark import DOCUMENT

    from lazarus_bench import cli
    from lazarus_bench.models import lab

    tiny, mixture, adapter = (place / name for name in ("tiny", "mixture", "adapter"))
    for folder in (tiny, mixture, adapter):
        folder.mkdir()
    small_llama(tiny, width=48, layers=2, heads=3)
    config = lab.config_of("olmoe") | {
        "hidden_size": 48,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "head_dim": 16,
        "num_experts": 4,
    }
    lab.save(lab.initialise(config, 0), config, mixture)
    random_adapter(tiny, adapter, "self_attn.v_proj", "self_attn.o_proj")
    (place / "measured.json").write_text(DOCUMENT.to_json())
    shutil.copytree(REPORTS / "published", place / "report")
    _tables(place)
    with _elsewhere(place):
        assert cli.main(["init", "hostile-claims"]) == 0
        claims = [
            "--hypotheses",
            "hostile-claims/hostile_claims",
            "--published",
            "--report",
            "judged",
        ]
        assert cli.main(["run", *claims, "--update-pins"]) == 0
        assert cli.main(["train", "sft", str(tiny), *TRAINING.split("|")]) == 0
    _unfinished(place / "store")


def _elsewhere(place: Path):
    from contextlib import ExitStack, chdir
    from unittest.mock import patch

    stack = ExitStack()
    stack.enter_context(chdir(place))
    stack.enter_context(patch.dict(os.environ, LAZARUS_BENCH_STORE=str(place / "store")))
    return stack


def _unfinished(store: Path) -> None:
    """Beside the artifact, a training that was killed after its first state."""
    from itertools import islice
    from unittest.mock import patch

    from lazarus_bench.jobs.spec import Job
    from lazarus_bench.jobs.store import Store
    from lazarus_bench.jobs.subjects import subject
    from lazarus_bench.jobs.work import Place, run_job
    from lazarus_bench.training import Sft, sft
    from lazarus_bench.training.resume import Saver

    recipe = Sft(steps=6, batch=4, examples=20, rank=2, validation=4, checkpoints=(0, 2, 6))
    job = Job(recipe=recipe, base=subject(str(store.parent / "tiny")).base(0), seed=1)
    batches = sft.endless_batches

    def cut(*arguments):
        yield from islice(batches(*arguments), 3)
        raise KeyboardInterrupt

    with (
        patch.object(Saver, "due", lambda self: True),
        patch.object(sft, "endless_batches", cut),
        suppress(KeyboardInterrupt),
    ):
        run_job(job, Place(root=store, show=False))
    assert len(list(Store(store).unfinished())) == 1


def _tables(place: Path) -> None:
    from pyarrow import BufferReader, csv, parquet

    table = csv.read_csv(BufferReader(LONG.encode()))
    parquet.write_table(table, place / "long.parquet")
    rows = [{"prompt": f"{n} + 3 = ", "completion": str(n + 3)} for n in range(30)]
    texts = [f"{word} film number {n}\t{n % 2}" for n in range(60) for word in ("good", "bad")]
    splits = place / "sst2"
    splits.mkdir()
    for name in ("train", "dev"):
        lines = ["sentence\tlabel", *(f"{line[:-2]} {name}{line[-2:]}" for line in texts)]
        (splits / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    for name, text in {
        "long.csv": LONG,
        "long.jsonl": "\n".join(map(json.dumps, table.to_pylist())) + "\n",
        "claims.toml": "".join(
            "[[claims]]\n"
            + "".join(f"{key} = {json.dumps(value)}\n" for key, value in claim.items())
            for claim in CLAIMS["claims"]
        ),
        "claims.yaml": json.dumps(CLAIMS, indent=1),
        "config.yaml": CONFIG,
        "experiment.yaml": "training:\n  max_steps: 500\nmodel: lab:llama\n",
        "rows.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "prompts.txt": "7 * 8 = \n23 + 45 = \n",
        "hosts.json": json.dumps(
            [{"ssh": "a", "ips": ["10.0.0.1"]}, {"ssh": "b", "ips": ["10.0.0.2"]}]
        ),
        "pyproject.toml": '[tool.lazarus-bench]\nhypotheses = "hostile-claims/hostile_claims"\n',
    }.items():
        (place / name).write_text(text)
    for name in ("lm_eval_sums_1.jsonl", "inspect_good.json", "inspect_good.eval"):
        shutil.copy(TESTS / "results" / "data" / name, place / name)


def hostile_places(folder: Path) -> None:
    """Leave in `folder` what is no file to read: a pipe, loops, locked files and odd names."""
    (folder / "folder").mkdir()
    (folder / "folder" / "inside").write_text("x")
    os.mkfifo(folder / "pipe")
    (folder / "loop").symlink_to("loop")
    (folder / "round").symlink_to("round/deeper")
    (folder / "dangling").symlink_to("missing")
    (folder / "empty").write_bytes(b"")
    (folder / "binary").write_bytes(bytes(range(256)) * 16)
    with (folder / "vast").open("wb") as stream:
        stream.truncate(1 << 41)
    os.close(os.open(os.fsencode(folder) + b"/odd-\xff", os.O_CREAT | os.O_WRONLY))
    (folder / "line\nfeed").write_text("x")
    for name in ("secret", "secret.json"):
        (folder / name).write_text("{}")
        (folder / name).chmod(0)
    (folder / "locked").mkdir(mode=0)
    with socket.socket(socket.AF_UNIX) as made, suppress(OSError):
        made.bind(str(folder / "socket"))
