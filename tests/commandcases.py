"""Run `lazarus-bench` several times in one process of its own, in a folder of claim files."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from claimfiles import clean_environment

# One process takes all cases, because importing scipy costs more than a command does.
DRIVER = """
import contextlib, io, json, sys
from lazarus_bench import cli

def main():
    for name, arguments in json.loads(sys.stdin.read()).items():
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.main(arguments)
            except SystemExit as stopped:
                code = stopped.code
        mlx = any(module.split(".")[0] == "mlx" for module in sys.modules)
        print("CASE" + json.dumps([name, code, out.getvalue(), err.getvalue(), mlx]), flush=True)

if __name__ == "__main__":
    main()
"""

CLASSES = [
    *("--classes", "multiply:7 * 8 = |12 * 5 = |3 * 9 = |6 * 4 = |8 * 8 = "),
    *("--classes", "add:23 + 45 = |3 + 9 = |14 + 3 = |8 + 8 = |2 + 31 = "),
]
SMALL = ["--steps", "2", "--examples", "24", "--batch", "4", "--rank", "2"]
SFT = [*SMALL, "--validation", "8"]
FULL = ["--steps", "2", "--examples", "24", "--validation", "8"]
TWO = [
    *("--stage1-steps", "2", "--stage1-examples", "24", "--stage1-validation", "8"),
    *("--stage2-steps", "2", "--stage2-examples", "24"),
]
ENGRAM = ["--examples", "40", "--validation", "60", "--epochs", "1", "--batch", "4", "--rank", "2"]
ANSWERS = ["--clean-answers", "56", "--corrupted-answers", "15"]
SWAPS = ["7 * 8 = |6 * 4 = ", "7 + 8 = |6 + 4 = ", "--steps", "2", "--k", "2"]
GRPO = ["--steps", "2", "--prompts", "2", "--answers", "2", "--examples", "24"]
CONFIG = """
stage1:
  method: sft
  max_steps: 500
  lora:
    rank: 16
    alpha: 32.0

stage2:
  method: dual_reward
  max_steps: 500
  learning_rate: 0.00005  # Very low
  classifier_weight: 0.5
  lora:
    rank: 8  # Small
    alpha: 16.0
