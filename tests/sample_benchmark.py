"""A document with one of everything, made by hand; run this file to write the goldens anew."""

from pathlib import Path
from tempfile import TemporaryDirectory

from lazarus_bench.benchmark.document import Curve, Document, Part, Profile, Ratio, Reading, Roof
from lazarus_bench.benchmark.markdown import write_report
from lazarus_bench.judge.rounds import Interval


def interval(value: float, low: float | None = None, high: float | None = None) -> Interval:
    return Interval(
        value=value, low=value if low is None else low, high=value if high is None else high
    )


MACHINE = {
    "lazarus-bench": "0.1.0",
    "mlx": "0.32.4",
    "device": "cpu (made up)",
    "blas": "libmkl_rt.so.2",
    "exp": "numpy",
    "threads": "1",
    "cores": "2, a process on one",
}

DOCUMENT = Document(
    created="2026-11-22T12:00:00+00:00",
    command="lazarus-bench benchmark",
    machine=MACHINE,
    model="untrained lab llama",
    readings=(
        Reading(
            group="recipe",
            name="SFT, LoRA",
            unit="training tok/s",
            found=interval(2500, 2400, 2600),
            rounds=12,
        ),
        Reading(
            group="recipe",
            name="SFT, LoRA",
            unit="MiB, allocator",
            found=interval(50),
            rounds=1,
            bigger_is_better=False,
        ),
    ),
    ratios=(
        Ratio(
            name="SFT over mlx_lm.lora: arithmetic, batch 8",
            found=interval(2.1, 2.0, 2.2),
            rounds=15,
            at_least=1.5,
            about={"batch": 8, "tokens a step": 88.5},
        ),
        Ratio(
            name="dual reward over SFT: seconds a token, batch 16",
            found=interval(1.3, 1.2, 1.4),
            rounds=15,
            at_most=1.25,
        ),
        Ratio(
            name="SFT's peak memory over mlx_lm.lora's: arithmetic, batch 8",
            found=interval(1.2, 1.1, 1.3),
            rounds=15,
            at_most=1.0,
        ),
    ),
    curves=(
        Curve(
            what="SFT, a step",
            along="layers",
            unit="ms",
            sizes=(2, 4, 8),
            cost=(interval(10, 9, 11), interval(19, 18, 20), interval(37, 36, 38)),
            exponent=interval(0.94, 0.9, 0.98),
            last=interval(0.96, 0.92, 1.0),
            rounds=5,
            at_most=1.1,
        ),
    ),
    profiles=(
        Profile(
            recipe="SFT LoRA all",
            step=interval(36, 35, 37),
            parts=(
                Part(kind="matrix products", operations=400, milliseconds=9, gflop=0.5),
                Part(kind="dispatch", operations=3000, milliseconds=15.5),
                Part(kind="optimizer", operations=0, milliseconds=13),
                Part(kind="not explained", operations=0, milliseconds=-1.5),
            ),
            phases={"forward": 12.0, "backward": 20.0},
            gflop=0.5,
            achieved=14.0,
            machine=100.0,
            attainable=56.0,
            rounds=9,
        ),
    ),
    roofs=(
        Roof(operation="matrix product", size="512 × 512 × 512", rate=interval(98), unit="GFLOP/s"),
    ),
    skipped={"router projection": "its blocks are dense"},
)

FOLDER = Path(__file__).with_name("benchmark")
GOLDEN, GOLDEN_PLOT = FOLDER / "golden_benchmarks.md", FOLDER / "golden_benchmarks.svg"


def written(folder: Path) -> tuple[str, str]:
    """The report's Markdown and its plot."""
    path = write_report([("cpu (made up)", DOCUMENT)], folder)
    (plot,) = (folder / "benchmarks").iterdir()
    return path.read_text(encoding="utf-8"), plot.read_text(encoding="utf-8")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        for golden, text in zip((GOLDEN, GOLDEN_PLOT), written(Path(folder)), strict=True):
            golden.write_text(text, encoding="utf-8")
