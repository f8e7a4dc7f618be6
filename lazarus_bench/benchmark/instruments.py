"""Speed of every instrument on one model: prompts a second, and tok/s of prompts and of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lazarus_bench.analysis.ablation import ablate
from lazarus_bench.analysis.answers import ANSWER_TOKENS, greedy, read_likelihood
from lazarus_bench.analysis.emergence import read_emergence
from lazarus_bench.analysis.geometry import cluster_separation
from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.analysis.probe import permutation_null, probe
from lazarus_bench.analysis.probe_prompts import in_symbols
from lazarus_bench.analysis.prompts import last_states, prompt_tokens
from lazarus_bench.analysis.router import project_gates
from lazarus_bench.analysis.routing import read_routing
from lazarus_bench.benchmark.document import Reading
from lazarus_bench.benchmark.resident import resident_peak
from lazarus_bench.benchmark.stopwatch import interleaved, timed
from lazarus_bench.benchmark.trainings import peak_bytes
from lazarus_bench.errors import NotApplicable
from lazarus_bench.judge.rounds import Floats, median
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.tasks.arithmetic import held_out

GROUP = "instrument"

PERMUTATIONS = 20
FEW = 8
"""Prompts of what is read one by one."""

GIVEN = "states given"
"""Of what works on hidden states that were read before: its prompts are those of the states."""

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Use:
    """One use of an instrument: what it does, and how many prompts and prompt tokens it reads.

    Both are 0 where it reads the weights alone.
    """

    work: Callable[[], object]
    prompts: int = 0
    tokens: int = 0


def uses(loaded: LoadedModel, count: int) -> Mapping[str, Use]:
    """Every instrument on `count` held-out problems in symbols."""
    problems = held_out(count, 0)
    asked = in_symbols(problems)
    prompts = prompt_tokens(loaded, asked.texts)
    targets = np.full((count, 1), prompts[0][-1], dtype=np.int64)
    states = last_states(loaded, prompts)
    tokens = sum(map(len, prompts))

    def whole(work: Callable[[], object]) -> Use:
        return Use(work=work, prompts=count, tokens=tokens)

    def few(work: Callable[[], object]) -> Use:
        return Use(work=work, prompts=FEW, tokens=sum(map(len, prompts[:FEW])))

    return {
        "lens, all layers": whole(lambda: read_lens(loaded, prompts, targets, 20)),
        "hidden states": whole(lambda: last_states(loaded, prompts)),
        "likelihood": whole(lambda: read_likelihood(loaded, problems)),
        "answers": whole(lambda: greedy(loaded, prompts, ANSWER_TOKENS)),
        f"probe, all layers, {GIVEN}": whole(lambda: probe(states, asked)),
        f"probe's null, {PERMUTATIONS} permutations, {GIVEN}": whole(
            lambda: permutation_null(states, asked, permutations=PERMUTATIONS)
        ),
        f"cluster separation, {GIVEN}": whole(lambda: cluster_separation(states, asked.labels)),
        "ablation of a layer": whole(lambda: ablate(loaded, problems, 0)),
        "emergence": few(lambda: [read_emergence(loaded, p) for p in prompts[:FEW]]),
        "router projection": Use(work=lambda: project_gates(loaded)),
        "routing": whole(lambda: read_routing(loaded, prompts)),
    }


def measure_instruments(
    loaded: LoadedModel, *, rounds: int = 7, count: int = 200
) -> tuple[list[Reading], dict[str, str]]:
    """Readings of all instruments that the model has, and why others are left out."""
    known, skipped = uses(loaded, count), {}
    peaks: dict[str, Peak] = {}
    for name, use in known.items():
        try:
            peaks[name] = _peak(use)
        except NotApplicable as error:
            skipped[name] = str(error)
    chosen = {name: known[name] for name in peaks}
    found = interleaved({name: timed(use.work) for name, use in chosen.items()}, rounds, warm=0)
    readings = [
        reading
        for name, use in chosen.items()
        for reading in _readings(name, use, found[name], peaks[name])
    ]
    generated = list(_generation(loaded, count, rounds))
    if not generated:
        skipped["generation_tps"] = (
            "decoding further tokens took no time that could be told from reading the prompts: "
            "give more rounds or prompts"
        )
    return [*readings, *generated], skipped


Peak = tuple[int | None, int | None]
"""Bytes by which mlx's allocator rose, where mlx is used, and what the process held, if told."""


def _peak(use: Use) -> Peak:
    resident, allocated = peak_bytes(lambda: resident_peak(use.work))
    return allocated or None, resident


def _readings(name: str, use: Use, seconds: Floats, peak: Peak) -> Iterator[Reading]:
    if use.prompts:
        yield _reading(name, "prompts/s", use.prompts / seconds)
        yield _reading(name, "prompt_tps", use.tokens / seconds)
    else:
        yield _reading(name, "readings/s", 1 / seconds)
    for unit, size in zip(("MiB, allocator", "MiB, process"), peak, strict=True):
        if size is not None:
            yield _reading(name, unit, np.array([size / MIB]), bigger=False)


def _reading(name: str, unit: str, values: Floats, *, bigger: bool = True) -> Reading:
    return Reading(
        group=GROUP,
        name=name,
        unit=unit,
        found=median(values),
        rounds=len(values),
        bigger_is_better=bigger,
    )


def _generation(loaded: LoadedModel, count: int, rounds: int) -> Iterator[Reading]:
    """Tokens a second of greedy decoding beyond the first one, which reading the prompt gives."""
    prompts = prompt_tokens(loaded, [problem.symbols for problem in held_out(count, 0)])
    made = _tokens(greedy(loaded, prompts, ANSWER_TOKENS))
    found = interleaved(
        {
            "one": timed(lambda: greedy(loaded, prompts, 1)),
            "all": timed(lambda: greedy(loaded, prompts, ANSWER_TOKENS)),
        },
        rounds,
    )
    beyond = found["all"] - found["one"]
    if made > count and (beyond > 0).all():
        yield _reading("answers", "generation_tps", (made - count) / beyond)


def _tokens(continuations: Sequence[Sequence[int]]) -> int:
    """Tokens decoded, the end-of-text token of each that has one counted."""
    return sum(min(len(ids) + 1, ANSWER_TOKENS) for ids in continuations)
