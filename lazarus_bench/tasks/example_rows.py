"""Generated examples as rows of a file, in the forms that mlx-lm reads, each with its split.

Each operand pair, or sentence, is on one side of the split only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.arithmetic import (
    Operation,
    Problem,
    all_problems,
    held_out,
    is_held_out,
    training_problems,
)
from lazarus_bench.tasks.labelled import Labelled, generated
from lazarus_bench.tasks.labelled_data import generated_splits, key_of
from lazarus_bench.tasks.words import any_words, word_prompts

MOST = 10**6
"""Examples of a split, which are drawn in memory."""

SPLITS = ("train", "valid")
"""Names of the splits in rows, and of mlx-lm's files."""


@dataclass(frozen=True, kw_only=True)
class Generated:
    """One example: prompt, completion, class, and the key that the split keeps on one side.

    A sentence has no prompt: all of it is its completion.
    """

    prompt: str
    completion: str
    label: str
    key: Hashable


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Training and evaluation examples of one kind."""

    classes: tuple[str, ...]
    train: tuple[Generated, ...]
    valid: tuple[Generated, ...]

    @property
    def balance(self) -> dict[str, tuple[int, int]]:
        """Training and evaluation examples of each class."""
        train, valid = (Counter(e.label for e in split) for split in (self.train, self.valid))
        return {name: (train[name], valid[name]) for name in self.classes}

    @property
    def overlap(self) -> int:
        """Operand pairs, or sentences, that both splits have."""
        return len({e.key for e in self.train} & {e.key for e in self.valid})

    @property
    def different(self) -> int:
        """Distinct training examples; arithmetic is drawn with replacement."""
        return len({(e.prompt, e.completion) for e in self.train})


def generate(kind: str, count: int, validation: int, seed: int) -> Examples:
    """Draw `count` training and `validation` evaluation examples.

    Arithmetic in symbols has the problems that a training with `seed` draws for itself. UserError
    if the kind is unknown, or the split does not hold so many.
    """
    if max(count, validation) > MOST:
        raise UserError(f"{max(count, validation)} examples are too many: give at most {MOST}")
    if count < 1:
        raise UserError(f"--count {count} must be at least 1")
    if validation < 0 or seed < 0:
        wrong = f"--validation {validation}" if validation < 0 else f"--seed {seed}"
        raise UserError(f"{wrong} must be at least 0")
    if kind in generated():
        classes = generated()[kind][1]

        def sentence(s: Labelled) -> Generated:
            label = classes[s.label]
            return Generated(prompt="", completion=s.text, label=label, key=key_of(s.text))

        splits = generated_splits(kind, count, validation, seed)
        learned, judged = (tuple(map(sentence, split)) for split in splits)
        return Examples(classes=classes, train=learned, valid=judged)
    if kind not in ("arithmetic", "words"):
        known = ", ".join(("arithmetic", "words", *generated()))
        raise UserError(f"the kind {kind!r} is unknown: choose {known}")
    train = training_problems(np.random.default_rng((seed, 1)), count)
    valid = _evaluated(validation, seed)
    prompts = [[p.symbols for p in split] for split in (train, valid)]
    if kind == "words":  # templates drawn, in evaluation each in turn
        rng = np.random.default_rng((seed, 6))
        prompts = [[any_words(rng, p) for p in train], list(word_prompts(valid))]

    def problem(prompt: str, p: Problem) -> Generated:
        return Generated(
            prompt=prompt, completion=str(p.answer), label=p.operation.value, key=p.key
        )

    return Examples(
        classes=tuple(o.value for o in Operation),
        train=tuple(map(problem, prompts[0], train)),
        valid=tuple(map(problem, prompts[1], valid)),
    )


def _evaluated(count: int, seed: int) -> list[Problem]:
    """Held-out problems, balanced as far as the rarer operations allow; UserError if too few."""
    pools = [[p for p in all_problems(o) if is_held_out(p)] for o in Operation]
    if count <= len(pools) * min(map(len, pools)):
        return held_out(count, seed) if count else []
    total = sum(map(len, pools))
    if count > total:
        raise UserError(f"--validation {count}: only {total} problems are held out: give fewer")
    rng, drawn = np.random.default_rng((seed, count)), list[Problem]()
    for at, pool in enumerate(sorted(pools, key=len)):
        share = min(len(pool), (count - len(drawn)) // (len(pools) - at))
        drawn += [pool[i] for i in rng.choice(len(pool), size=share, replace=False)]
    return [drawn[i] for i in rng.permutation(count)]


def rows(examples: Iterable[Generated], split: str, form: str) -> list[dict[str, Any]]:
    """The examples of one split as JSON objects, in a form that mlx-lm reads.

    The `form` is "completion" (`prompt`, `completion`), "text" (both in one) or "messages" (a
    user's and an assistant's). UserError if a sentence has no prompt for it.
    """
    found = []
    for example in examples:
        if form == "text":
            row: dict[str, Any] = {"text": example.prompt + example.completion}
        elif not example.prompt:
            raise UserError(
                f"sentences have no prompt, so --format {form} has nothing to hold: give text"
            )
        elif form == "completion":
            row = {"prompt": example.prompt, "completion": example.completion}
        else:
            asked = {"role": "user", "content": example.prompt}
            row = {"messages": [asked, {"role": "assistant", "content": example.completion}]}
        found.append({**row, "class": example.label, "split": split})
    return found
