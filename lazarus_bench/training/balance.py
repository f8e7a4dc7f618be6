"""Load balance of a mixture of experts: a loss for pretraining, and the final load.

mlx-lm's classes lack such a loss. This is the one of the Switch Transformer (Fedus et al. 2022,
equation 4), for several experts a token as in OLMoE (Muennighoff et al. 2024, section 2), averaged
over layers: per layer N · Σ_i f_i P_i, where f_i is the share of the tokens' choices
that fell on expert i of N and P_i the mean probability the router gave it. It is 1 when the load is
even and N when one expert has it all. The router's logits are recorded while the model runs its own
forward pass; padding does not count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lazarus_bench.backend import mx, nn
from lazarus_bench.models.anatomy import holder, part
from lazarus_bench.models.families import anatomy_of
from lazarus_bench.models.taps import router_logits
from lazarus_bench.training.loop import Loss, Parts
from lazarus_bench.training.record import write_whole

COEFFICIENT = 0.01
"""Weight of the balance loss, as in both papers."""


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Where a family's routers are, and how many experts each token is sent to."""

    layers: str
    router: str
    chosen: int
    pad: int

    def counted(self, step: Any) -> mx.array:
        """1 for each token of a step that is not padding `[token]`, in the routers' order."""
        real = mx.concatenate([(one.tokens != self.pad).reshape(-1) for one in step.batches])
        return real.astype(mx.float32)

    def routers(self, model: nn.Module) -> list[tuple[nn.Module, str]]:
        """The module that holds each layer's router, and its name there."""
        return [holder(block, self.router) for block in part(model, self.layers)]


def mixture_of(config: Mapping[str, Any]) -> Mixture | None:
    """How a configuration routes; None for a family without experts."""
    anatomy = anatomy_of(config)
    if anatomy.router is None:
        return None
    return Mixture(
        layers=anatomy.layers,
        router=anatomy.router,
        chosen=int(config["num_experts_per_tok"]),
        pad=int(config["pad_token_id"]),
    )


def shares(logits: mx.array, chosen: int, counted: mx.array) -> mx.array:
    """f: each expert's share of the choices `[expert]`, sum 1; no gradient flows through it.

    The router's `logits` `[token, expert]` send each token to `chosen` experts; `counted` `[token]`
    is 1 for a token and 0 for padding.
    """
    experts = logits.shape[-1]
    best = mx.stop_gradient(mx.argpartition(-logits, kth=chosen - 1, axis=-1)[:, :chosen])
    hits = (best[..., None] == mx.arange(experts)).sum(axis=1) * counted[:, None]
    return hits.sum(axis=0) / (chosen * counted.sum())


def balance_loss(layers: Sequence[mx.array], chosen: int, counted: mx.array) -> mx.array:
    """Mean over layers of N · Σ_i f_i P_i; 1 when even, N when one expert has it all.

    `layers` are each router's logits `[token, expert]`; `chosen` and `counted` as in `shares`.
    """
    total = mx.array(0.0)
    for logits in layers:
        probabilities = mx.softmax(logits, axis=-1) * counted[:, None]
        mean = probabilities.sum(axis=0) / counted.sum()
        total = total + logits.shape[-1] * (shares(logits, chosen, counted) * mean).sum()
    return total / len(layers)


def _by_token(logits: Sequence[Sequence[mx.array]]) -> list[mx.array]:
    """Each router's logits over all forwards of a step `[token, expert]`."""
    return [mx.concatenate([one.reshape(-1, one.shape[-1]) for one in own]) for own in logits]


def balanced(loss: Loss, mixture: Mixture) -> Loss:
    """`loss` plus `COEFFICIENT` times the balance loss over all tokens of the step.

    It is logged unweighted as "balance". Ranks balance their own shares of a step.
    """

    def with_balance(model: nn.Module, mixed: Any) -> tuple[mx.array, Parts]:
        with router_logits(mixture.routers(model)) as logits:
            value, parts = loss(model, mixed)
        balance = balance_loss(_by_token(logits), mixture.chosen, mixture.counted(mixed))
        return value + COEFFICIENT * balance, {**parts, "balance": balance}

    return with_balance


@dataclass(frozen=True, kw_only=True)
class Load:
    """The share of `tokens` tokens' choices that fell on each expert `[layer][expert]`.

    The shares of a layer sum to 1; even ones are 1 / experts.
    """

    tokens: int
    shares: tuple[tuple[float, ...], ...]


def measure_load(model: nn.Module, mixture: Mixture, steps: Sequence[Any]) -> Load:
    """The load of `model` over the batches of `steps`, fed as in pretraining."""
    found: list[np.ndarray] = []
    weights = []
    for mixed in steps:
        with router_logits(mixture.routers(model)) as logits:
            for batch in mixed.batches:
                model(batch.tokens)
        counted = mixture.counted(mixed)
        layers = [shares(one, mixture.chosen, counted) for one in _by_token(logits)]
        found.append(np.array(mx.stack(layers), dtype=np.float64))
        weights.append(mixed.size)
    mean = np.average(found, axis=0, weights=weights)
    return Load(tokens=sum(weights), shares=tuple(map(tuple, mean.tolist())))


def write_load(directory: Path, load: Load) -> None:
    """Write `load` to `load.json` in an artifact."""
    write_whole(directory / "load.json", json.dumps(asdict(load), indent=1) + "\n")
