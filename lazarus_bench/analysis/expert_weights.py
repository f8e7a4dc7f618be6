"""Weights of a mixture of experts: how large router rows and experts are, and how alike.

The cosine of two directions drawn at random in N dimensions has mean 0 and standard deviation
1/√N, which is the chance beside every cosine here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazarus_bench.analysis.measured import Floats
from lazarus_bench.analysis.router import routed_layers
from lazarus_bench.analysis.vocabulary import dense, dequantised, row_count
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.figures.heatmap import Heat, expert_rows, heat
from lazarus_bench.figures.tables import hundredths, table, wrapped
from lazarus_bench.figures.text import number
from lazarus_bench.models.anatomy import blocks, part
from lazarus_bench.models.load import LoadedModel

MAX_NUMBERS = 1 << 26
"""Most weights of all experts that are float32 at once: 256 MiB."""


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """Lengths `[row]` of some rows of `width` numbers each, and their cosines `[row, row]`."""

    width: int
    norms: Floats
    cosines: Floats

    @classmethod
    def of(cls, products: Floats, width: int) -> Likeness:
        """From the rows' inner products `[row, row]`; rows of zeros have cosine 0."""
        norms = np.sqrt(np.diagonal(products))
        lengths = np.where(norms > 0, norms, 1.0)
        return cls(width=width, norms=norms, cosines=products / np.outer(lengths, lengths))

    @property
    def pairs(self) -> Floats:
        """The cosine of each pair once `[pair]`."""
        return np.asarray(self.cosines[np.triu_indices(len(self.norms), k=1)])

    @property
    def closest(self) -> Floats:
        """Each row's largest |cosine| with another one `[row]`."""
        return np.asarray((np.abs(self.cosines) - 2 * np.eye(len(self.norms))).max(axis=1))

    def cells(self) -> list[str]:
        """Mean length, shortest and longest, mean cosine, and the pair of largest |cosine|."""
        norms, pairs = self.norms, self.pairs
        edges = "-".join(number(float(edge)) for edge in (norms.min(), norms.max()))
        if not len(pairs):
            return [number(float(norms.mean())), edges, "", ""]
        apart = np.abs(self.cosines) - 2 * np.eye(len(norms))
        one, other = sorted(map(int, np.unravel_index(apart.argmax(), apart.shape)))
        closest = f"e{one}~e{other} {hundredths(self.cosines[one, other])}"
        return [number(float(norms.mean())), edges, hundredths(pairs.mean()), closest]

    @property
    def chance(self) -> float:
        """Standard deviation of the cosine of two random directions."""
        return float(self.width**-0.5)


@dataclass(frozen=True, kw_only=True)
class LayerWeights:
    """One layer's router rows, and its experts with all their matrices end to end.

    Biases are left out: they add the same whatever the token.
    """

    layer: int
    router: Likeness
    experts: Likeness


def read_weights(loaded: LoadedModel, layer: int) -> LayerWeights:
    """Read the router and the experts of a layer.

    Raises:
        NotApplicable: the model is dense.
        UserError: the layer has no router, keeps its experts where mlx-lm's other families do not,
            or a weight is not finite.
    """
    gates = routed_layers(loaded)
    if layer not in gates:
        raise UserError(f"layer {layer} has no router: choose {', '.join(map(str, gates))}")
    gate = gates[layer]
    rows = dense(gate, 0, row_count(gate))
    count = rows.shape[0]
    experts = (part for stack in _stacks(loaded, layer, count) for part in _flat(stack, count))
    return LayerWeights(
        layer=layer,
        router=_likeness(loaded, layer, [rows]),
        experts=_likeness(loaded, layer, experts),
    )


def _likeness(loaded: LoadedModel, layer: int, parts: Iterable[mx.array]) -> Likeness:
    """Of rows `[row, some numbers]` that come in parts."""
    products, width = np.zeros(()), 0
    for rows in parts:
        products = products + np.array(rows @ rows.T, dtype=np.float64)
        width += rows.shape[1]
    if not np.isfinite(products).all():
        raise UserError(f"{loaded.name}: weights of layer {layer} are not finite: copy them again")
    return Likeness.of(products, width)


