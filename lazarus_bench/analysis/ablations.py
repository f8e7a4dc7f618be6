"""Ablations on any prompts: how likely an answer remains without a part of the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazarus_bench.analysis.answers import NextToken, first_tokens, read_next
from lazarus_bench.analysis.heat import Heat, heat, prompt_title
from lazarus_bench.analysis.interventions import mean_contributions_of
from lazarus_bench.analysis.lens import MAX_LOGITS, Floats, batches_by_length
from lazarus_bench.analysis.tokens import Strings, readable_prompts, token_texts
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.figures.tables import cut, prompt_cell, table, wrapped
from lazarus_bench.figures.text import number, visible
from lazarus_bench.models.edits import Ablate, Part
from lazarus_bench.models.heads import head_values, without_heads, written_by
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import edited


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


def read_without(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[int],
    removals: Sequence[Removal],
    means: Mapping[Removal, Floats] | None = None,
) -> NextToken:
    """The same with everything in `removals` taken out at once.

    With `means`, as of `means_of`, each one's mean stands in its place; else nothing does.

    Raises:
        UserError: a removal is not in the model.
    """
    with ExitStack() as stack:
        for removal in removals:
            stack.enter_context(removed(loaded, removal, None if means is None else means[removal]))
        return read_next(loaded, prompts, answers)


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
    """What each of `removals` writes on average `[d]`: to stand in its place.

    Over prompts and all positions but the first (*mean ablation*, Wang et al. 2022).

    Raises:
        UserError: no prompt has a second token, or a block lacks a part.
    """
    whole = {r.part: r for r in removals if r.head is None}
    parts = {part: mean_contributions_of(loaded, prompts, part) for part in whole}
    values = _mean_values(loaded, prompts) if any(r.head is not None for r in removals) else []

    def written(removal: Removal) -> Floats:
        if removal.head is None:
            return np.asarray(parts[removal.part][removal.layer])
        own = written_by(loaded, removal.layer, removal.head, values[removal.layer])
        return np.array(own.astype(mx.float32), dtype=np.float64)

    return {removal: written(removal) for removal in removals}


def _mean_values(loaded: LoadedModel, prompts: Sequence[Sequence[int]]) -> list[mx.array]:
    """Mean of what the heads of each layer hand on `[heads · width]`; a projection is linear."""
    if max(map(len, prompts), default=0) < 2:
        raise UserError("a mean contribution needs prompts of two tokens or more to be taken over")
    totals, count = [np.zeros(())] * loaded.depth, 0
    for _, tokens in batches_by_length(prompts, max(1, MAX_LOGITS >> 12)):
        sums = [v[:, 1:].astype(mx.float32).sum(axis=(0, 1)) for v in head_values(loaded, tokens)]
        pairs = zip(totals, sums, strict=True)
        totals = [total + np.array(own, dtype=np.float64) for total, own in pairs]
        count += tokens.shape[0] * (tokens.shape[1] - 1)
    return [mx.array((total / count).astype(np.float32)) for total in totals]


@dataclass(frozen=True, kw_only=True)
class Ablations:
    """What follows each prompt with the whole model, and without each of some sets of removals.

    `mean` says that the mean of what a part writes stands in its place; `tokens` `[set, prompt]`
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
        blocks = [self._block(at, room) for at in range(len(self.prompts))]
        if len(blocks) > 1:
            blocks.insert(0, self._means(room))
        instead = (
            "the mean of what it writes stands in its place, over all positions but the first"
            if self.mean
            else "nothing stands in its place"
        )
        together = len(self.removals[0]) > 1
        what = "All parts are taken out at once" if together else "One part at a time"
        note = (
            f"{what}, at every position; {instead}. probability: of the answer's first token. A "
            f"part whose removal does no more than the others' is not special."
        )
        return "\n\n".join([*blocks, wrapped(note, room)])

    @property
    def _names(self) -> list[str]:
        return [", ".join(map(str, removal)) for removal in self.removals]

    def _means(self, room: int) -> str:
        """Means over the prompts, and how many keep their answer as the most probable token."""
        answers, many = np.array(self.answer_ids), len(self.prompts)
        read = zip(["nothing", *self._names], [self.before, *self.after], strict=True)
        rows = [
            [
                name,
                number(float(each.probability.mean())),
                _change(float((each.probability - self.before.probability).mean())),
                f"{(each.top == answers).sum()}/{many}",
            ]
            for name, each in read
        ]
        header = ["without", "mean probability", "change", "answers kept"]
        return f"{many} prompts\n{table(header, rows, room)}"

    def _block(self, at: int, room: int) -> str:
        before = self.before.probability[at]
        title = (
            f"{prompt_cell(self.prompts[at], 3 * room)} answer {visible(self.answers[at])}: "
            f"{number(before)}"
        )
        rows = [
            [
                name,
                number(after.probability[at]),
                _change(after.probability[at] - before),
                f"{visible(tokens[at])} {number(after.top_probability[at])}",
            ]
            for name, after, tokens in zip(self._names, self.after, self.tokens, strict=True)
        ]
        header = ["without", "probability", "change", "says"]
        return f"{cut(title, room)}\n{table(header, rows, room)}"

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


def _change(value: float) -> str:
    shown = number(value)
    return f"+{shown}" if value > 0 else shown


def ablations(
    loaded: LoadedModel,
    prompts: Sequence[str],
    removals: Sequence[Sequence[Removal]],
    answers: Sequence[str] | None = None,
    reference: Sequence[str] | None = None,
) -> Ablations:
    """Read what follows `prompts` without each set of `removals`.

    Args:
        loaded: the model.
        prompts: as somebody wrote them.
        removals: what is taken out at once, set by set.
        answers: one a prompt, whose first token counts; the model's own next token unless given.
        reference: prompts over which the mean of what a part writes is taken, to stand in its
            place; nothing does unless they are given.

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
