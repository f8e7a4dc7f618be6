"""Answers: what a model goes on with, its first integer, and how likely the right one is.

Greedy or sampled decoding, exact match, and the probability of a next token (methods, *Answers*).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazarus_bench.analysis.lens import lens_logits
from lazarus_bench.analysis.measured import Floats, Hits, Ints, Shares
from lazarus_bench.analysis.prompts import (
    batches_of_logits,
    first_answer_tokens,
    prompt_tokens,
    readable_prompts,
    symbol_tokens,
    text_after,
)
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.exp import log_sum_exp
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import answer_tokens
from lazarus_bench.models.texts import context_of
from lazarus_bench.tasks.arithmetic import Problem, first_integer
from lazarus_bench.tasks.words import word_prompts

ANSWER_TOKENS = 8
"""Tokens decoded for an answer: enough for a space, a sign and five digits one by one."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Decoded continuations and whether their first integer is right, one a problem."""

    problems: tuple[Problem, ...]
    texts: tuple[str, ...]

    @property
    def correct(self) -> Hits:
        """Exact match `[prompt]`."""
        pairs = zip(self.problems, self.texts, strict=True)
        return np.array([first_integer(text) == problem.answer for problem, text in pairs])


def greedy(loaded: LoadedModel, prompts: Sequence[Sequence[int]], tokens: int) -> list[list[int]]:
    """Continue each prompt by its most probable tokens, cut at the end-of-text token."""
    return _decode(loaded, prompts, tokens, lambda _, logits: mx.argmax(logits, axis=-1))


def _decode(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    tokens: int,
    choose: Callable[[list[int], mx.array], mx.array],
) -> list[list[int]]:
    """Continue by what `choose` takes of logits `[batch, token]` for some prompts' indices.

    Prompts of one length share a batch and a KV cache, so no padding enters the model.
    """
    from mlx_lm.models.cache import make_prompt_cache

    ends = list(getattr(loaded.tokenizer, "eos_token_ids", ()) or ())
    found: list[list[int]] = [[] for _ in prompts]
    for rows, fed in batches_of_logits(loaded, prompts):
        cache = make_prompt_cache(loaded.model)
        ended = np.zeros(len(rows), dtype=np.bool_)
        for _ in range(tokens):
            fed = choose(rows, loaded.model(fed, cache=cache)[:, -1, :])[:, None]
            chosen = np.array(fed[:, 0])
            ended |= np.isin(chosen, ends)
            for place in np.flatnonzero(~ended):
                found[rows[place]].append(int(chosen[place]))
            if ended.all():
                break
    return found


def answer(
    loaded: LoadedModel, problems: Sequence[Problem], asked: Sequence[str] | None = None
) -> Answers:
    """Let the model answer `problems`, `asked` in one text each, in symbols unless given."""
    asked = [problem.symbols for problem in problems] if asked is None else asked
    prompts = prompt_tokens(loaded, asked)
    decoded = greedy(loaded, prompts, ANSWER_TOKENS)
    texts = tuple(loaded.tokenizer.decode(ids) for ids in decoded)
    return Answers(problems=tuple(problems), texts=texts)


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """What the model expects to follow each prompt, one a problem.

    `probability` `[prompt]` of the right answer's first token; `rank` `[prompt]`, 1 plus how many
    tokens of the vocabulary are more probable, so that 1 is the greedy answer's.
    """

    problems: tuple[Problem, ...]
    probability: Shares
    rank: Ints


def read_likelihood(loaded: LoadedModel, problems: Sequence[Problem]) -> Likelihood:
    """Read the right answers off the prompts in symbols of `problems`, in float32."""
    prompts = symbol_tokens(loaded, problems)
    first = first_answer_tokens(loaded, problems)
    probability = np.zeros(len(problems))
    rank = np.zeros(len(problems), dtype=np.int64)
    for rows, tokens in batches_of_logits(loaded, prompts):
        logits = loaded.model(tokens)[:, -1].astype(mx.float32)
        asked = mx.array([first[row] for row in rows])[:, None]
        wanted = mx.take_along_axis(logits, asked, axis=-1)
        log_p = wanted - log_sum_exp(logits)
        probability[rows] = np.exp(np.array(log_p[:, 0], dtype=np.float64))
        rank[rows] = 1 + np.array((logits > wanted).sum(axis=-1))
    return Likelihood(problems=tuple(problems), probability=probability, rank=rank)


@dataclass(frozen=True, kw_only=True)
class NextToken:
    """What follows each prompt: `probability` of its answer, the most probable token and its own.

    All `[prompt]`.
    """

    probability: Floats
    top: Ints
    top_probability: Floats


