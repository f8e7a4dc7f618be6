"""`lazarus-bench classifier`: a linear probe of every layer, beside what permuted labels give."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lazarus_bench.cli import pictures, subject, terminal
from lazarus_bench.cli.prompts import read_classes, read_prompts
from lazarus_bench.cli.results import check_output, give
from lazarus_bench.errors import UserError
from lazarus_bench.figures import LayerCurves, LayerSeries, NullBand
from lazarus_bench.report import printed
from lazarus_bench.report.printed import cut

if TYPE_CHECKING:
    from lazarus_bench.analysis.nulls import LayerNull
    from lazarus_bench.analysis.probe import Ints, Probe
    from lazarus_bench.analysis.probe_prompts import ProbePrompts
    from lazarus_bench.analysis.splits import HeldOut
    from lazarus_bench.models.load import LoadedModel

HELD_OUT: Mapping[str, HeldOut] = {"held-out": "pairs", "writeup": "writeup"}
"""The split of `analysis.splits` behind each --protocol."""

FOLDS = {"held-out": 5, "writeup": 4}
UPPER = 0.95


@dataclass(frozen=True, kw_only=True)
class _Trained:
    """The probes of all layers with their null; `predicted` `[test prompt, layer]` are classes."""

    classes: Mapping[str, Sequence[str]]
    probe: Probe
    null: LayerNull
    test: Sequence[str]
    predicted: Ints

    @property
    def names(self) -> list[str]:
        """The classes, in the order given."""
        return list(self.classes)

    @property
    def upper(self) -> float:
        """95th percentile of the best layer's accuracy under permuted labels."""
        return float(np.quantile(self.null.maxima, UPPER))


def run(options: argparse.Namespace) -> int:
    """Probe every layer for the classes of `options` and show how well it can tell them.

    Raises:
        UserError: a flag cannot be honoured, or the model cannot be read.
    """
    check_output(options)
    pictures.check_plot(options.plot)
    classes = read_classes(options.classes)
    _check_enough(classes, options.protocol)
    if options.permutations < 1:
        raise UserError(f"--permutations {options.permutations} is no null: give 1 or more")
    test = read_prompts(options.test or ())
    found = subject.find(options.model, options.adapter)
    trained = _train(found.load(), classes, test, options)
    if options.plot is not None:
        pictures.write_figure(_curves(trained, found.label).svg(heading=True), options.plot)
    give(options, found, _result(trained, options), _shown(trained, found.label))
    return 0


def _check_enough(classes: Mapping[str, Sequence[str]], protocol: str) -> None:
    for name, prompts in classes.items():
        count, folds = len(set(prompts)), FOLDS[protocol]
        if count < folds:
            other = " or --protocol writeup (4 folds)" if count == FOLDS["writeup"] else ""
            raise UserError(
                f"{folds} folds need {folds} different prompts of a class, and {name} has {count}: "
                f"give more{other}"
            )


def _train(
    loaded: LoadedModel,
    classes: Mapping[str, Sequence[str]],
    test: Sequence[str],
    options: argparse.Namespace,
) -> _Trained:
    from lazarus_bench.analysis.probe import permutation_null, probe, transfer
    from lazarus_bench.analysis.states import last_states

    prompts, held_out = _asked(classes), HELD_OUT[options.protocol]
    with terminal.busy(f"reading {len(prompts) + len(test)} prompts"):
        states = last_states(loaded, subject.encode(loaded, [*prompts.texts, *test]))
    own, others = states[: len(prompts)], states[len(prompts) :]
    with terminal.busy(f"training probes under {options.permutations} permutations"):
        return _Trained(
            classes=classes,
            probe=probe(own, prompts, held_out),
            null=permutation_null(own, prompts, held_out, options.permutations),
            test=test,
            predicted=transfer(own, prompts.labels, others, held_out)
            if test
            else np.zeros((0, own.shape[1]), dtype=np.int64),
        )


