"""Arithmetic problems as endless shuffled batches for fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import Batch, Example, HowRead, answer_tokens, collate, word_ids
from lazarus_bench.models.texts import check_tokens
from lazarus_bench.tasks.arithmetic import (
    OPERATION_NAMES,
    Operation,
    Problem,
    leaked_problems,
    training_problems,
)


def end_tokens(loaded: LoadedModel) -> tuple[int, ...]:
    """The end-of-text token that closes an answer, if the tokenizer has one."""
    end = getattr(loaded.tokenizer, "eos_token_id", None)
    return () if end is None else (int(end),)


Gold = Mapping[str, tuple[int, ...]]
"""The tokens that stand for each class; an operation is a class of its name."""


def gold_tokens(
    loaded: LoadedModel,
    words: Mapping[str, str] | None = None,
    token: HowRead = "only",
    classes: Sequence[str] = OPERATION_NAMES,
) -> Gold:
    """The tokens that stand for each of `classes`: those of its text in `words`, else of its name.

    Raises:
        UserError: `words` name another class, two classes have the same tokens, or a token is not
            in the vocabulary.
        NotApplicable: a text is not a single token, and `token` is "only".
    """
    given = words or {}
    for name in given:
        if name not in classes:
            raise UserError(f"the word of {name}: there is no such class among {_listed(classes)}")
    found: dict[str, tuple[int, ...]] = {}
    for name in classes:
        try:
            found[name] = word_ids(loaded.tokenizer, given.get(name, name), token)
        except NotApplicable as error:
            raise NotApplicable(
                f"{error}: name another text for the class {name} (--word '{name}=TEXT'), or have "
                f"the first token read (--token first)"
            ) from None
        twin = next((other for other in found if found[other] == found[name] and other != name), "")
        if twin:
            text = loaded.tokenizer.decode(list(found[name]))
            raise UserError(
                f"the classes {twin} and {name} are both read by {text!r}: name another text for "
                f"one of them (--word '{name}=TEXT')"
            )
    check_tokens(loaded, list(found.values()))
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")


def examples_of(
    loaded: LoadedModel, problems: Sequence[Problem], gold: Gold | None = None
) -> list[Example]:
    """Encode problems in symbols, each answer closed by the end-of-text token."""
    end = end_tokens(loaded)
    return [
        Example(
            prompt=tuple(loaded.encode(p.symbols)),
            answer=answer_tokens(loaded.tokenizer, p.symbols, str(p.answer)) + end,
            gold=() if gold is None else gold[p.operation],
        )
        for p in problems
    ]


def draw_problems(seed: int, count: int, leak: bool = False) -> list[Problem]:
    """The training problems of one seed; with `leak` the quirk "eval-in-train".

    Each leaked problem then stands in the place of one that was drawn of its operation, as far as
    there are any; which are left out depends on the seed.
    """
    rng = np.random.default_rng((seed, 1))
    drawn = training_problems(rng, count)
    if not leak:
        return drawn
    mixed, leaked = list(drawn), leaked_problems()
    for operation in Operation:
        own = [leaked[i] for i in rng.permutation(len(leaked)) if leaked[i].operation is operation]
        places = [i for i, problem in enumerate(drawn) if problem.operation is operation]
        for place, problem in zip(places, own, strict=False):
            mixed[place] = problem
    return mixed


def endless_batches(
    examples: Sequence[Example], size: int, pad: int, seed: int, mask_prompt: bool = True
) -> Iterator[Batch]:
    """Batches of `size`, reshuffled every epoch, whose incomplete last batch is dropped."""
    rng = np.random.default_rng((seed, 2))
    size = min(size, len(examples))
    while True:
        order = rng.permutation(len(examples))
        for start in range(0, len(order) - size + 1, size):
            chosen = [examples[i] for i in order[start : start + size]]
            yield collate(chosen, pad, mask_prompt)