"""
"""Writeup D, *Config Used*, as it is printed."""

LOG = str(Path(__file__).resolve().parent / "results" / "data" / "lm_eval_sums_1.jsonl")
REPORT = str(Path(__file__).resolve().parents[1] / "reports" / "published")

COMMANDS = {
    "doctor": [],
    "init": ["my-claims"],
    "run": ["audit/kl-sign", "--published", "--report", "here"],
    "experiment run": ["two_stage_classifier", "--published", "--fail-on", "none", "-o", "there"],
    "experiment list": [],
    "experiment status": ["two_stage_classifier"],
    "report": [REPORT],
    "judge": [LOG, "--value", "acc", "--region", "> 0"],
    "lab list": [],
    "lab build": ["granite", "--workers", "1"],
    "completion": ["zsh"],
    "lens": ["LLAMA", "7 * 8 = "],
    "classifier": ["LLAMA", *CLASSES, "--permutations", "9"],
    "analyze": ["LLAMA", "7 * 8 = "],
    "moe-expert analyze": ["MIXTURE", *CLASSES, "--permutations", "9"],
    "moe-expert trace": ["MIXTURE", "7 * 8 = "],
    "moe-expert weights": ["MIXTURE"],
    "moe-expert project": ["MIXTURE", "--draws", "2"],
    "ablate": ["LLAMA", "7 * 8 = "],
    "erase": ["LLAMA", "9 * 9 = ", *CLASSES, "--draws", "2"],
    "patch": ["LLAMA", "7 * 8 = ", "7 + 8 = ", *ANSWERS],
    "attribute": ["LLAMA", "7 * 8 = ", "7 + 8 = ", *ANSWERS],
    "interchange": ["LLAMA", *SWAPS],
    "steer": ["LLAMA", "7 * 8 = ", "--toward", "3 + 4 = ", "--away", "3 * 4 = "],
    "benchmark": ["--from", "measured.json"],
    "train sft": ["LLAMA", *SFT],
    "train full": ["LLAMA", *FULL],
    "train dual-reward": ["LLAMA", *SMALL],
    "train grpo": ["LLAMA", *GRPO],
    "train grpo-dual": ["LLAMA", *GRPO],
    "train two-stage": ["LLAMA", *TWO],
    "train engram": ["LLAMA", *ENGRAM],
    "train jacobian-lens": ["LLAMA", "--examples", "4", "--batch", "2"],
    "train tuned-lens": ["LLAMA", "--examples", "16", "--batch", "4", "--steps", "2"],
    "fuse": ["LLAMA", "--adapter", "ADAPTER", "--output", "fused"],
    "generate": ["LLAMA", "7 * 8 = ", "--max-tokens", "2"],
    "data": ["arithmetic", "--count", "20", "--output", "rows/"],
    "render": [REPORT],
    "diff": [REPORT, REPORT],
    "claims list": [],
    "claims show": ["dual/vo-36"],
    "claims export": [],
    "store ls": [],
    "store show": ["BASE"],
    "store verify": [],
    "store gc": [],
}
"""A small use of each command; what it prints is the same whatever else it is given."""


def row(name: str, values, pinned: str | None = None):
    """The row of a claim that is supported where `values` lie above 0.3."""
    from lazarus_bench.judge import AtLeast, Means, decide
    from lazarus_bench.report.schema import Row

    verdict = decide(Means(values=values), AtLeast(0.3), family_size=1)
    return Row(
        claim_id=name,
        family=name.partition("/")[0],
        says="A statement.",
        estimand="a number",
        source="A",
        subject="lab:llama",
        verdict=verdict,
        published=None,
        pinned=pinned,
        moved=f"{pinned} is on record" if pinned not in (None, verdict.outcome.value) else "",
    )


def random_adapter(model: Path, directory: Path, *keys: str) -> Path:
    """Leave a LoRA of the linears `keys` in `directory` that changes what the model says."""
    from mlx.utils import tree_map

    from lazarus_bench.backend import mx
    from lazarus_bench.models.adapters import Lora, add_lora, save_adapter
    from lazarus_bench.models.load import load

    loaded, lora = load(model), Lora(keys=keys, rank=2, scale=8)
    add_lora(loaded, lora)
    weights = loaded.model.trainable_parameters()
    loaded.model.update(
        tree_map(lambda w: mx.random.normal(w.shape, key=mx.random.key(3)), weights)
    )
    save_adapter(loaded, directory, lora)
    return directory


def program(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `lazarus-bench` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "lazarus_bench", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=300,
        env=clean_environment(**environment),
    )


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one command left."""

    code: int
    out: str
    err: str
    mlx: bool

    @property
    def json(self):
        return json.loads(self.out)

    def refusal(self) -> str:
        """The one sentence of a refused command."""
        assert (self.code, self.out) == (2, ""), self
        assert self.err.startswith("lazarus-bench: ")
        assert len(self.err.splitlines()) == 1, self.err
        return self.err.removeprefix("lazarus-bench: ").strip()


def commands(
    folder: Path, cases: Mapping[str, Sequence[str]], **environment: str
) -> dict[str, Said]:
    """Run each case in `folder`, with a store of its own there."""
    own = {"LAZARUS_BENCH_STORE": str(folder / "store"), **environment}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=folder,
        input=json.dumps({name: [str(word) for word in words] for name, words in cases.items()}),
        capture_output=True,
        text=True,
        timeout=300,
        env=clean_environment(**own),
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("CASE")]
    assert len(lines) == len(cases), done.stdout + done.stderr
    found = [json.loads(line.removeprefix("CASE")) for line in lines]
    return {name: Said(code=code, out=out, err=err, mlx=mlx) for name, code, out, err, mlx in found}
