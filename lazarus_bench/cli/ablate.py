"""`lazarus-bench ablate`: how likely answers stay without a layer, a part of it or a head."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lazarus_bench.cli import pictures, subject, terminal
from lazarus_bench.cli.answers import first_tokens, read_answers
from lazarus_bench.cli.prompts import read_prompts
from lazarus_bench.cli.results import check_output, give
from lazarus_bench.cli.tokens import named, words
from lazarus_bench.errors import UserError
from lazarus_bench.figures import HeatGroup, HeatMap
from lazarus_bench.report import printed
from lazarus_bench.report.printed import cut

if TYPE_CHECKING:
    from lazarus_bench.analysis.ablations import NextToken, Removal
    from lazarus_bench.models.load import LoadedModel

HEADS = "heads"


@dataclass(frozen=True, kw_only=True)
class _Ablated:
    """What follows each prompt with the whole model, and without each of some sets of removals."""

    prompts: Sequence[str]
    answers: Sequence[str]
    answer_ids: Sequence[int]
    removals: Sequence[Sequence[Removal]]
    before: NextToken
    after: Sequence[NextToken]
    said: Sequence[Sequence[str]]


def run(options: argparse.Namespace) -> int:
    """Take parts out of the model and show what becomes of the answers.

    Raises:
        UserError: a flag cannot be honoured, or the model cannot be read.
    """
    check_output(options)
    pictures.check_plot(options.plot)
    _check_flags(options)
    prompts = read_prompts(options.prompts)
    answers = read_answers("--answers", options.answers, len(prompts))
    reference = prompts if options.reference is None else read_prompts(options.reference)
    found = subject.find(options.model, options.adapter)
    loaded = found.load()
    ablated = _ablate(loaded, prompts, answers, reference, options)
    if options.plot is not None:
        _draw(ablated, found.label, loaded.depth, options.plot)
    give(options, found, _result(ablated, options), _shown(ablated, found.label, options))
    return 0


def _check_flags(options: argparse.Namespace) -> None:
    if options.head and options.component != HEADS:
        raise UserError(f"--head names heads, and --component is {options.component}: give heads")
    if options.reference is not None and not options.mean:
        raise UserError("--reference says what a mean is over: give --mean as well")
    if options.together and options.plot is not None:
        raise UserError("--plot draws one removal a layer, which --together has not: leave one out")


def _removals(loaded: LoadedModel, options: argparse.Namespace) -> list[list[Removal]]:
    from lazarus_bench.analysis.ablations import Removal

    layers = subject.chosen_layers(loaded, options.layer, every=not options.layer)
    if options.component == HEADS:
        heads = _heads(loaded, options.head)
        each = [Removal(layer=layer, head=head) for layer in layers for head in heads]
    else:
        each = [Removal(layer=layer, part=options.component) for layer in layers]
    return [each] if options.together else [[one] for one in each]


def _heads(loaded: LoadedModel, asked: Sequence[int] | None) -> list[int]:
    from lazarus_bench.models.heads import head_count

    count = head_count(loaded)
    for head in asked or ():
        if not 0 <= head < count:
            raise UserError(f"--head {head} is not in {loaded.name}: choose 0 to {count - 1}")
    return sorted(set(asked)) if asked else list(range(count))


def _ablate(
    loaded: LoadedModel,
    prompts: Sequence[str],
    answers: Sequence[str] | None,
    reference: Sequence[str],
    options: argparse.Namespace,
) -> _Ablated:
    from lazarus_bench.analysis.ablations import means_of, read_next, read_without

    removals, encoded = _removals(loaded, options), subject.encode(loaded, prompts)
    every = [removal for one in removals for removal in one]
    with terminal.busy(f"reading {len(prompts)} prompts without {len(removals)} parts in turn"):
        wanted = first_tokens(loaded, prompts, encoded, answers)
        before = read_next(loaded, encoded, wanted)
        over = subject.encode(loaded, reference)
        means = means_of(loaded, over, every) if options.mean else None
        after = [read_without(loaded, encoded, wanted, one, means) for one in removals]
    return _Ablated(
        prompts=prompts,
        answers=words(loaded, np.array(wanted)).tolist(),
        answer_ids=wanted,
        removals=removals,
        before=before,
        after=after,
        said=words(loaded, np.stack([each.top for each in after])).tolist(),
    )


def _result(ablated: _Ablated, options: argparse.Namespace) -> dict[str, Any]:
    """Of every removal, arrays `[prompt]`; `change` is the probability after minus before."""
    before = ablated.before
    return {
        "prompts": ablated.prompts,
        "answers": ablated.answers,
        "answer_ids": list(ablated.answer_ids),
        "component": options.component,
        "in_its_place": "mean" if options.mean else "zero",
        "probability": before.probability,
        "top_ids": before.top,
        "removals": [
            {
                "removed": [_told(one) for one in removal],
                "probability": after.probability,
                "change": after.probability - before.probability,
                "top_tokens": said,
                "top_ids": after.top,
                "top_probability": after.top_probability,
            }
            for removal, after, said in zip(
                ablated.removals, ablated.after, ablated.said, strict=True
            )
        ],
    }


def _told(removal: Removal) -> dict[str, Any]:
    if removal.head is not None:
        return {"layer": removal.layer, "head": removal.head}
    return {"layer": removal.layer, "part": removal.part}


def _shown(ablated: _Ablated, label: str, options: argparse.Namespace) -> str:
    room = terminal.width()
    blocks = [_block(ablated, at, room) for at in range(len(ablated.prompts))]
    overall = [_overall(ablated, room)] if len(blocks) > 1 else []
    return "\n\n".join([cut(label, room), *overall, *blocks, _said(options, room)])


def _names(ablated: _Ablated) -> list[str]:
    return [", ".join(map(str, removal)) for removal in ablated.removals]


def _overall(ablated: _Ablated, room: int) -> str:
    """Means over the prompts, and how many keep their answer as the most probable token."""
    answers, many = np.array(ablated.answer_ids), len(ablated.prompts)
    before = ablated.before
    rows = [
        _means("nothing", before.probability, 0.0, (before.top == answers).sum(), many),
        *(
            _means(
                name,
                after.probability,
                float((after.probability - before.probability).mean()),
                (after.top == answers).sum(),
                many,
            )
            for name, after in zip(_names(ablated), ablated.after, strict=True)
        ),
    ]
    header = ["without", "mean probability", "change", "answers kept"]
    return f"{many} prompts\n{terminal.table(header, rows, room)}"


def _means(name: str, probability: Any, change: float, kept: Any, many: int) -> list[str]:
    return [name, printed.number(float(probability.mean())), _signed(change), f"{kept}/{many}"]


def _signed(change: float) -> str:
    shown = printed.number(change)
    return f"+{shown}" if change > 0 else shown


def _block(ablated: _Ablated, at: int, room: int) -> str:
    before = ablated.before.probability[at]
    title = (
        f"{terminal.prompt_cell(ablated.prompts[at], 3 * room)} answer "
        f"{named(ablated.answers[at])}: {printed.number(before)}"
    )
    rows = [
        [
            name,
            printed.number(after.probability[at]),
            _signed(after.probability[at] - before),
            f"{named(said[at])} {printed.number(after.top_probability[at])}",
        ]
        for name, after, said in zip(_names(ablated), ablated.after, ablated.said, strict=True)
    ]
    header = ["without", "probability", "change", "says"]
    return f"{cut(title, room)}\n{terminal.table(header, rows, room)}"


def _said(options: argparse.Namespace, room: int) -> str:
    instead = (
        "the mean of what it writes stands in its place, over all positions but the first"
        if options.mean
        else "nothing stands in its place"
    )
    what = "All parts are taken out at once" if options.together else "One part at a time"
    return terminal.wrapped(
        f"{what}, at every position; {instead}. probability: of the answer's first token. A part "
        f"whose removal does no more than the others' is not special.",
        room,
    )


def _draw(ablated: _Ablated, label: str, depth: int, file: str) -> None:
    groups = tuple(_group(ablated, at, depth) for at in range(len(ablated.prompts)))
    layer = ablated.removals[0][0].layer
    title = "Probability of the answer without a part"
    item = HeatMap(title=title, subject=label, layer=layer, seeds=1, groups=groups)
    pictures.write(item, file, ())


def _group(ablated: _Ablated, at: int, depth: int) -> HeatGroup:
    """A row for the whole model, and one for each part or head, a column the layer it is of."""
    rows = {"the whole model": [float(ablated.before.probability[at])] * depth}
    for (removal,), after in zip(ablated.removals, ablated.after, strict=True):
        name = f"without {str(removal).partition(' ')[2] or 'the layer'}"
        rows.setdefault(name, [float("nan")] * depth)[removal.layer] = after.probability[at]
    prompt = terminal.prompt_cell(ablated.prompts[at], 3 * pictures.LONGEST)
    answer = ablated.answers[at]
    drawn = tuple(pictures.heat_row(name, answer, row) for name, row in rows.items())
    return HeatGroup(name=f"{prompt} answer {named(answer)}", rows=drawn)
