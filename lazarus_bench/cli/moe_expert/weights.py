"""`moe-expert weights`: lengths of router rows and experts, and how alike they are."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lazarus_bench.cli import pictures, subject, terminal
from lazarus_bench.cli.grid import hundredths
from lazarus_bench.cli.moe_expert import mixture
from lazarus_bench.cli.results import check_output, give
from lazarus_bench.report import printed
from lazarus_bench.report.printed import cut

if TYPE_CHECKING:
    from lazarus_bench.analysis.expert_weights import LayerWeights, Likeness

SIDES = ("router", "experts")


def run(options: argparse.Namespace) -> int:
    """Compare the router rows, and the experts, of every layer of `options`.

    Raises:
        UserError: a flag cannot be honoured, or the model cannot be read.
        NotApplicable: the model is dense.
    """
    from lazarus_bench.analysis.expert_weights import read_weights

    check_output(options)
    pictures.check_plot(options.plot)
    found = subject.find(options.model, options.adapter)
    loaded = mixture.load(found)
    layers = mixture.chosen_layers(loaded, options.layer)
    with terminal.busy(f"comparing the experts of {len(layers)} layers"):
        read = [read_weights(loaded, layer) for layer in layers]
    if options.plot is not None:
        _draw(read, found.label, layers, loaded.depth, options.plot)
    give(options, found, _result(read), _shown(read, found.label))
    return 0


def _result(read: Sequence[LayerWeights]) -> dict[str, Any]:
    """Norms `[layer, expert]` and cosines `[layer, expert, expert]`, in the order of `layers`."""
    result: dict[str, Any] = {"layers": [each.layer for each in read]}
    for side in SIDES:
        own = [_side(each, side) for each in read]
        result[side] = {
            "width": own[0].width,
            "norms": np.stack([one.norms for one in own]),
            "cosines": np.stack([one.cosines for one in own]),
            "cosine_sd_by_chance": own[0].chance,
        }
    return result


def _side(each: LayerWeights, side: str) -> Likeness:
    return each.router if side == "router" else each.experts


def _shown(read: Sequence[LayerWeights], label: str) -> str:
    room = terminal.width()
    header = ["layer"]
    for side in SIDES:
        header += [f"{side}: norm", "from-to", "cosine", "closest"]
    rows = [
        [f"L{each.layer}", *(cell for side in SIDES for cell in _cells(_side(each, side)))]
        for each in read
    ]
    return "\n\n".join([cut(label, room), terminal.table(header, rows, room), _said(read, room)])


def _cells(likeness: Likeness) -> list[str]:
    norms, pairs = likeness.norms, likeness.pairs
    return [
        printed.number(float(norms.mean())),
        "-".join(printed.number(float(edge)) for edge in (norms.min(), norms.max())),
        hundredths(pairs.mean()) if len(pairs) else "",
        _closest(likeness) if len(pairs) else "",
    ]


def _closest(likeness: Likeness) -> str:
    """The two rows of largest |cosine|."""
    apart = np.abs(likeness.cosines) - 2 * np.eye(len(likeness.norms))
    one, other = sorted(map(int, np.unravel_index(apart.argmax(), apart.shape)))
    return f"e{one}~e{other} {hundredths(likeness.cosines[one, other])}"


def _said(read: Sequence[LayerWeights], room: int) -> str:
    router, experts = read[0].router, read[0].experts
    return terminal.wrapped(
        f"router: one row of {router.width} numbers for each of {len(router.norms)} experts; "
        f"experts: all their matrices end to end, {experts.width:,} numbers. norm: mean length; "
        f"cosine: mean over pairs; closest: the pair of largest |cosine|. Two random directions "
        f"have cosine 0 ± {printed.number(router.chance)} and 0 ± "
        f"{printed.number(experts.chance)} (standard deviation).",
        room,
    )


def _draw(
    read: Sequence[LayerWeights], label: str, layers: Sequence[int], depth: int, file: str
) -> None:
    groups = {
        f"{side}: largest |cosine| with another": mixture.by_expert(
            np.stack([_side(each, side).closest for each in read])
        )
        for side in SIDES
    }
    mixture.draw(file, "Likeness by expert", label, groups, layers, depth, largest=1.0)
