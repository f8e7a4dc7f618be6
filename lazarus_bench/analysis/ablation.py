"""Ablation: what is left of an answer without a layer, an attention, an MLP or a head.

A layer that is taken out hands its input on; a part adds nothing to the residual, or its mean
(*mean ablation*, Wang et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from lazarus_bench.analysis.answers import NextToken, first_tokens, read_next
from lazarus_bench.analysis.behaviour import Behaviour, behaviour, finite
from lazarus_bench.analysis.measured import Axes, Bools, Floats, Measured
from lazarus_bench.analysis.prompts import (
    MAX_LOGITS,
    Strings,
    batches_by_length,
    readable_prompts,
    symbol_tokens,
    token_texts,
)
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.figures.heatmap import Heat, heat, prompt_title
from lazarus_bench.figures.tables import cut, prompt_cell, table, wrapped
from lazarus_bench.figures.text import number, visible
from lazarus_bench.models.edits import Ablate, Part
from lazarus_bench.models.heads import head_values, without_heads, written_by
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import contributions, edited
from lazarus_bench.tasks.arithmetic import Problem


def ablate(
    loaded: LoadedModel,
    problems: Sequence[Problem],
    layer: int,
    part: Part = "layer",
    contribution: Floats | None = None,
) -> Behaviour:
    """The behaviour without a part of `layer`.

    In place of the `part` comes its `contribution` `[d]`, as of `mean_contributions`, or nothing.

    Raises:
        UserError: there are no problems, the model has no such layer or part, or the contribution
            has another width or is not finite.
        NotApplicable: an operation's name is not a single token.
    """
    instead = None if contribution is None else finite("contribution", contribution)
    edit = Ablate(layer=layer, part=part, contribution=instead)
    with edited(loaded.model, loaded.anatomy, (edit,)):
        return behaviour(loaded, problems)


def mean_contributions(loaded: LoadedModel, problems: Sequence[Problem], part: Part) -> Floats:
    """Mean of what each layer's `part` adds to the residual `[layer, d]`.

    Over prompts and positions: the last tokens weigh as much as any other, since the mean takes the
    place of all of them. The first position, on which attention rests in many models, is left out.

    Raises:
        UserError: no prompt has a second token, or a block lacks the part.
    """
    return np.stack(_part_means(loaded, symbol_tokens(loaded, problems), part))


def _part_means(loaded: LoadedModel, prompts: Sequence[Sequence[int]], part: Part) -> list[Floats]:
    return _means(prompts, lambda ids: contributions(loaded.model, loaded.anatomy, ids, part))


def _means(
    prompts: Sequence[Sequence[int]], read: Callable[[mx.array], Sequence[mx.array]]
) -> list[Floats]:
    """Means by layer over all positions but the first of what `read` gives `[batch, time, n]`."""
    if max(map(len, prompts), default=0) < 2:
        raise UserError("a mean contribution needs prompts of two tokens or more to be taken over")
    totals: dict[int, Floats] = {}
    count = 0
    for _, tokens in batches_by_length(prompts, max(1, MAX_LOGITS >> 12)):
        sums = [each[:, 1:].astype(mx.float32).sum(axis=(0, 1)) for each in read(tokens)]
        mx.eval(sums)
        for layer, own in enumerate(sums):
            totals[layer] = totals.get(layer, np.zeros(())) + np.array(own, dtype=np.float64)
        count += tokens.shape[0] * (tokens.shape[1] - 1)
    return [total / count for total in totals.values()]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A part ablated in every layer in turn: `before` all of them, and `after` each, by layer.

    The arrays are `[layer, prompt]`, the layer being the ablated one.
    """

    before: Behaviour
    after: tuple[Behaviour, ...]

    @property
    def correct(self) -> Bools:
        """Exact match without each layer."""
        return np.stack([each.correct for each in self.after])

    @property
    def lost(self) -> Floats:
        """Exact match before minus after: 1 where an answer is lost, −1 where one is gained."""
        return self.before.correct.astype(np.float64) - self.correct

    def excess(self, layer: int) -> Annotated[Floats, Axes(("prompts",), (-1.0, 1.0))]:
        """What is lost without `layer` minus the mean over the other middle layers `[prompt]`.

        Middle layers are all but the first and the last, which read the prompt's tokens and write
        the answer's in any model: against them every layer would look dispensable.

        Raises:
            UserError: there is no such layer, or no other middle layer.
        """
        if not 0 <= layer < len(self.after):
            raise UserError(f"layer {layer} was not ablated: choose 0 to {len(self.after) - 1}")
        others = [at for at in range(1, len(self.after) - 1) if at != layer]
        if not others:
            raise UserError(
                f"a model of {len(self.after)} layers has no other middle layer to compare layer "
                f"{layer} with: take one of 4 or more"
            )
        return np.asarray(self.lost[layer] - self.lost[others].mean(axis=0))


