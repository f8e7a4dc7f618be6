"""Rollouts: batches of prompts, the answers a policy gave, and the answers' rewards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lazarus_bench.backend import mx
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import Batch, Example, check_shares, collate
from lazarus_bench.tasks.text_rows import AnyProblem
from lazarus_bench.training.arithmetic_data import end_tokens
from lazarus_bench.training.policy_loss import advantages
from lazarus_bench.training.rewards import Reward, rewarded
from lazarus_bench.training.sampling import Floats, Rows, Samples, Scoring, sample, scorings

if TYPE_CHECKING:
    from lazarus_bench.training.grpo import Grpo

LogProbs: TypeAlias = "Callable[[Scoring], mx.array]"
"""A policy's log-probabilities in nats of the labels of a scoring `[label]`, without a gradient."""

Gold = Callable[[Sequence[AnyProblem]], Sequence[tuple[int, ...]]]
"""The tokens that stand for the class of each problem of a batch; none where it is not asked."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The problems of one iteration, and its number, from which its draws are seeded."""

    iteration: int
    problems: tuple[AnyProblem, ...]


def _in_turn(order: Iterable[int], problems: Sequence[AnyProblem]) -> list[int]:
    """`order` with the operations taking turns, each keeping its own order."""
    queues: dict[str, list[int]] = {}
    for index in order:
        queues.setdefault(problems[index].operation, []).append(index)
    rounds = zip_longest(*queues.values())
    return [index for turn in rounds for index in turn if index is not None]


def asked_batches(
    problems: Sequence[AnyProblem], size: int, seed: int, balanced: bool = False
) -> Iterator[Asked]:
    """Endless iterations of `size` problems, reshuffled every epoch.

    The incomplete last batch of an epoch is dropped. With `balanced` the operations take turns, as
    long as each has problems left; otherwise a batch holds whatever comes.
    """
    rng = np.random.default_rng((seed, 2))
    size, iteration = min(size, len(problems)), 0
    while True:
        order = rng.permutation(len(problems)).tolist()
        order = _in_turn(order, problems) if balanced else order
        for start in range(0, len(order) - size + 1, size):
            chosen = tuple(problems[i] for i in order[start : start + size])
            yield Asked(iteration=iteration, problems=chosen)
            iteration += 1


