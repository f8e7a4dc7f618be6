"""Measure the judge's one-sided error for every kind of evidence in worlds whose truth is known.

    python benchmarks/calibration.py                   # writes the page and judge/calibration.json
    python benchmarks/calibration.py --replicates 400  # a quick look, printed only

For each kind and world, samples of 2 to 20 seeds with a known true value are drawn, and the share
whose interval lies wholly on one side of it is counted: the error of a claim whose edge is the
truth, the hardest case. The rule promises at most alpha/m on each side in a family of m verdicts.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from lazarus_bench.judge import ALPHA, SHARE, family_level
from lazarus_bench.judge.calibration import FAMILIES, SEEDS
from lazarus_bench.judge.crossed import Crossed
from lazarus_bench.judge.layers import LayerMax
from lazarus_bench.judge.looks import Looks
from lazarus_bench.judge.means import crossed_mean
from lazarus_bench.judge.proportions import crossed_hit_difference, crossed_rate
from lazarus_bench.judge.sampling import Exponential, Recovered, Sampling, Student, Welch
from lazarus_bench.judge.trend import Trend

Array = NDArray[np.float64]
Rng = np.random.Generator
ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "calibration.md"
WARNINGS = ROOT / "lazarus_bench" / "judge" / "calibration.json"

PROMPTS = 200
REPLICATES = 4000
CONFIRMING = 5
"""Times as many samples for a cell that is measured again."""

LOOKS = (5, 10, 20, 40)


@dataclass(frozen=True, kw_only=True)
class World:
    """One way in which samples arise.

    Attributes:
        kind: the kind of evidence, as verdicts name it.
        name: what is special about it.
        draw: (rng, seeds) to the sampling model of one sample.
        truth: the true value.
    """

    kind: str
    name: str
    draw: Callable[[Rng, int], Sampling]
    truth: float


def seed_values(rng: Rng, shape: str, n: int) -> Array:
    """Draw values with mean 0 and standard deviation 1, or shares, of shape (n,)."""
    draws: dict[str, Callable[[], Array]] = {
        "normal": lambda: rng.normal(size=n),
        "t3": lambda: rng.standard_t(3, n) / math.sqrt(3),
        "Beta(8, 2)": lambda: rng.beta(8, 2, n),
        "lognormal near 0": lambda: np.minimum(rng.lognormal(-6, 1, n), 0.999),
        "15% of seeds fail": lambda: np.where(rng.random(n) < 0.15, 0.02, rng.normal(0.8, 0.03, n)),
    }
    return draws[shape]()


FAILING = "15% of seeds fail"
"""No interval of few seeds handles these: the check for seeds that stand apart does."""

MEANS = {"normal": 0.0, "t3": 0.0, "Beta(8, 2)": 0.8, "15% of seeds fail": 0.85 * 0.8 + 0.15 * 0.02}
SHARES = ("Beta(8, 2)", "lognormal near 0", "15% of seeds fail")
DIFFICULTY = (0.0, 1.0, 2.0)
ICC = (0.0, 0.05, 0.1, 0.2, 0.3)


def cells(rng: Rng, seeds: Array, between: float, noise: float, prompts: int = 40) -> Array:
    """Add prompts shared by all seeds, and noise, to the seeds' values: shape (seeds, prompts)."""
    shared = rng.normal(0, between, prompts)
    found: Array = seeds[:, None] + shared + rng.normal(0, noise, (len(seeds), prompts))
    return found


def means() -> list[World]:
    worlds = []
    for shape, truth in MEANS.items():
        for between in (0.0, 3.0) if shape in ("normal", "t3") else (0.0,):

            def draw(rng: Rng, n: int, shape: str = shape, between: float = between) -> Sampling:
                noise = 1.0 if between else 0.0
                return Crossed.of(cells(rng, seed_values(rng, shape, n), between, noise))

            name = f"{shape}, prompts vary" if between else shape
            worlds.append(World(kind="means", name=name, draw=draw, truth=truth))
    return worlds