def ablated(
    run: Measured,
    problems: Sequence[Problem],
    layer: int,
    part: Part = "layer",
    reference: Sequence[Problem] | None = None,
) -> Behaviour:
    """A run's behaviour without a part of `layer`.

    With `reference`, its mean contribution over those prompts takes its place.
    """
    means = None if reference is None else run.read(mean_contributions, reference, part)[layer]
    return ablate(run.loaded, problems, layer, part, means)


def ablation(
    run: Measured,
    problems: Sequence[Problem],
    part: Part = "layer",
    reference: Sequence[Problem] | None = None,
) -> Sweep:
    """Every layer's part removed in turn."""
    layers = range(run.loaded.depth)
    after = tuple(run.read(ablated, problems, layer, part, reference) for layer in layers)
    return Sweep(before=run.read(behaviour, problems), after=after)


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What is taken out of a layer: one of its parts or, where given, a head of its attention."""

    layer: int
    part: Part = "layer"
    head: int | None = None

    def __str__(self) -> str:
        if self.head is not None:
            return f"L{self.layer} head {self.head}"
        return f"L{self.layer}" if self.part == "layer" else f"L{self.layer} {self.part}"

    def to_json(self) -> dict[str, Any]:
        """The layer, and its part or its head."""
        what = {"part": self.part} if self.head is None else {"head": self.head}
        return {"layer": self.layer, **what}


@contextmanager
def removed(loaded: LoadedModel, removal: Removal, instead: Floats | None = None) -> Iterator[None]:
    """Within the block, the model runs without `removal`, or with `instead` `[d]` in its place.

    Raises:
        UserError: it is not in the model.
    """
    mean = None if instead is None else mx.array(instead.astype(np.float32))
    if removal.head is not None:
        with without_heads(loaded, removal.layer, (removal.head,), mean):
            yield
        return
    edit = Ablate(layer=removal.layer, part=removal.part, contribution=mean)
    with edited(loaded.model, loaded.anatomy, (edit,)):
        yield


def means_of(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], removals: Sequence[Removal]
) -> dict[Removal, Floats]:
    """What each of `removals` writes on average `[d]`, over all positions but the first.

    Raises:
        UserError: no prompt has a second token, or a block lacks a part.
    """
    whole = dict.fromkeys(removal.part for removal in removals if removal.head is None)
    parts = {part: _part_means(loaded, prompts, part) for part in whole}
    values: list[mx.array] = []
    if any(removal.head is not None for removal in removals):
        # The mean of what the heads hand on suffices: the projection behind them is linear.
        handed = _means(prompts, lambda tokens: head_values(loaded, tokens))
        values = [mx.array(mean.astype(np.float32)) for mean in handed]
    means = {}
    for removal in removals:
        if removal.head is None:
            means[removal] = parts[removal.part][removal.layer]
        else:
            own = written_by(loaded, removal.layer, removal.head, values[removal.layer])
            means[removal] = np.array(own.astype(mx.float32), dtype=np.float64)
    return means


def read_without(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[int],
    removals: Sequence[Removal],
    means: Mapping[Removal, Floats] | None = None,
) -> NextToken:
    """`read_next` with everything in `removals` taken out at once.

    With `means`, as of `means_of`, each one's mean takes its place.

    Raises:
        UserError: a removal is not in the model.
    """
    with ExitStack() as stack:
        for removal in removals:
            stack.enter_context(removed(loaded, removal, None if means is None else means[removal]))
        return read_next(loaded, prompts, answers)


@dataclass(frozen=True, kw_only=True)
class Ablations:
    """What follows each prompt with the whole model, and without each of some sets of removals.

    `mean` says whether the mean of what a part writes takes its place; `tokens` `[set, prompt]`
    spell the most probable tokens without it.
    """

    prompts: Sequence[str]
    answers: Sequence[str]
    answer_ids: Sequence[int]
    removals: Sequence[Sequence[Removal]]
    mean: bool
    depth: int
    before: NextToken
    after: Sequence[NextToken]
    tokens: Strings

    def to_json(self) -> dict[str, Any]:
        """Arrays `[prompt]` for every set of removals; `change` is after minus before."""
        before, first = self.before, self.removals[0][0]
        return {
            "prompts": self.prompts,
            "answers": self.answers,
            "answer_ids": list(self.answer_ids),
            "component": first.part if first.head is None else "heads",
            "in_its_place": "mean" if self.mean else "zero",
            "probability": before.probability,
            "top_ids": before.top,
            "removals": [
                {
                    "removed": [one.to_json() for one in removal],
                    "probability": after.probability,
                    "change": after.probability - before.probability,
                    "top_tokens": tokens.tolist(),
                    "top_ids": after.top,
                    "top_probability": after.top_probability,
                }
                for removal, after, tokens in zip(
                    self.removals, self.after, self.tokens, strict=True
                )
            ],
        }

    def text(self, room: int) -> str:
        """Means over the prompts where there are several, and a table for each prompt."""
        names = [", ".join(map(str, removal)) for removal in self.removals]
        count, blocks = len(self.prompts), []

        def signed(value: float) -> str:
            return f"+{number(value)}" if value > 0 else number(value)

        if count > 1:
            ids, rows = np.array(self.answer_ids), []
            for name, each in zip(["nothing", *names], [self.before, *self.after], strict=True):
                mean = number(float(each.probability.mean()))
                change = signed(float((each.probability - self.before.probability).mean()))
                rows.append([name, mean, change, f"{(each.top == ids).sum()}/{count}"])
            header = ["without", "mean probability", "change", "answers kept"]
            blocks.append(f"{count} prompts\n{table(header, rows, room)}")
        for at, prompt in enumerate(self.prompts):
            before, rows = self.before.probability[at], []
            for name, after, tokens in zip(names, self.after, self.tokens, strict=True):
                chance, top = after.probability[at], number(after.top_probability[at])
                says = f"{visible(tokens[at])} {top}"
                rows.append([name, number(chance), signed(chance - before), says])
            shown, answer = prompt_cell(prompt, 3 * room), visible(self.answers[at])
            header = ["without", "probability", "change", "says"]
            title = cut(f"{shown} answer {answer}: {number(before)}", room)
            blocks.append(f"{title}\n{table(header, rows, room)}")
        together = len(self.removals[0]) > 1
        what = "All parts are taken out at once" if together else "One part at a time"
        instead = "nothing stands in its place"
        if self.mean:
            instead = (
                "the mean of what it writes stands in its place, over all positions but the first"
            )
        note = (
            f"{what}, at every position; {instead}. probability: of the answer's first token. A "
            f"part whose removal does no more than the others' is not special."
        )
        return "\n\n".join([*blocks, wrapped(note, room)])

    def figure(self, subject: str) -> Heat:
        """For each prompt a row for the whole model and for each part, by the layer it is in."""
        groups = []
        for at, (prompt, answer) in enumerate(zip(self.prompts, self.answers, strict=True)):
            rows = {"the whole model": [float(self.before.probability[at])] * self.depth}
            for (removal,), after in zip(self.removals, self.after, strict=True):
                name = f"without {str(removal).partition(' ')[2] or 'the layer'}"
                row = rows.setdefault(name, [float("nan")] * self.depth)
                row[removal.layer] = after.probability[at]
            drawn = [(name, answer, row) for name, row in rows.items()]
            groups.append((f"{prompt_title(prompt)} answer {visible(answer)}", drawn))
        title = "Probability of the answer without a part"
        return heat(title, subject, groups, self.removals[0][0].layer)


def ablations(
    loaded: LoadedModel,
    prompts: Sequence[str],
    removals: Sequence[Sequence[Removal]],
    answers: Sequence[str] | None = None,
    reference: Sequence[str] | None = None,
) -> Ablations:
    """Read what follows `prompts` without each set of `removals`.

    What is in one set is taken out at once. `answers` are one a prompt, whose first token counts;
    they are the model's own next tokens unless given. With `reference` prompts, the mean over them
    of what a part writes takes its place.

    Raises:
        UserError: a prompt or an answer has no token, a prompt is longer than the model reads, or a
            removal is not in the model.
    """
    encoded = readable_prompts(loaded, prompts)
    wanted = first_tokens(loaded, prompts, encoded, answers)
    before, means = read_next(loaded, encoded, wanted), None
    if reference is not None:
        every = [removal for one in removals for removal in one]
        means = means_of(loaded, readable_prompts(loaded, reference), every)
    after = [read_without(loaded, encoded, wanted, one, means) for one in removals]
    return Ablations(
        prompts=prompts,
        answers=token_texts(loaded, wanted).tolist(),
        answer_ids=wanted,
        removals=removals,
        mean=means is not None,
        depth=loaded.depth,
        before=before,
        after=after,
        tokens=token_texts(loaded, np.stack([each.top for each in after])),
    )
