"""`lazarus-bench lens`: what each layer would say, also before and after an adapter."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lazarus_bench.cli import pictures, subject, terminal
from lazarus_bench.cli.prompts import read_prompts, read_words
from lazarus_bench.cli.results import check_output, give
from lazarus_bench.cli.tokens import Strings, head, named, words
from lazarus_bench.errors import UserError
from lazarus_bench.figures import HeatGroup, HeatMap
from lazarus_bench.report import printed
from lazarus_bench.report.printed import cut

if TYPE_CHECKING:
    from lazarus_bench.analysis.lens import Floats, LensReading
    from lazarus_bench.models.load import LoadedModel


@dataclass(frozen=True, kw_only=True)
class _Read:
    """All layers' lenses of the prompts, and what of them is asked for.

    `tokens` and `earlier` `[prompt, layer, k]` spell the most probable tokens; `before` and `moved`
    `[prompt, layer]` are there with --diff alone.
    """

    prompts: Sequence[str]
    targets: Sequence[str]
    layers: Sequence[int]
    after: LensReading
    tokens: Strings
    before: LensReading | None = None
    earlier: Strings | None = None
    moved: Floats | None = None


def run(options: argparse.Namespace) -> int:
    """Read the lens of `options.prompts` and show it.

    Raises:
        UserError: a flag cannot be honoured, or the model cannot be read.
    """
    check_output(options)
    pictures.check_plot(options.plot)
    if options.diff and options.adapter is None:
        raise UserError("--diff compares a model with its adapter: give --adapter DIR")
    prompts, targets = read_prompts(options.prompts), read_words(options.targets or ())
    found = subject.find(options.model, options.adapter)
    loaded = found.load()
    base = found.load(adapted=False) if options.diff else None
    read = _read(loaded, base, options, prompts, targets)
    if options.plot is not None:
        title = "What the adapter moves" if options.diff else "Lens probability"
        _draw(read, title, found.label, options.plot)
    give(options, found, _result(read), _shown(read, found.label, terminal.width()))
    return 0


def _read(
    loaded: LoadedModel,
    base: LoadedModel | None,
    options: argparse.Namespace,
    prompts: Sequence[str],
    targets: Sequence[str],
) -> _Read:
    from lazarus_bench.analysis.lens import read_lens, total_variation

    layers = subject.chosen_layers(loaded, options.layer, every=options.all_layers)
    subject.check_top(loaded, options.top_k)
    encoded = subject.encode(loaded, prompts)
    wanted = np.array(subject.target_tokens(loaded, targets), dtype=np.int64)
    ids = np.tile(wanted, (len(prompts), 1))
    with terminal.busy(f"reading {len(prompts)} prompts"):
        after = read_lens(loaded, encoded, ids, options.top_k)
        before = None if base is None else read_lens(base, encoded, ids, options.top_k)
        moved = None if base is None else total_variation(base, loaded, encoded)
    return _Read(
        prompts=prompts,
        targets=targets,
        layers=layers,
        after=after,
        tokens=words(loaded, after.top_ids),
        before=before,
        earlier=None if before is None else words(loaded, before.top_ids),
        moved=moved,
    )


def _result(read: _Read) -> dict[str, Any]:
    """Numbers of the chosen layers: `[prompt, layer, ...]`, layers in the order of `layers`."""
    chosen = list(read.layers)
    result: dict[str, Any] = {
        "prompts": read.prompts,
        "targets": read.targets,
        "layers": chosen,
        "lens": _lens(read.after, read.tokens, chosen),
    }
    if read.before is not None and read.earlier is not None and read.moved is not None:
        result["before"] = _lens(read.before, read.earlier, chosen)
        result["total_variation"] = read.moved[:, chosen]
    return result


def _lens(reading: LensReading, tokens: Strings, layers: list[int]) -> dict[str, Any]:
    return {
        "target_probability": reading.probability[:, layers],
        "top_tokens": tokens[:, layers],
        "top_ids": reading.top_ids[:, layers],
        "top_probability": reading.top_probability[:, layers],
    }


def _shown(read: _Read, label: str, room: int) -> str:
    header = ["prompt", "layer", *_header(read)]
    rows = [
        [
            terminal.prompt_cell(prompt, room) if layer == read.layers[0] else "",
            f"L{layer}",
            *_cells(read, at, layer),
        ]
        for at, prompt in enumerate(read.prompts)
        for layer in read.layers
    ]
    return f"{cut(label, room)}\n\n{terminal.table(header, rows, room)}"


def _header(read: _Read) -> list[str]:
    targets = [named(target) for target in read.targets]
    if read.before is not None:
        return ["moved", *targets, "before", "after"]
    return [*targets, *(f"top {1 + at}" for at in range(read.tokens.shape[2]))]


def _cells(read: _Read, at: int, layer: int) -> list[str]:
    chances = [printed.number(p) for p in read.after.probability[at, layer]]
    tops = head(read.tokens[at, layer], read.after.top_probability[at, layer])
    if read.before is None or read.earlier is None or read.moved is None:
        return [*chances, *tops]
    earlier = [printed.number(p) for p in read.before.probability[at, layer]]
    both = [f"{old} → {new}" for old, new in zip(earlier, chances, strict=True)]
    old = head(read.earlier[at, layer], read.before.top_probability[at, layer])
    return [printed.number(read.moved[at, layer]), *both, old[0], tops[0]]


def _draw(read: _Read, title: str, label: str, file: str) -> None:
    item = HeatMap(
        title=title, subject=label, layer=read.layers[0], seeds=1, groups=tuple(_groups(read))
    )
    every = len(read.layers) == item.depth
    pictures.write(item, file, () if every else read.layers)


def _groups(read: _Read) -> list[HeatGroup]:
    if read.moved is not None:
        return [_group("total variation, before against after", read.prompts, read.moved)]
    if read.targets:
        return [
            _group(named(target), read.prompts, read.after.probability[:, :, at])
            for at, target in enumerate(read.targets)
        ]
    return [_group("the most probable token", read.prompts, read.after.top_probability[:, :, 0])]


def _group(name: str, prompts: Sequence[str], values: Floats) -> HeatGroup:
    rows = zip(prompts, values, strict=True)
    return HeatGroup(name=name, rows=tuple(pictures.heat_row(p, name, v) for p, v in rows))