def shares() -> list[World]:
    worlds = []
    for shape in SHARES:
        many = seed_values(np.random.default_rng(1), shape, 2_000_000)
        truth = float(special.expit(special.logit(np.clip(many, 1e-9, 1 - 1e-9)).mean()))

        def draw(rng: Rng, n: int, shape: str = shape) -> Sampling:
            return crossed_mean(np.clip(seed_values(rng, shape, n), 1e-9, 1 - 1e-9)[:, None], SHARE)

        worlds.append(World(kind="shares", name=shape, draw=draw, truth=truth))
    return worlds


@cache
def _centred(rate: float, spread: float) -> float:
    """The log-odds whose normal spread of standard deviation `spread` gives a mean of `rate`."""
    points, weights = np.polynomial.hermite_e.hermegauss(80)
    low, high = -30.0, 30.0
    for _ in range(80):
        middle = (low + high) / 2
        mean = float(weights @ special.expit(middle + spread * points)) / float(weights.sum())
        low, high = (middle, high) if mean < rate else (low, middle)
    return low


def hits_of(rng: Rng, n: int, rate: float, difficulty: float, icc: float = 0.0) -> Array:
    """Hits of shape (n, PROMPTS) with a spread of prompts' log-odds, or beta-binomial seeds."""
    if icc:
        size = 1 / icc - 1
        chance = rng.beta(rate * size, (1 - rate) * size, (n, 1))
    else:
        centre = _centred(rate, difficulty)
        chance = special.expit(centre + difficulty * rng.normal(size=(1, PROMPTS)))
    return (rng.random((n, PROMPTS)) < chance).astype(np.float64)


def hits() -> list[World]:
    worlds = []
    for rate in (0.5, 0.9, 0.99):
        for sd in DIFFICULTY:

            def draw(rng: Rng, n: int, rate: float = rate, sd: float = sd) -> Sampling:
                return crossed_rate(hits_of(rng, n, rate, sd))

            name = f"rate {rate:g}, prompt difficulty sd {sd:g}"
            worlds.append(World(kind="hits", name=name, draw=draw, truth=rate))
    for icc in ICC[1:]:

        def seeds(rng: Rng, n: int, icc: float = icc) -> Sampling:
            return crossed_rate(hits_of(rng, n, 0.9, 0.0, icc))

        worlds.append(World(kind="hits", name=f"rate 0.9, ICC {icc:g}", draw=seeds, truth=0.9))

    def failing(rng: Rng, n: int) -> Sampling:
        rate = np.where(rng.random((n, 1)) < 0.15, 0.02, 0.9)
        return crossed_rate((rng.random((n, PROMPTS)) < rate).astype(np.float64))

    name = "15% of seeds fail"
    return [*worlds, World(kind="hits", name=name, draw=failing, truth=0.85 * 0.9 + 0.15 * 0.02)]


def differences() -> list[World]:
    worlds = []
    for shape in ("normal", "t3", "15% of seeds fail"):
        for between in (0.0, 3.0) if shape != "15% of seeds fail" else (0.0,):

            def draw(rng: Rng, n: int, shape: str = shape, between: float = between) -> Sampling:
                return Crossed.of(cells(rng, seed_values(rng, shape, n), between, 1.0))

            name = f"{shape}, prompts vary" if between else shape
            worlds.append(
                World(kind="paired differences", name=name, draw=draw, truth=MEANS[shape])
            )
    for shape in ("normal", "t3", "Beta(8, 2)"):

        def welch(rng: Rng, n: int, shape: str = shape) -> Sampling:
            sides = [Crossed.of(seed_values(rng, shape, n)[:, None]) for _ in range(2)]
            means = (sides[0].mean, sides[1].mean)
            return Welch(first=sides[0], second=sides[1], means=means)

        worlds.append(World(kind="unpaired differences", name=shape, draw=welch, truth=0.0))
    for rate, sd in ((0.5, 2.0), (0.9, 0.0), (0.9, 2.0)):

        def paired(rng: Rng, n: int, rate: float = rate, sd: float = sd) -> Sampling:
            chance = special.expit(_centred(rate, sd) + sd * rng.normal(size=(1, PROMPTS)))
            sides = [(rng.random((n, PROMPTS)) < chance).astype(np.float64) for _ in range(2)]
            return crossed_hit_difference(sides[0] - sides[1])

        def unpaired(rng: Rng, n: int, rate: float = rate, sd: float = sd) -> Sampling:
            sides = [hits_of(rng, n, rate, sd) for _ in range(2)]
            means = (float(sides[0].mean()), float(sides[1].mean()))
            first, second = map(crossed_rate, sides)
            return Recovered(first=first, second=second, means=means)

        name = f"rate {rate:g}, prompt difficulty sd {sd:g}"
        worlds.append(World(kind="paired hits", name=name, draw=paired, truth=0.0))
        worlds.append(World(kind="unpaired hits", name=name, draw=unpaired, truth=0.0))
    return worlds