def _asked(classes: Mapping[str, Sequence[str]]) -> ProbePrompts:
    """Each text is a group of its own, so that a fold never tests what it was trained on."""
    from lazarus_bench.analysis.probe_prompts import IN_SYMBOLS, ProbePrompts

    rows = [(text, at) for at, texts in enumerate(classes.values()) for text in texts]
    groups = {text: at for at, text in enumerate(dict.fromkeys(text for text, _ in rows))}
    return ProbePrompts(
        texts=tuple(text for text, _ in rows),
        labels=tuple(label for _, label in rows),
        classes=tuple(classes),
        pairs=tuple(("text", groups[text], groups[text]) for text, _ in rows),
        templates=(IN_SYMBOLS,) * len(rows),
    )


def _result(trained: _Trained, options: argparse.Namespace) -> dict[str, Any]:
    """Everything `[layer]`, all layers in order; `p` compares with the best layer of the null."""
    null = trained.null
    tested = zip(trained.test, trained.predicted, strict=True)
    return {
        "classes": trained.classes,
        "protocol": options.protocol,
        "folds": FOLDS[options.protocol],
        "accuracy": trained.probe.accuracy,
        "best_layer": trained.probe.best_layer,
        "p": null.layer_p_values,
        "null": {
            "how": "labels permuted inside folds",
            "permutations": options.permutations,
            "mean": null.permuted.mean(axis=0),
            "best_layer_mean": float(null.maxima.mean()),
            "best_layer_upper95": trained.upper,
        },
        "test": [
            {"prompt": prompt, "predicted": [trained.names[at] for at in layers]}
            for prompt, layers in tested
        ],
    }


def _shown(trained: _Trained, label: str) -> str:
    room = terminal.width()
    parts = [cut(label, room), _layers(trained, room), _said(trained, room)]
    return "\n\n".join([*parts, _tested(trained, room)] if trained.test else parts)


def _layers(trained: _Trained, room: int) -> str:
    means, p_values = trained.null.permuted.mean(axis=0), trained.null.layer_p_values
    rows = [
        [
            f"L{layer}{' best' if layer == trained.probe.best_layer else ''}",
            f"{accuracy:.2f}",
            f"{p_values[layer]:.3f}",
            f"{means[layer]:.2f}",
        ]
        for layer, accuracy in enumerate(trained.probe.accuracy)
    ]
    return terminal.table(["layer", "accuracy", "p", "null"], rows, room)


def _said(trained: _Trained, room: int) -> str:
    null, many = trained.null, len(trained.probe.gold)
    return terminal.wrapped(
        f"accuracy: held out, of {many} prompts; chance {1 / len(trained.names):.2f}. null: mean "
        f"under {len(null.permuted)} permutations of the labels. The best layer of a permutation "
        f"has {null.maxima.mean():.2f} on average and at most {trained.upper:.2f} in 95% of them; "
        f"p compares with that best layer, {printed.number(null.p_value)} for the best here.",
        room,
    )


def _tested(trained: _Trained, room: int) -> str:
    best = trained.probe.best_layer
    rows = [
        [terminal.prompt_cell(prompt, room), trained.names[layers[best]], _votes(trained, layers)]
        for prompt, layers in zip(trained.test, trained.predicted, strict=True)
    ]
    return terminal.table(["test prompt", f"at L{best}", "over layers"], rows, room)


def _votes(trained: _Trained, layers: Ints) -> str:
    counted = Counter(trained.names[at] for at in layers).most_common()
    return ", ".join(f"{name} {count}" for name, count in counted)


def _curves(trained: _Trained, label: str) -> LayerCurves:
    return LayerCurves(
        title=f"Probe for {', '.join(trained.names)}",
        subject=label,
        unit="held-out accuracy",
        layers=tuple(range(len(trained.probe.accuracy))),
        series=(LayerSeries.of("accuracy", [trained.probe.accuracy.tolist()]),),
        null=NullBand(
            name="permuted labels",
            mean=tuple(trained.null.permuted.mean(axis=0).tolist()),
            upper=trained.upper,
        ),
    )
