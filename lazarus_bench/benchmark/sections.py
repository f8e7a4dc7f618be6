"""The sections of a benchmark run: what each measures, and one document of them all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

from lazarus_bench import backend
from lazarus_bench.benchmark.document import (
    Curve,
    Document,
    LeftOut,
    Profile,
    Ratio,
    Reading,
    Roof,
)
from lazarus_bench.benchmark.instruments import measure_instruments
from lazarus_bench.benchmark.mlx_lm_rivals import (
    dual_against_sft,
    sampling_against_mlx_lm,
    sft_against_mlx_lm,
)
from lazarus_bench.benchmark.profile import profiled
from lazarus_bench.benchmark.recipes import RECIPES, measure_recipe, task_of
from lazarus_bench.benchmark.rivals import Effort, lens_against_transformers, probe_against_sklearn
from lazarus_bench.benchmark.roofline import best_product, measure_roofline
from lazarus_bench.benchmark.scaling import Growth, growths, measure
from lazarus_bench.benchmark.verdict_time import GROUP as VERDICT
from lazarus_bench.benchmark.verdict_time import measure_first_verdict
from lazarus_bench.benchmark.workloads import MILLION, WIDE_VOCABULARY, Shape, write_llama
from lazarus_bench.cores import check_wish, on_own_core
from lazarus_bench.errors import NotApplicable
from lazarus_bench.models.load import load
from lazarus_bench.training.apart import ProcessError

PACKAGES = ("scikit-learn", "torch", "pytest-benchmark", "mkl")
"""Packages besides the manifest's that measurements may depend on."""

Found = Reading | Ratio | Curve | Profile | Roof | LeftOut

KINDS = {"readings": Reading, "ratios": Ratio, "curves": Curve, "profiles": Profile, "roofs": Roof}
"""The fields of a document and what they hold."""


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


Work = Callable[[Subject, Effort], Iterable[Found]]


def _recipe(name: str, of: Subject, effort: Effort) -> Iterable[Found]:
    return measure_recipe(name, of.directory, lab=of.lab, steps=effort.steps)


def _instruments(of: Subject, effort: Effort) -> Iterable[Found]:
    loaded = load(of.directory, name=of.name)
    return measure_instruments(loaded, rounds=min(effort.rounds, 7), count=effort.prompts)


def _verdict(of: Subject, effort: Effort) -> Iterable[Found]:
    if of.hypotheses is None:
        raise NotApplicable("there is no folder of claims: run it beside hypotheses/")
    model, rounds = of.name if of.judged else None, min(effort.rounds, 3)
    with tempfile.TemporaryDirectory() as folder:
        yield from measure_first_verdict(of.hypotheses, model, Path(folder), rounds)


def _lens(shape: Shape, _: Subject, effort: Effort) -> Iterable[Found]:
    with tempfile.TemporaryDirectory() as folder:
        model = write_llama(Path(folder, "llama"), shape)
        try:
            return lens_against_transformers(model, what=shape.label, effort=effort)
        except ModuleNotFoundError as error:
            remedy = "pip install 'lazarus-bench[oracle]'"
            raise NotApplicable(f"{error.name} is not installed: {remedy}") from error


def _growth(growth: Growth, _: Subject, effort: Effort) -> Iterable[Found]:
    return [measure(growth, effort.rounds)]


_rate = cache(best_product)


def _profile(name: str, of: Subject, effort: Effort) -> Iterable[Found]:
    spec, base = task_of(name, of.directory, 200, lab=of.lab)
    return [profiled(spec, base, rounds=min(effort.rounds, 9), machine=_rate())]


SECTIONS: Mapping[str, Mapping[str, Work]] = {
    "recipes": {name: partial(_recipe, name) for name in RECIPES},
    "instruments": {"instruments": _instruments},
    "verdict": {VERDICT: _verdict},
    "beside": {
        "SFT": lambda of, effort: sft_against_mlx_lm(of.directory, batch=8, effort=effort),
        "SFT, 33 tokens a text": lambda of, effort: sft_against_mlx_lm(
            of.directory, batch=8, effort=effort, length=33
        ),
        "dual reward": lambda of, effort: dual_against_sft(of.directory, batch=16, effort=effort),
        "lens, 32,000 words": partial(_lens, WIDE_VOCABULARY),
        "lens, 1M parameters": partial(_lens, MILLION),
        "sampling": lambda of, effort: sampling_against_mlx_lm(
            of.directory, what=of.name, effort=effort
        ),
        "probe": lambda of, effort: probe_against_sklearn(
            of.directory, what=of.name, effort=effort
        ),
    },
    "scaling": {f"{g.what} along {g.along}": partial(_growth, g) for g in growths()},
    "profile": {f"profile of {name}": partial(_profile, name) for name in RECIPES},
    "roofline": {"roofline": lambda _, effort: measure_roofline(min(effort.rounds, 7))},
}
"""What each section measures, by name."""

_ALONE = ("instruments", "beside", "profile", "roofline")
"""Sections that have a core to themselves; the others see to that, or start processes."""


def measured(section: str, name: str, subject: Subject, effort: Effort) -> list[Found]:
    """What `section` measures under `name`.

    Raises:
        NotApplicable: the model, or what is installed here, does not allow it.
        ProcessError: a process that was to be measured fell.
    """
    with on_own_core() if section in _ALONE else nullcontext():
        return list(SECTIONS[section][name](subject, effort))


def measure_sections(
    names: Sequence[str],
    subject: Subject,
    effort: Effort,
    tell: Callable[[str], None],
    command: str,
) -> Document:
    """Measure the sections `names`, all without any, one after the other; `tell` hears of each."""
    backend.set_threads()
    backend.warn_if_slow()
    found: list[Found] = []
    for section, works in SECTIONS.items():
        for name in works if section in names or not names else ():
            tell(f"{name} ({section})" if section in ("recipes", "beside") else name)
            try:
                found += measured(section, name, subject, effort)
            except (NotApplicable, ProcessError) as error:
                found.append(LeftOut(name=name, why=str(error)))
    return document(found, subject.name, command)


def document(found: Sequence[Found], model: str, command: str) -> Document:
    """What was found on `model`, with the machine it was measured on."""
    lists: dict[str, Any] = {
        name: tuple(each for each in found if isinstance(each, kind))
        for name, kind in KINDS.items()
    }
    return Document(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        machine=machine(),
        model=model,
        **lists,
        skipped={each.name: each.why for each in found if isinstance(each, LeftOut)},
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