def others() -> list[World]:
    def layers(rng: Rng, n: int) -> Sampling:
        found = rng.normal(size=(n, 1, 1)) * 0.1 + rng.normal(size=(n, 24, 4)) * 0.3
        return LayerMax(values=0.5 + found + np.array([0.0, 0.0, 0.0, 0.3])).sampling()

    def flat(rng: Rng, n: int) -> Sampling:
        found = rng.normal(size=(n, 1, 1)) * 0.1 + rng.normal(size=(n, 24, 4)) * 0.3
        return LayerMax(values=found).sampling()

    def small(rng: Rng, n: int) -> Sampling:
        found = rng.lognormal(-6, 0.5, (n, 1, 1)) * rng.lognormal(0, 0.5, (n, 24, 4))
        values = np.minimum(found * np.array([0.2, 0.2, 0.2, 1.0]), 0.999)
        return LayerMax(values=values, bounds=SHARE).sampling()

    best = np.exp(-6 + 0.5 * 0.25)
    steps = np.arange(8)

    def independent(rng: Rng, n: int) -> Sampling:
        return Trend(values=rng.normal(size=(n, len(steps)))).sampling()

    def few(rng: Rng, n: int) -> Sampling:
        return Trend(values=rng.normal(size=(n, 4))).sampling()

    def walk(rng: Rng, n: int) -> Sampling:
        return Trend(values=rng.normal(size=(n, len(steps))).cumsum(axis=1)).sampling()

    def ratios(rng: Rng, n: int) -> Sampling:
        return Exponential(log=Student.of(rng.normal(size=n)))

    return [
        World(kind="layer maxima", name="one layer above the others", draw=layers, truth=0.8),
        World(kind="layer maxima", name="layers alike", draw=flat, truth=0.0),
        World(kind="layer maxima", name="lognormal near 0", draw=small, truth=float(best)),
        World(kind="trends", name="independent checkpoints", draw=independent, truth=0.0),
        World(kind="trends", name="4 independent checkpoints", draw=few, truth=0.0),
        World(kind="trends", name="random walk", draw=walk, truth=0.0),
        World(kind="ratios", name="lognormal", draw=ratios, truth=1.0),
    ]


def errors(
    world: World, n: int, levels: list[float], replicates: int, stream: tuple[int, ...] = ()
) -> Array:
    """Share of samples whose interval lies below and above the truth, shape (levels, 2)."""
    rng = np.random.default_rng([*stream, n, *world.name.encode()])
    wrong = np.zeros((len(levels), 2))
    slack = 1e-12 * max(1.0, abs(world.truth))
    for _ in range(replicates):
        model = world.draw(rng, n)
        for i, level in enumerate(levels):
            low, high = model.limits(level)
            wrong[i] += high < world.truth - slack, low > world.truth + slack
    return wrong / replicates


def above(rate: float, allowed: float, replicates: int) -> bool:
    """Whether simulation error alone (one in a hundred) does not explain a rate over `allowed`."""
    return bool(rate * replicates > stats.binom.isf(0.01, replicates, allowed))