def read_next(
    loaded: LoadedModel, prompts: Sequence[Sequence[int]], answers: Sequence[int]
) -> NextToken:
    """Read what the model, under whatever edits are in force, expects after each prompt.

    `prompts` are token ids of any lengths, `answers` one token each.

    Raises:
        UserError: a token of a prompt is not in the vocabulary.
    """
    chance, best_chance = np.zeros(len(prompts)), np.zeros(len(prompts))
    best = np.zeros(len(prompts), dtype=np.int64)
    for rows, layer, logits in lens_logits(loaded, prompts):
        if layer < loaded.depth - 1:
            continue  # Never computed: mlx is lazy.
        log_p = logits.astype(mx.float32)
        log_p = log_p - log_sum_exp(log_p)
        asked = mx.array([answers[row] for row in rows])[:, None]
        wanted = mx.take_along_axis(log_p, asked, axis=-1)[:, 0]
        best[rows] = np.array(mx.argmax(log_p, axis=-1))
        best_chance[rows] = np.exp(np.array(log_p.max(axis=-1), dtype=np.float64))
        chance[rows] = np.exp(np.array(wanted, dtype=np.float64))
    return NextToken(probability=chance, top=best, top_probability=best_chance)


def first_tokens(
    loaded: LoadedModel,
    prompts: Sequence[str],
    encoded: Sequence[Sequence[int]],
    answers: Sequence[str] | None,
) -> list[int]:
    """The first token of each answer as it follows its prompt, else the model's own next token.

    Raises:
        UserError: an answer has no token.
    """
    if answers is None:
        return [int(token) for token in read_next(loaded, encoded, [0] * len(encoded)).top]
    pairs = zip(prompts, answers, strict=True)
    found = [answer_tokens(loaded.tokenizer, prompt, answer) for prompt, answer in pairs]
    for answer, tokens in zip(answers, found, strict=True):
        if not tokens:
            raise UserError(f"{loaded.name}: the answer {answer!r} has no token: write another")
    return [tokens[0] for tokens in found]


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """The tokens that follow a prompt, without the end-of-text token, and whether one came."""

    tokens: tuple[int, ...]
    ended: bool


def continuations(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
) -> tuple[Continuation, ...]:
    """Continue each prompt by at most `tokens` tokens.

    Each next token is drawn from softmax(logits / temperature), at temperature 0 the most probable
    one is taken. A prompt's draws depend on `seed` and on its place among the prompts, not on what
    the others are.

    Raises:
        UserError: prompt and continuation do not fit the context, or the logits are not finite.
    """
    check_room(loaded, prompts, tokens)
    if temperature == 0:
        found = greedy(loaded, prompts, tokens)
    else:
        draws = [np.random.default_rng((seed, at)) for at in range(len(prompts))]

        def draw(row: int, logits: Floats) -> int:
            """A token by inversion of softmax(logits / temperature)."""
            if not np.isfinite(logits).all():
                raise UserError(f"{loaded.name}: its logits are not finite: copy its weights again")
            with np.errstate(over="ignore"):  # at a tiny temperature all but the largest is nothing
                heaps = np.cumsum(np.exp((logits - logits.max()) / temperature))
            at = np.searchsorted(heaps, draws[row].random() * heaps[-1], side="right")
            return min(int(at), len(heaps) - 1)

        def choose(rows: list[int], logits: mx.array) -> mx.array:
            lines = np.array(logits.astype(mx.float32)).astype(np.float64)
            return mx.array([draw(row, line) for row, line in zip(rows, lines, strict=True)])

        found = _decode(loaded, prompts, tokens, choose)
    return tuple(Continuation(tokens=tuple(ids), ended=len(ids) < tokens) for ids in found)


def check_room(loaded: LoadedModel, prompts: Sequence[Sequence[int]], tokens: int) -> None:
    """Make sure that the context has room for `tokens` more after each prompt.

    Raises:
        UserError: it has not.
    """
    room, longest = context_of(loaded), max(map(len, prompts))
    if room is not None and longest + tokens > room:
        raise UserError(
            f"{loaded.name} reads {room} tokens, and a prompt of {longest} leaves "
            f"{max(room - longest, 0)} for what follows: ask for fewer than {tokens}"
        )


@dataclass(frozen=True, kw_only=True)
class Generation:
    """Prompts with the texts that follow them."""

    prompts: Sequence[str]
    texts: Sequence[str]
    followed: Sequence[Continuation]

    def to_json(self) -> dict[str, Any]:
        """A list entry a prompt: `tokens` counts those kept, `ended` says which met their end."""
        return {
            "prompts": self.prompts,
            "texts": self.texts,
            "tokens": [len(each.tokens) for each in self.followed],
            "ended": [each.ended for each in self.followed],
        }

    def text(self, _: int) -> str:
        """Each prompt with what follows it; what would command a terminal shows as escapes."""
        return "\n".join(
            "".join(
                c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii")
                for c in prompt + text
            )
            for prompt, text in zip(self.prompts, self.texts, strict=True)
        )


def generate(
    loaded: LoadedModel,
    prompts: Sequence[str],
    tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
) -> Generation:
    """`continuations` of prompts that somebody wrote, as text.

    Raises:
        UserError: a prompt has no token, it and its continuation do not fit the context, or the
            logits are not finite.
    """
    encoded = readable_prompts(loaded, prompts)
    followed = continuations(loaded, encoded, tokens, temperature, seed)
    pairs = zip(encoded, followed, strict=True)
    texts = [text_after(loaded, before, each.tokens) for before, each in pairs]
    return Generation(prompts=prompts, texts=texts, followed=followed)


def answer_in_words(loaded: LoadedModel, problems: Sequence[Problem]) -> Answers:
    """Greedy answers to the same problems in words, the templates in turn."""
    return answer(loaded, problems, word_prompts(problems))
