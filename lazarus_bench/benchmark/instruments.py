"""Speed of every instrument on one model: prompts a second, and tok/s of prompts and of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

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
from lazarus_bench.benchmark.document import LeftOut, Reading
from lazarus_bench.benchmark.meters import interleaved, peak_bytes, resident_peak, timed
from lazarus_bench.errors import NotApplicable
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.tasks.arithmetic import held_out

GROUP = "instrument"

PERMUTATIONS = 20
FEW = 8
"""Prompts of what is read one by one."""

GIVEN = "states given"
"""Marks instruments that work on hidden states read before; their prompts are the states'."""

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Use:
    """One use of an instrument: its work, and how many prompts and prompt tokens it reads.

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
    loaded: LoadedModel, *, rounds: int, count: int
) -> Iterator[Reading | LeftOut]:
    """Readings of all instruments that fit the model, and why others are left out."""
    known = uses(loaded, count)
    peaks: dict[str, tuple[int | None, int | None]] = {}
    for name, use in known.items():
        try:
            resident, allocated = peak_bytes(partial(resident_peak, use.work))
        except NotApplicable as error:
            yield LeftOut(name=name, why=str(error))
        else:
            peaks[name] = allocated or None, resident  # what works by numpy has no allocator's
    found = interleaved({name: timed(known[name].work) for name in peaks}, rounds, warm=0)
    reading = partial(Reading.of, GROUP)
    for name, seconds in found.items():
        use = known[name]
        if use.prompts:
            yield reading(name, "prompts/s", use.prompts / seconds)
            yield reading(name, "prompt_tps", use.tokens / seconds)
        else:
            yield reading(name, "readings/s", 1 / seconds)
        for unit, size in zip(("MiB, allocator", "MiB, process"), peaks[name], strict=True):
            if size is not None:
                yield reading(name, unit, [size / MIB], more=False)
    yield _generation(loaded, count, rounds)


def _generation(loaded: LoadedModel, count: int, rounds: int) -> Reading | LeftOut:
    """Tokens a second of greedy decoding beyond the first one, which reading the prompt gives."""
    prompts = prompt_tokens(loaded, [problem.symbols for problem in held_out(count, 0)])
    # The end-of-text token of each answer that has one was decoded too.
    answers = greedy(loaded, prompts, ANSWER_TOKENS)
    made = sum(min(len(tokens) + 1, ANSWER_TOKENS) for tokens in answers)
    found = interleaved(
        {
            "one": timed(lambda: greedy(loaded, prompts, 1)),
            "all": timed(lambda: greedy(loaded, prompts, ANSWER_TOKENS)),
        },
        rounds,
    )
    beyond = found["all"] - found["one"]
    if made <= count or not (beyond > 0).all():
        return LeftOut(
            name="generation_tps",
            why="decoding further tokens took no time that could be told from reading the prompts: "
            "give more rounds or prompts",
        )
    return Reading.of(GROUP, "answers", "generation_tps", (made - count) / beyond)