def looks_rows(replicates: int) -> list[str]:
    """Error and cost of looking at 5, 10, 20 and 40 seeds, with the level spent over the looks."""
    rows = []
    looks = Looks(sizes=LOOKS)
    for family in FAMILIES:
        for shape in ("normal", "t3"):
            rng = np.random.default_rng(5)
            wrong, decided, spent = 0, 0, []
            for _ in range(replicates):
                values = seed_values(rng, shape, LOOKS[-1])
                wrong += any(_inside(values, n, looks, family, 0.0) for n in LOOKS)
                first = next((n for n in LOOKS if _inside(values + 1, n, looks, family, 0.0)), None)
                decided += first is not None
                spent.append(first or LOOKS[-1])
            rows.append(
                f"| {shape} | {family} | {ALPHA / family:.4f} | {wrong / replicates:.4f} | "
                f"{decided / replicates:.3f} | {np.mean(spent):.1f} |"
            )
    return rows


def _inside(values: Array, n: int, looks: Looks, family: int, edge: float) -> bool:
    level = looks.level(n, family_level(family))
    return Crossed.of(values[:n, None]).low(level) > edge


def measured(replicates: int) -> tuple[list[str], dict[str, dict[str, dict[str, list[object]]]]]:
    """The table's rows, and what verdicts warn of: kind, family and seeds to world and error."""
    levels = [family_level(family) for family in FAMILIES]
    rows: list[str] = []
    warned: dict[str, dict[str, dict[str, list[object]]]] = {}
    for world in [*means(), *shares(), *hits(), *differences(), *others()]:
        found = [errors(world, n, levels, replicates) for n in SEEDS]
        for i, family in enumerate(FAMILIES):
            shown = []
            for n, rates in zip(SEEDS, found, strict=True):
                rate = float(rates[i].max())
                over = above(rate, ALPHA / family, replicates)
                if over:
                    # Of hundreds of calibrated cells some lie above by chance, but not twice.
                    many = CONFIRMING * replicates
                    rate = float(errors(world, n, [levels[i]], many, stream=(1,)).max())
                    over = above(rate, ALPHA / family, many)
                shown.append(f"{rate:.4f}{' ▲' if over else ''}")
                if over and world.name != FAILING:
                    cell = warned.setdefault(world.kind, {}).setdefault(str(family), {})
                    if rate > float(str(cell.get(str(n), ["", 0])[1])):
                        cell[str(n)] = [world.name, round(rate, 4)]
            rows.append(f"| {world.kind} | {world.name} | {family} | {' | '.join(shown)} |")
        print(rows[-2], rows[-1], sep="\n", flush=True)
    return rows, warned


def page(rows: list[str], looks: list[str], replicates: int) -> str:
    """The documentation's page."""
    head = " | ".join(f"{n} seeds" for n in SEEDS)
    return "\n".join(
        [
            "# How often the judge errs",
            "",
            f"Made by `python benchmarks/calibration.py`: {replicates:,} samples for each cell,",
            "from worlds whose truth is known. A cell is the share of samples whose interval lies",
            "wholly on one side of the truth, on the worse side. The rule allows α/m: .05 for one",
            "verdict, .0063 in a family of eight. A cell above it by more than simulation error",
            f"(one in a hundred) is measured again with {CONFIRMING} times as many new samples and",
            "shows what those give. ▲ marks it where it is above once more: a verdict of that kind",
            "and size carries the warning. Seeds that fail are looked for instead: the verdict is",
            "then mixed.",
            "",
            f"| kind | world | m | {head} |",
            "|---|---|---|" + "---|" * len(SEEDS),
            *rows,
            "",
            "## With looks",
            "",
            "Looks at 5, 10, 20 and 40 seeds, stopping once decided, the level shared by them. The",
            "edge is the truth in the column of errors, and one standard deviation of the seeds",
            "away in the last two.",
            "",
            "| seeds | m | allowed | error | decided by 40 | seeds on average |",
            "|---|---|---|---|---|---|",
            *looks,
            "",
        ]
    )


def main() -> None:
    """Measure, and write the page and the warnings when the replicates suffice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    replicates = parser.parse_args().replicates
    rows, warned = measured(replicates)
    looks = looks_rows(replicates)
    print(*looks, sep="\n")
    if replicates < REPLICATES:
        return
    TABLE.write_text(page(rows, looks, replicates), encoding="utf-8")
    text = json.dumps(warned, indent=1, sort_keys=True, ensure_ascii=False)
    WARNINGS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
