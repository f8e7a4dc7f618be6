"""`moe-expert analyze`: which experts serve each class of prompts, beside shuffled labels."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lazarus_bench.cli import pictures, subject, terminal
from lazarus_bench.cli.moe_expert import mixture
from lazarus_bench.cli.prompts import read_classes
from lazarus_bench.cli.results import check_output, give
from lazarus_bench.errors import UserError
from lazarus_bench.report import printed
from lazarus_bench.report.printed import cut
from lazarus_bench.tasks.arithmetic import Operation, held_out

if TYPE_CHECKING:
    from lazarus_bench.analysis.expert_use import ExpertUse
    from lazarus_bench.analysis.nulls import LayerNull
    from lazarus_bench.models.load import LoadedModel

PROBLEMS = 40
"""Arithmetic prompts that are read where no classes are given, ten an operation."""

NAMED = 2
"""Experts that a table names for each class."""

UPPER = 0.95


@dataclass(frozen=True, kw_only=True)
class _Use:
    """Which experts serve whom: `share` `[class, layer, expert]` of the chosen layers."""

    classes: Mapping[str, Sequence[str]]
    position: str
    layers: Sequence[int]
    whole: ExpertUse
    share: mixture.Floats
    null: LayerNull

    @property
    def places(self) -> list[int]:
        """Where the chosen layers stand among the routed ones."""
        return [self.whole.layers.index(layer) for layer in self.layers]

    @property
    def load(self) -> mixture.Floats:
        """Mean share of each expert `[layer, expert]` of the chosen layers."""
        return np.asarray(self.whole.load[self.places])


def run(options: argparse.Namespace) -> int:
    """Trace every class of `options` and show which experts it goes to.

    Raises:
        UserError: a flag cannot be honoured, or the model cannot be read.
        NotApplicable: the model is dense.
    """
    check_output(options)
    pictures.check_plot(options.plot)
    classes = _classes(options.classes)
    if options.permutations < 1:
        raise UserError(f"--permutations {options.permutations} is no null: give 1 or more")
    found = subject.find(options.model, options.adapter)
    loaded = mixture.load(found)
    used = _read(loaded, classes, options)
    if options.plot is not None:
        groups = {
            name: mixture.by_expert(share) for name, share in zip(classes, used.share, strict=True)
        }
        title = "Share of assignments by expert"
        mixture.draw(options.plot, title, found.label, groups, used.layers, loaded.depth)
    give(options, found, _result(used), _shown(used, found.label))
    return 0


def _classes(given: Sequence[str] | None) -> dict[str, list[str]]:
    if not given:
        problems = held_out(PROBLEMS, 0)
        return {
            operation.word: [p.symbols for p in problems if p.operation is operation]
            for operation in Operation
        }
    classes = read_classes(given)
    for name, prompts in classes.items():
        if len(prompts) < 2:
            raise UserError(f"the class {name} has one prompt, and a null needs two: give more")
    return classes


def _read(
    loaded: LoadedModel, classes: Mapping[str, Sequence[str]], options: argparse.Namespace
) -> _Use:
    from lazarus_bench.analysis.expert_use import expert_use, specialisation_null
    from lazarus_bench.analysis.routing import read_routing

    layers = mixture.chosen_layers(loaded, options.layer)
    texts = [text for prompts in classes.values() for text in prompts]
    labels = [at for at, prompts in enumerate(classes.values()) for _ in prompts]
    with terminal.busy(f"routing {len(texts)} prompts"):
        routing = read_routing(loaded, subject.encode(loaded, texts))
    use = expert_use(routing, last=options.position == "last")
    with terminal.busy(f"shuffling labels {options.permutations} times"):
        null = specialisation_null(use.share, labels, options.permutations)
    places = [use.layers.index(layer) for layer in layers]
    return _Use(
        classes=classes,
        position=options.position,
        layers=layers,
        whole=use,
        share=use.by_class(labels)[:, places],
        null=null,
    )


def _result(used: _Use) -> dict[str, Any]:
    """Everything of the chosen layers, in the order of `layers`; entropies and `told` in bits."""
    from lazarus_bench.analysis.expert_use import busiest, entropy_bits

    null, load = used.null, used.load
    return {
        "classes": used.classes,
        "position": used.position,
        "layers": list(used.layers),
        "experts": load.shape[1],
        "chosen": used.whole.chosen,
        "load": load,
        "entropy_bits": entropy_bits(load),
        "even_entropy_bits": float(np.log2(load.shape[1])),
        "busiest": busiest(load),
        "idle": (load == 0).sum(axis=1),
        "share": dict(zip(used.classes, used.share, strict=True)),
        "told_bits": null.observed[used.places],
        "p": null.layer_p_values[used.places],
        "null": {
            "how": "labels shuffled over prompts",
            "permutations": len(null.permuted),
            "mean_bits": null.permuted.mean(axis=0)[used.places],
            "best_layer_mean_bits": float(null.maxima.mean()),
            "best_layer_upper95_bits": float(np.quantile(null.maxima, UPPER)),
        },
    }


def _shown(used: _Use, label: str) -> str:
    room = terminal.width()
    table = terminal.table(_header(used), [_row(used, at) for at in range(len(used.layers))], room)
    return "\n\n".join([cut(label, room), table, _said(used, room)])


def _header(used: _Use) -> list[str]:
    return ["layer", "told", "null", "p", "entropy", "busiest", "idle", *used.classes]


def _row(used: _Use, at: int) -> list[str]:
    from lazarus_bench.analysis.expert_use import busiest, entropy_bits

    load, place = used.load[at], used.places[at]
    null = used.null
    return [
        f"L{used.layers[at]}",
        f"{null.observed[place]:.2f}",
        f"{null.permuted[:, place].mean():.2f}",
        f"{null.layer_p_values[place]:.3f}",
        f"{entropy_bits(load):.2f}",
        f"{busiest(load):.1f}×",
        str(int((load == 0).sum())),
        *(_most(share[at]) for share in used.share),
    ]


def _most(share: mixture.Floats) -> str:
    """The experts with most assignments."""
    order = np.argsort(-share, kind="stable")[:NAMED]
    return ", ".join(f"e{expert} {share[expert]:.2f}" for expert in order)


def _said(used: _Use, room: int) -> str:
    experts, null = used.load.shape[1], used.null
    where = "at the last token" if used.position == "last" else "over all tokens"
    return terminal.wrapped(
        f"{used.whole.chosen} of {experts} experts serve a token; shares of assignments {where}, "
        f"every prompt alike. told: bits that an assignment's expert tells of its prompt's class; "
        f"null: mean under {len(null.permuted)} shuffles of the labels; p compares with the best "
        f"layer of each shuffle, which has {printed.number(float(null.maxima.mean()))} bits on "
        f"average. entropy: of the load in bits, {np.log2(experts):.2f} when even; busiest: the "
        f"largest load in even ones; idle: experts without a token. An expert's number means "
        f"nothing in another layer.",
        room,
    )
