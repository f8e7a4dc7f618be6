"""Prompts as an instrument reads them: as tokens, in batches of one length, as hidden states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from lazarus_bench.analysis.measured import Floats, Ints, States
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.figures.text import number, visible
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import answer_tokens
from lazarus_bench.models.texts import check_tokens, context_of
from lazarus_bench.tasks.text_rows import AnyProblem

Strings = npt.NDArray[np.object_]

MAX_LOGITS = 1 << 25
"""Most logits held at once (prompts × vocabulary of one layer): 128 MiB in float32."""

MAX_VALUES = 1 << 26
"""Most residual values of one forward (prompts × positions × layers × d): 256 MiB in float32."""

_PROMPTS: WeakKeyDictionary[Any, dict[str, tuple[int, ...]]] = WeakKeyDictionary()
_ANSWERS: WeakKeyDictionary[Any, dict[AnyProblem, int]] = WeakKeyDictionary()


def prompt_tokens(loaded: LoadedModel, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of prompts, with the tokenizer's own special tokens; each is encoded once."""
    known = _PROMPTS.setdefault(loaded.tokenizer, {})
    for text in texts:
        if text not in known:
            known[text] = tuple(loaded.encode(text))
    return [list(known[text]) for text in texts]


def symbol_tokens(loaded: LoadedModel, problems: Sequence[AnyProblem]) -> list[list[int]]:
    """Token ids of problems in symbols, ``7 * 8 = ``."""
    return prompt_tokens(loaded, [problem.symbols for problem in problems])


def readable_prompts(loaded: LoadedModel, prompts: Sequence[str], more: int = 0) -> list[list[int]]:
    """`prompt_tokens` of prompts from a user, each checked against the model's context.

    `more` is the number of tokens that are read after a prompt.

    Raises:
        UserError: a prompt has no token, or more than the model reads.
    """
    encoded, room = prompt_tokens(loaded, prompts), context_of(loaded)
    for prompt, tokens in zip(prompts, encoded, strict=True):
        if not tokens:
            raise UserError(f"{loaded.name}: the prompt {prompt!r} has no token: write another")
        if room is not None and len(tokens) + more > room:
            after = f" and {more} of a phrase" if more else ""
            raise UserError(
                f"{loaded.name} reads {room} tokens, and the prompt {prompt[:40]!r} has "
                f"{len(tokens)}{after}: shorten it"
            )
    return encoded


def first_answer_tokens(loaded: LoadedModel, problems: Sequence[AnyProblem]) -> list[int]:
    """The first token of the right answer to each problem in symbols."""
    known = _ANSWERS.setdefault(loaded.tokenizer, {})
    for problem in problems:
        if problem not in known:
            answer = str(problem.answer)
            known[problem] = answer_tokens(loaded.tokenizer, problem.symbols, answer)[0]
    return [known[problem] for problem in problems]


def batches_by_length(
    prompts: Sequence[Sequence[int]], limit: int
) -> Iterator[tuple[list[int], mx.array]]:
    """Indices and tokens `[batch, time]` of prompts of one length, at most `limit` at a time.

    So no padding enters the model.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    for index, prompt in enumerate(prompts):
        groups[len(prompt)].append(index)
    for _, indices in sorted(groups.items()):
        for start in range(0, len(indices), limit):
            chosen = indices[start : start + limit]
            yield chosen, mx.array([list(prompts[i]) for i in chosen])


def batches_of_logits(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]]
) -> Iterator[tuple[list[int], mx.array]]:
    """`batches_by_length` with at most `MAX_LOGITS` logits over all positions."""
    positions = max(map(len, prompts))
    return batches_by_length(prompts, max(1, MAX_LOGITS // (vocabulary_size(loaded) * positions)))


def vocabulary_size(loaded: LoadedModel) -> int:
    """Number of token ids, by the model's configuration."""
    return int(loaded.config.get("vocab_size", 1 << 17))


def last_states(loaded: LoadedModel, prompts: Sequence[Sequence[int]]) -> States:
    """Residual after every block at the last position `[prompt, layer, d]`, in float32.

    Raises:
        UserError: there is no prompt, one is empty or has an unknown token, or a state is not
            finite.
    """
    from lazarus_bench.models.taps import residual_stream  # Defines modules of mlx's.

    if not prompts or not all(prompts):
        raise UserError(f"{loaded.name}: hidden states need prompts of at least one token each")
    check_tokens(loaded, prompts)
    width = int(loaded.config.get("hidden_size", 1 << 12))
    limit = max(1, MAX_VALUES // (max(map(len, prompts)) * loaded.depth * width))
    found: list[tuple[list[int], States]] = []
    for rows, tokens in batches_by_length(prompts, limit):
        residuals = residual_stream(loaded.model, loaded.anatomy, tokens)
        last = mx.stack([h[:, -1, :].astype(mx.float32) for h in residuals], axis=1)
        found.append((rows, np.array(last)))
    states = np.empty((len(prompts), *found[0][1].shape[1:]), dtype=np.float32)
    for rows, batch in found:
        states[rows] = batch
    if not np.isfinite(states).all():
        raise UserError(f"{loaded.name}: its hidden states are not finite: copy its weights again")
    return states


def read_states(loaded: LoadedModel, texts: Sequence[str]) -> States:
    """`last_states` of prompts given as text, with the tokenizer's own special tokens."""
    return last_states(loaded, prompt_tokens(loaded, texts))


def wide(states: npt.ArrayLike) -> Floats:
    """States of any shape in float64.

    Raises:
        UserError: one is not finite.
    """
    given = np.asarray(states, dtype=np.float64)
    if not np.isfinite(given).all():
        raise UserError("hidden states are not finite: read them again, of weights that are")
    return given


def token_texts(loaded: LoadedModel, ids: npt.ArrayLike) -> Strings:
    """The text of every id, in an array of the same shape; each id is decoded once.

    A tokenizer such as SentencePiece's drops the blank that a text begins with, and with it the
    difference between two tokens: each is decoded behind another, whose text is taken off.
    """
    given: Ints = np.asarray(ids, dtype=np.int64)
    known, places = np.unique(given, return_inverse=True)
    before = list(loaded.tokenizer.encode("a", add_special_tokens=False))
    texts = np.array([text_after(loaded, before, [token]) for token in known], dtype=np.object_)
    return np.asarray(texts[places].reshape(given.shape))


def text_after(loaded: LoadedModel, before: Sequence[int], ids: Sequence[int]) -> str:
    """The text of `ids` as it follows that of `before`, with the blank between the two."""
    decode = loaded.tokenizer.decode
    after = [int(token) for token in ids]
    start, whole = decode(list(before)), decode([*before, *after])
    return whole.removeprefix(start) if whole.startswith(start) else decode(after)


def token_cells(tokens: Iterable[str], values: Iterable[float]) -> list[str]:
    """Tokens with a number each, as a table shows them: blanks as ␣, control characters escaped."""
    pairs = zip(tokens, values, strict=True)
    return [f"{visible(token)} {number(float(value))}" for token, value in pairs]


def top_header(tokens: Strings | Ints, first: int = 1) -> list[str]:
    """Names of the columns of the most probable `tokens` `[..., k]`, from number `first` on."""
    return [f"top {at}" for at in range(first, 1 + tokens.shape[-1])]