@dataclass(frozen=True, kw_only=True)
class Rollouts:
    """Sampled answers with what the loss needs of them.

    `advantage` `[prompt, answer]`; `reference` `[prompt, answer, step]`, the frozen policy's
    log-probabilities in nats where a distinct answer occurs first; `gold` `[prompt]`, the first
    token of the operation's name, −1 without one; `phrases`, the prompts followed by these names
    where one has several tokens; `logged`, means over the batch; `size`, tokens fed. A shard's
    losses are sums over its prompts divided by `prompt_divisor`, such that the mean over all shards
    is the whole batch's mean.
    """

    samples: Samples
    advantage: Floats
    reference: Floats
    gold: Rows
    logged: Mapping[str, float]
    size: int
    prompt_divisor: float
    phrases: Batch | None = None

    @cached_property
    def scorings(self) -> tuple[Scoring, ...]:
        """The samples laid out for a forward, one record a prompt length."""
        return scorings(self.samples)

    @cached_property
    def labels(self) -> Labels:
        """What each label of the scorings, in their order, is worth."""
        places = _places(self.scorings)
        counts = np.concatenate([scoring.counts for scoring in self.scorings])
        lengths = self.samples.mask.sum(axis=2)[places[:2]]
        answers = self.prompt_divisor * self.samples.tokens.shape[1]
        order = np.concatenate([scoring.which for scoring in self.scorings])
        return Labels(
            old=mx.array(self.samples.log_probs[places]),
            reference=mx.array(self.reference[places]),
            advantage=mx.array(self.advantage[places[:2]]),
            weight=mx.array((counts / (lengths * answers)).astype(np.float32)),
            gold=mx.array(self.gold[order]),
        )

    def shard(self, rank: int, size: int) -> Rollouts:
        """The prompts of one of `size` ranks; its `size` and `logged` stay the whole batch's.

        Raises:
            UserError: there are fewer prompts than ranks.
        """
        count = len(self.gold)
        check_shares("an iteration's prompts", count, size)
        own = slice(rank * count // size, (rank + 1) * count // size)
        return replace(
            self,
            samples=self.samples.of(own),
            advantage=self.advantage[own],
            reference=self.reference[own],
            gold=self.gold[own],
            phrases=self.phrases and self.phrases.shard(rank, size),
            prompt_divisor=count / size,
        )


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Arrays `[label]`: log-probabilities of the sampling and the frozen policy, advantages.

    `weight` is how many answers were the same / (tokens of the answer · answers in all), so that
    each answer counts the same; `gold` `[prompt]` is in the order of the scorings' prompts.
    """

    old: mx.array
    reference: mx.array
    advantage: mx.array
    weight: mx.array
    gold: mx.array


def _places(laid: Sequence[Scoring]) -> tuple[Rows, ...]:
    return tuple(np.concatenate([scoring.places for scoring in laid]).T)


def roll_out(
    samples: Samples, rewards: Floats, reference: LogProbs, gold: Sequence[tuple[int, ...]]
) -> Rollouts:
    """Give sampled answers their advantages and the frozen policy's log-probabilities.

    Args:
        samples: the sampling policy's answers.
        rewards: `[prompt, answer]`.
        reference: the frozen policy.
        gold: the tokens of the name of each prompt's operation, none where it is unused.
    """
    laid = scorings(samples)
    found = np.zeros(samples.tokens.shape, dtype=np.float32)
    found[_places(laid)] = np.array(mx.concatenate([reference(scoring) for scoring in laid]))
    return Rollouts(
        samples=samples,
        advantage=advantages(rewards.astype(np.float64)).astype(np.float32),
        reference=found,
        gold=np.array([name[0] if name else -1 for name in gold]),
        logged=_logged(samples, rewards),
        size=sum(scoring.size for scoring in laid),
        prompt_divisor=float(len(gold)),
        phrases=_phrases(samples, gold) if any(len(name) > 1 for name in gold) else None,
    )


def _phrases(samples: Samples, gold: Sequence[tuple[int, ...]]) -> Batch:
    """Each prompt with the tokens of its operation's name as its answer."""
    asked = zip(samples.prompts, gold, strict=True)
    return collate([Example(prompt=tuple(p), answer=name) for p, name in asked], pad=0)


def _logged(samples: Samples, rewards: Floats) -> dict[str, float]:
    tokens = np.where(samples.mask, samples.tokens, -1)
    return {
        "reward": float(rewards.mean()),
        "distinct_answers": float(np.mean([len(np.unique(g, axis=0)) for g in tokens])),
        "zero_advantage": float((np.ptp(rewards, axis=1) == 0).mean()),
        "answer_tokens": float(samples.mask.sum(axis=2).mean()),
    }


@dataclass(frozen=True, kw_only=True)
class Roller:
    """Turns problems into rollouts of `loaded` as it stands."""

    spec: Grpo
    loaded: LoadedModel
    reference: LogProbs
    reward: Reward
    gold: Gold
    seed: int

    def __call__(self, asked: Asked) -> Rollouts:
        """Sample, reward and weigh; the draws depend on the seed and the iteration alone."""
        samples = sample(
            self.loaded.model,
            self.loaded.anatomy,
            [self.loaded.encode(problem.symbols) for problem in asked.problems],
            group=self.spec.answers,
            tokens=self.spec.answer_tokens,
            ends=end_tokens(self.loaded),
            seed=(self.seed, 4, asked.iteration),
        )
        rewards = self._rewards(samples, asked.problems)
        return roll_out(samples, rewards, self.reference, self.gold(asked.problems))

    def _rewards(self, samples: Samples, problems: Sequence[AnyProblem]) -> Floats:
        """`[prompt, answer]`; an answer that occurs twice in a group is asked about once."""
        ends = end_tokens(self.loaded)
        rewards = np.zeros((len(problems), self.spec.answers), dtype=np.float32)
        for row, problem in enumerate(problems):
            known: dict[tuple[int, ...], float] = {}
            for column in range(self.spec.answers):
                ids = tuple(samples.text_tokens(row, column, ends))
                if ids not in known:
                    text = self.loaded.tokenizer.decode(list(ids))
                    known[ids] = rewarded(self.reward, problem.symbols, text, problem.answer)
                rewards[row, column] = known[ids]
        return rewards