def _stacks(loaded: LoadedModel, layer: int, count: int) -> list[nn.Module]:
    """The layer's modules that hold one matrix of every expert."""
    from mlx_lm.models.switch_layers import QuantizedSwitchLinear, SwitchLinear

    home = part(blocks(loaded.model, loaded.anatomy)[layer], loaded.anatomy.feed_forward)
    kinds = (SwitchLinear, QuantizedSwitchLinear)
    modules: list[nn.Module] = [m for _, m in home.named_modules() if isinstance(m, kinds)]
    found = [m for m in modules if m.num_experts == count]
    if not found:
        family = loaded.config.get("model_type")
        raise UserError(
            f"{loaded.name}: where {family!r} keeps its experts is not known here: fix "
            f"lazarus_bench/analysis/expert_weights.py"
        )
    return found


def _flat(stack: nn.Module, count: int) -> Iterator[mx.array]:
    """The stack's weights `[expert, some numbers]` in float32, dequantised part by part."""
    step = max(1, MAX_NUMBERS // (count * stack.input_dims))
    for start in range(0, stack.weight.shape[1], step):
        outputs = (slice(None), slice(start, start + step))
        if "scales" in stack and stack.global_scale is not None:
            raise UserError(
                "experts quantised with a scale of their own (nvfp4) cannot be compared: "
                "dequantise the model first"
            )
        weight = dequantised(stack, outputs) if "scales" in stack else stack.weight[outputs]
        yield weight.astype(mx.float32).reshape(count, -1)


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Router rows and experts of some layers of a model of `depth` layers."""

    layers: Sequence[LayerWeights]
    depth: int

    @property
    def sides(self) -> dict[str, list[Likeness]]:
        """Routers and experts, a likeness a layer each."""
        return {
            "router": [each.router for each in self.layers],
            "experts": [each.experts for each in self.layers],
        }

    def to_json(self) -> dict[str, Any]:
        """Norms `[layer, expert]` and cosines `[layer, expert, expert]`, in the layers' order."""
        return {
            "layers": [each.layer for each in self.layers],
            **{
                side: {
                    "width": own[0].width,
                    "norms": np.stack([one.norms for one in own]),
                    "cosines": np.stack([one.cosines for one in own]),
                    "cosine_sd_by_chance": own[0].chance,
                }
                for side, own in self.sides.items()
            },
        }

    def text(self, room: int) -> str:
        """A table with a row for each layer."""
        header = ["layer"]
        for side in self.sides:
            header += [f"{side}: norm", "from-to", "cosine", "closest"]
        rows = [
            [f"L{each.layer}", *each.router.cells(), *each.experts.cells()] for each in self.layers
        ]
        router, experts = self.layers[0].router, self.layers[0].experts
        note = (
            f"router: one row of {router.width} numbers for each of {len(router.norms)} experts; "
            f"experts: all their matrices end to end, {experts.width:,} numbers. norm: mean "
            f"length; cosine: mean over pairs; closest: the pair of largest |cosine|. Two random "
            f"directions have cosine 0 ± {number(router.chance)} and 0 ± "
            f"{number(experts.chance)} (standard deviation)."
        )
        return f"{table(header, rows, room)}\n\n{wrapped(note, room)}"

    def figure(self, subject: str) -> Heat:
        """Expert by layer: the largest |cosine| of its row, and of the expert, with another."""
        layers, groups = [each.layer for each in self.layers], []
        for side, own in self.sides.items():
            name = f"{side}: largest |cosine| with another"
            closest = np.stack([one.closest for one in own])
            groups.append((name, expert_rows(name, closest, layers, self.depth)))
        return heat("Likeness by expert", subject, groups, layers[0], largest=1.0)


def weights(loaded: LoadedModel, layers: Sequence[int]) -> Weights:
    """`read_weights` of several layers."""
    return Weights(layers=[read_weights(loaded, layer) for layer in layers], depth=loaded.depth)
