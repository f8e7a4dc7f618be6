"""The sections of a benchmark run: what each measures, and one document of them all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from lazarus_bench import backend
from lazarus_bench.benchmark.document import Curve, Document, Profile, Ratio, Reading, Roof
from lazarus_bench.benchmark.instruments import measure_instruments
from lazarus_bench.benchmark.mlx_lm_rivals import (
    dual_against_sft,
    sampling_against_mlx_lm,
    sft_against_mlx_lm,
)
from lazarus_bench.benchmark.profile import profiled
from lazarus_bench.benchmark.recipes import RECIPES, applies, measure_recipes, task_of
from lazarus_bench.benchmark.rivals import Effort, lens_against_transformers, probe_against_sklearn
from lazarus_bench.benchmark.roofline import best_product, measure_roofline
from lazarus_bench.benchmark.scaling import growths, measure
from lazarus_bench.benchmark.verdict_time import GROUP as VERDICT
from lazarus_bench.benchmark.verdict_time import measure_first_verdict
from lazarus_bench.benchmark.workloads import MILLION, WIDE_VOCABULARY, Shape, write_llama
from lazarus_bench.cores import check_wish, on_own_core
from lazarus_bench.errors import NotApplicable
from lazarus_bench.models.load import load

Tell = Callable[[str], None]
"""Reports what is being measured."""

PACKAGES = ("scikit-learn", "torch", "pytest-benchmark", "mkl")
"""Packages besides the manifest's that measurements may depend on."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The model that is measured; `lab` where its tokenizer is the lab's.

    `hypotheses` are the claims whose first verdict is timed, on this model if pytest can load it by
    name (`judged`).
    """

    name: str
    directory: Path
    lab: bool
    hypotheses: Path | None = None
    judged: bool = False


@dataclass(kw_only=True)
class Findings:
    """What sections have found so far."""

    readings: list[Reading] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    roofs: list[Roof] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def take(self, measured: tuple[list[Reading], dict[str, str]]) -> None:
        """Add readings, and what was left out with the reasons."""
        self.readings += measured[0]
        self.skipped |= measured[1]


def _recipes(subject: Subject, effort: Effort, found: Findings, tell: Tell) -> None:
    tell("recipes, each in a process of its own")
    found.take(measure_recipes(subject.directory, lab=subject.lab, steps=effort.steps))


def _instruments(subject: Subject, effort: Effort, found: Findings, tell: Tell) -> None:
    tell("instruments")
    with on_own_core():
        loaded = load(subject.directory, name=subject.name)
        rounds = min(effort.rounds, 7)
        found.take(measure_instruments(loaded, rounds=rounds, count=effort.prompts))


def _beside(subject: Subject, effort: Effort, found: Findings, tell: Tell) -> None:
    with on_own_core(), tempfile.TemporaryDirectory() as folder:
        for name, compared in comparisons(subject, Path(folder), effort).items():
            tell(f"{name}, side by side")
            try:
                found.ratios += compared()
            except ModuleNotFoundError as error:
                found.skipped[name] = (
                    f"{error.name} is not installed: pip install 'lazarus-bench[oracle]'"
                )
            except NotApplicable as error:
                found.skipped[name] = str(error)


def comparisons(
    subject: Subject, folder: Path, effort: Effort
) -> Mapping[str, Callable[[], list[Ratio]]]:
    """Every comparison with what a user would run instead, by name; models go to `folder`."""
    base, what = subject.directory, subject.name

    def lens(name: str, shape: Shape) -> list[Ratio]:
        model = write_llama(folder / name, shape)
        return lens_against_transformers(model, what=shape.label, effort=effort)

    return {
        "SFT": lambda: sft_against_mlx_lm(base, batch=8, effort=effort),
        "SFT, 33 tokens a text": lambda: sft_against_mlx_lm(
            base, batch=8, effort=effort, length=33
        ),
        "dual reward": lambda: dual_against_sft(base, batch=16, effort=effort),
        "lens, 32,000 words": lambda: lens("wide", WIDE_VOCABULARY),
        "lens, 1M parameters": lambda: lens("million", MILLION),
        "sampling": lambda: sampling_against_mlx_lm(base, what=what, effort=effort),
        "probe": lambda: probe_against_sklearn(base, what=what, effort=effort),
    }


def _scaling(subject: Subject, effort: Effort, found: Findings, tell: Tell) -> None:
    del subject
    for growth in growths():
        tell(f"{growth.what} along {growth.along}")
        found.curves.append(measure(growth, effort.rounds))


def _profile(subject: Subject, effort: Effort, found: Findings, tell: Tell) -> None:
    with on_own_core():
        best = best_product()
        for name in RECIPES:
            if not applies(name, lab=subject.lab):
                continue
            tell(f"profile of {name}")
            try:
                spec, base = task_of(name, subject.directory, 200)
                found.profiles.append(
                    profiled(spec, base, rounds=min(effort.rounds, 9), machine=best)
                )
            except NotApplicable as error:
                found.skipped[f"profile of {name}"] = str(error)


def _roofline(subject: Subject, effort: Effort, found: Findings, tell: Tell) -> None:
    del subject
    tell("roofline")
    with on_own_core():
        found.roofs += measure_roofline(min(effort.rounds, 7))


def _verdict(subject: Subject, effort: Effort, found: Findings, tell: Tell) -> None:
    tell(VERDICT)
    if subject.hypotheses is None:
        found.skipped[VERDICT] = "there is no folder of claims: run it beside hypotheses/"
        return
    model, rounds = subject.name if subject.judged else None, min(effort.rounds, 3)
    with tempfile.TemporaryDirectory() as folder:
        found.take(measure_first_verdict(subject.hypotheses, model, Path(folder), rounds))


Section = Callable[[Subject, Effort, Findings, Tell], None]

SECTIONS: Mapping[str, Section] = {
    "recipes": _recipes,
    "instruments": _instruments,
    "verdict": _verdict,
    "beside": _beside,
    "scaling": _scaling,
    "profile": _profile,
    "roofline": _roofline,
}


def measure_sections(
    names: Sequence[str], subject: Subject, effort: Effort, tell: Tell, command: str
) -> Document:
    """Measure the sections `names`, all without any, one after the other."""
    backend.set_threads()
    backend.warn_if_slow()
    found = Findings()
    for name, section in SECTIONS.items():
        if name in names or not names:
            section(subject, effort, found, tell)
    return document(found, subject, command)


def document(found: Findings, subject: Subject, command: str) -> Document:
    """Findings with the machine they were measured on."""
    lists: dict[str, Any] = {n: tuple(v) for n, v in vars(found).items() if n != "skipped"}
    return Document(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        machine=machine(),
        model=subject.name,
        **lists,
        skipped=found.skipped,
    )


def machine() -> dict[str, str]:
    """Device, BLAS, exp(), threads, cores, memory and versions, all as text."""
    found = backend.manifest().as_strings()
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        **found,
        "threads": str(backend.set_threads()),
        "cores": f"{os.cpu_count()}, a process on {'one' if check_wish() == 'own' else 'all'}",
        "memory": f"{memory / 2**30:.0f} GiB",
    }


def lab_subject(folder: Path) -> Subject:
    """An untrained lab llama made in `folder`: as fast as a trained one, and there at once."""
    return Subject(name="untrained lab llama", directory=write_llama(folder / "lab"), lab=True)
