"""The lens: what each layer would say if it were the last.

p = softmax(scale · unembed(final_norm(h))) in float32 over the whole vocabulary, h the residual
stream after block l at the last prompt position (methods, *Lens*). Layer l is 0-based, "after block
l"; the last layer's lens equals the model's logits. That is the logit lens (nostalgebraist 2020); a
model with a fitted lens (`models.lenses`) has h moved by it first.

Two quirks are the lens's own: under "non-causal-lens" the layers are called without a mask, under
"bf16-lens" probabilities are rounded to bfloat16.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazarus_bench.analysis.measured import Floats, Ints, Singles
from lazarus_bench.analysis.prompts import (
    MAX_LOGITS,
    Strings,
    batches_by_length,
    readable_prompts,
    token_cells,
    token_texts,
    top_header,
    vocabulary_size,
)
from lazarus_bench.backend import EXP, mx, on_accelerator
from lazarus_bench.exponentials import log_sum_exp, log_sum_exp_of, row_blocks
from lazarus_bench.figures.heatmap import Heat, heat
from lazarus_bench.figures.tables import prompt_cell, table, wrapped
from lazarus_bench.figures.text import number, visible
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.taps import residual_stream
from lazarus_bench.models.texts import check_tokens

GROUPS = 1024
"""Groups that a row falls into: few to sort, yet long enough for vector instructions."""


@dataclass(frozen=True, kw_only=True)
class LensReading:
    """Lens probabilities at the last prompt position.

    `probability` `[prompt, layer, target]` of the asked tokens; `top_ids` and `top_probability`
    `[prompt, layer, k]`, most probable first.
    """

    probability: Floats
    top_ids: Ints
    top_probability: Floats


def _read_layer(logits: mx.array, targets: Ints, top: int) -> tuple[Floats, Ints, Floats]:
    """One layer: probabilities of `targets` `[batch, target]` and the `top` most probable."""
    logits = logits.astype(mx.float32)
    if EXP != "numpy" or on_accelerator():
        log_z = log_sum_exp(logits)
        wanted = mx.take_along_axis(logits, mx.array(targets), axis=-1) - log_z
        best = mx.argpartition(-logits, top - 1, axis=-1)[:, :top]
        best_logits = mx.take_along_axis(logits, best, axis=-1)
        order = mx.argsort(-best_logits, axis=-1)
        ids = mx.take_along_axis(best, order, axis=-1)
        values = mx.take_along_axis(best_logits, order, axis=-1) - log_z
        mx.eval(wanted, ids, values)
        log_p, chances = (np.array(each, dtype=np.float64) for each in (wanted, values))
        return np.exp(log_p), np.array(ids, dtype=np.int64), np.exp(chances)
    found = []
    every = np.asarray(logits)
    for rows in row_blocks(*every.shape):  # so few that what is made of them stays in the cache
        own = every[rows]
        most = largest(own, top)
        highest = np.take_along_axis(own, most, axis=1)
        own_z = log_sum_exp_of(own, highest[:, :1])
        asked = np.take_along_axis(own, targets[rows], axis=1) - own_z
        found.append((asked.astype(np.float64), most, (highest - own_z).astype(np.float64)))
    all_asked, all_ids, all_best = (np.concatenate(part) for part in zip(*found, strict=True))
    return np.exp(all_asked), all_ids, np.exp(all_best)


def read_lens(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], targets: Ints, top: int = 20
) -> LensReading:
    """Read every layer in one forward a batch, one layer's logits at a time.

    Kept are the probabilities of `targets` `[prompt, target]` and the `top` most probable tokens;
    NaN at layers that the model's lens was not fitted for.

    Raises:
        UserError: a token of a prompt is not in the vocabulary.
    """
    shape = (len(prompts), loaded.depth)
    probability = np.full((*shape, targets.shape[1]), np.nan)
    top_ids = np.zeros((*shape, top), dtype=np.int64)
    top_probability = np.full((*shape, top), np.nan)
    for rows, layer, logits in lens_logits(loaded, prompts):
        reading = _read_layer(logits, targets[rows], top)
        probability[rows, layer], top_ids[rows, layer], top_probability[rows, layer] = reading
        del logits  # so that the next layer's take its place
    if loaded.quirk == "bf16-lens":
        probability, top_probability = in_bfloat16(probability), in_bfloat16(top_probability)
    return LensReading(probability=probability, top_ids=top_ids, top_probability=top_probability)


def lens_logits(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]]
) -> Iterator[tuple[list[int], int, mx.array]]:
    """Some prompts' indices, a layer, and the logits `[prompt, token]` there, until all are read.

    One forward a batch, one layer's logits at a time; the order depends on the prompts alone.

    Raises:
        UserError: a token of a prompt is not in the vocabulary.
    """
    check_tokens(loaded, prompts)
    causal = loaded.quirk != "non-causal-lens"
    for rows, tokens in batches_by_length(prompts, max(1, MAX_LOGITS // vocabulary_size(loaded))):
        residuals = residual_stream(loaded.model, loaded.anatomy, tokens, causal=causal)
        states = [h[:, -1, :] for h in residuals]
        mx.eval(states)
        for layer in loaded.lens_layers:
            yield rows, layer, loaded.lens_logits(layer, states[layer])


def in_bfloat16(values: Floats) -> Floats:
    """The nearest bfloat16 numbers: eight significant bits, so two decimal digits."""
    rounded = mx.array(values.astype(np.float32)).astype(mx.bfloat16).astype(mx.float32)
    return np.array(rounded, dtype=np.float64)


def total_variation(
    one: LoadedModel, other: LoadedModel, prompts: Sequence[Sequence[int]]
) -> Floats:
    """½ Σ |p − q| over the vocabulary, p and q the lenses of two models, `[prompt, layer]`.

    0 where they agree, 1 where no token has probability in both. The models have the same
    vocabulary and as many layers.

    Raises:
        UserError: a token of a prompt is not in the vocabulary.
    """
    distance = np.zeros((len(prompts), one.depth))
    pairs = zip(lens_logits(one, prompts), lens_logits(other, prompts), strict=True)
    for (rows, layer, first), (_, _, second) in pairs:
        p, q = (mx.softmax(logits.astype(mx.float32), axis=-1) for logits in (first, second))
        distance[rows, layer] = np.array(mx.abs(p - q).sum(axis=-1) / 2)
    return distance


def largest(values: Singles, k: int) -> Ints:
    """Indices of the `k` largest numbers of each row of `values` `[row, number]`, `[row, k]`.

    Largest first, of equal ones the lower index; NaN counts as −∞. The k-th largest of the maxima
    of groups is a bound that at least k numbers reach and few more, so one pass for the maxima and
    one to compare leave little to sort: on a CPU mlx's partition takes some ten times as long.

    Raises:
        ValueError: a row has no `k` numbers.
    """
    rows, width = values.shape
    if not 1 <= k <= width:
        raise ValueError(f"there are no {k} largest of {width} numbers")
    groups, maxima = max(GROUPS, k), values
    if width >= 2 * groups:
        # Every so many-th number is a group's, so that maxima are taken of whole vectors at once.
        whole = width - width % groups
        maxima = np.asarray(values[:, :whole].reshape(rows, -1, groups).max(axis=1))
        rest = maxima[:, : width - whole]
        np.maximum(rest, values[:, whole:], out=rest)
    if np.isnan(maxima).any():
        return largest(np.where(np.isnan(values), -np.inf, values), k)
    at = maxima.shape[1] - k
    bound = np.partition(maxima, at, axis=1)[:, at]
    row, column = np.divmod(np.flatnonzero(values >= bound[:, None]), width)
    order = np.lexsort((-values[row, column], row))
    first = np.searchsorted(row, np.arange(rows))
    return np.asarray(column[order[first[:, None] + np.arange(k)]])


def read_phrases(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    phrases: Sequence[Sequence[int]],
    top: int = 20,
) -> LensReading:
    """`read_lens` of phrases of one or more tokens, the same ones for every prompt.

    A phrase's probability at a layer is the product of the lens's for each of its tokens, read
    where the prompt and the tokens before it end; at the last layer it is the model's own.

    Raises:
        UserError: a token is not in the vocabulary.
    """
    check_tokens(loaded, phrases)
    first = np.array([phrase[0] for phrase in phrases], dtype=np.int64)
    reading = read_lens(loaded, prompts, np.tile(first, (len(prompts), 1)), top)
    for column, phrase in enumerate(phrases):
        reading.probability[:, :, column] *= continued(loaded, prompts, phrase)
    return reading


def continued(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], phrase: Sequence[int]
) -> Floats:
    """Lens probability of the tokens of `phrase` after its first, given it, `[prompt, layer]`.

    1 of a phrase of one token.

    Raises:
        UserError: a token is not in the vocabulary.
    """
    found = np.ones((len(prompts), loaded.depth))
    for at in range(1, len(phrase)):
        longer = [[*prompt, *phrase[:at]] for prompt in prompts]
        target = np.full((len(prompts), 1), phrase[at])
        found *= read_lens(loaded, longer, target, 1).probability[:, :, 0]
    return found


@dataclass(frozen=True, kw_only=True)
class Lens:
    """Every layer's lens of some prompts, of which `layers` are shown.

    `tokens` and `earlier` `[prompt, layer, k]` spell the most probable tokens; `before`, `earlier`
    and `moved`, the total variation `[prompt, layer]`, compare with the model without its adapter.
    `through` says which fitted lens was read through and what it was fitted on; None is the logit
    lens.
    """

    prompts: Sequence[str]
    targets: Sequence[str]
    layers: Sequence[int]
    after: LensReading
    tokens: Strings
    before: LensReading | None = None
    earlier: Strings | None = None
    moved: Floats | None = None
    through: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """Numbers of the chosen layers: `[prompt, layer, ...]`, layers in the order of `layers`."""
        chosen = list(self.layers)

        def of(reading: LensReading, tokens: Strings) -> dict[str, Any]:
            return {
                "target_probability": reading.probability[:, chosen],
                "top_tokens": tokens[:, chosen],
                "top_ids": reading.top_ids[:, chosen],
                "top_probability": reading.top_probability[:, chosen],
            }

        result: dict[str, Any] = {
            "prompts": self.prompts,
            "targets": self.targets,
            "layers": chosen,
            "lens": of(self.after, self.tokens),
        }
        if self.before is not None and self.earlier is not None and self.moved is not None:
            result["before"] = of(self.before, self.earlier)
            result["total_variation"] = self.moved[:, chosen]
        return result if self.through is None else {**result, "through": self.through}

    def text(self, room: int) -> str:
        """A table with a row for each prompt and layer."""
        targets = [visible(target) for target in self.targets]
        header = ["prompt", "layer", *targets, *top_header(self.tokens)]
        if self.before is not None:
            header = ["prompt", "layer", "moved", *targets, "before", "after"]

        def cells(at: int, layer: int) -> list[str]:
            chances = [number(p) for p in self.after.probability[at, layer]]
            tops = token_cells(self.tokens[at, layer], self.after.top_probability[at, layer])
            if self.before is None or self.earlier is None or self.moved is None:
                return [*chances, *tops]
            earlier = [number(p) for p in self.before.probability[at, layer]]
            both = [f"{old} → {new}" for old, new in zip(earlier, chances, strict=True)]
            old = token_cells(self.earlier[at, layer], self.before.top_probability[at, layer])
            return [number(self.moved[at, layer]), *both, old[0], tops[0]]

        rows = []
        for at, prompt in enumerate(self.prompts):
            for layer in self.layers:
                name = prompt_cell(prompt, room) if layer == self.layers[0] else ""
                rows.append([name, f"L{layer}", *cells(at, layer)])
        below = "" if self.through is None else f"\n\n{wrapped(fitted_on(self.through), room)}"
        return table(header, rows, room) + below

    def figure(self, subject: str) -> Heat:
        """Prompt by layer: what the adapter moves, else the targets, else the top token."""
        groups: dict[str, Floats] = {
            visible(target): self.after.probability[:, :, at]
            for at, target in enumerate(self.targets)
        } or {"the most probable token": self.after.top_probability[:, :, 0]}
        if self.moved is not None:
            groups = {"total variation, before against after": self.moved}
        kind = f"{self.through['kind'].capitalize()} lens" if self.through else "Lens"
        title = f"{kind} probability" if self.moved is None else "What the adapter moves"
        rows = [
            (name, [(p, name, v) for p, v in zip(self.prompts, values, strict=True)])
            for name, values in groups.items()
        ]
        return heat(title, subject, rows, self.layers[0], self.layers)


def through(loaded: LoadedModel) -> dict[str, Any] | None:
    """What a result says of the fitted lens that `loaded` is read through; None without one."""
    return None if loaded.lens is None else {"kind": loaded.lens.kind, **loaded.lens.about}


def fitted_on(through: Mapping[str, Any]) -> str:
    """A sentence on a fitted lens: its text, and how far the fit has come at its worst layer."""
    text = through.get("text", {})
    said = f"{through['kind'].capitalize()} lens"
    if "texts" in text:
        said += f" fitted on {text['texts']} texts ({text['positions']} positions)"
    if halves := through.get("halves"):
        layer = max(halves, key=lambda name: halves[name])
        said += f"; fitted on either half, it differs by {number(halves[layer])} at L{layer}"
    if kl := through.get("kl"):
        layer = max(kl, key=lambda name: kl[name])
        before = number(through["kl_untuned"][layer])
        said += f"; on held-out text, KL {before} → {number(kl[layer])} nats at L{layer}"
    return said


def lens(
    loaded: LoadedModel,
    prompts: Sequence[str],
    targets: Mapping[str, Sequence[int]],
    layers: Sequence[int],
    top: int,
    base: LoadedModel | None = None,
) -> Lens:
    """Read the lens of `prompts`, beside that of `base` where it is given.

    `base` is the model without its adapter, `targets` are words with the tokens that stand for
    them (`models.prompts.word_ids`), `layers` those to show, 0-based.

    Raises:
        UserError: a prompt has no token, or more than the model reads.
    """
    phrases = list(targets.values())
    more = max((len(phrase) - 1 for phrase in phrases), default=0)
    encoded = readable_prompts(loaded, prompts, more)
    after = read_phrases(loaded, encoded, phrases, top)
    before = None if base is None else read_phrases(base, encoded, phrases, top)
    return Lens(
        prompts=prompts,
        targets=list(targets),
        layers=layers,
        after=after,
        tokens=token_texts(loaded, after.top_ids),
        before=before,
        earlier=None if before is None else token_texts(loaded, before.top_ids),
        moved=None if base is None else total_variation(base, loaded, encoded),
        through=through(loaded),
    )
