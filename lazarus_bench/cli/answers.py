"""Answers as a command line gives them: one for all prompts or one a prompt, else the model's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lazarus_bench.cli.prompts import read_prompts
from lazarus_bench.errors import UserError

if TYPE_CHECKING:
    from lazarus_bench.models.load import LoadedModel


def read_answers(flag: str, given: str | None, prompts: int) -> list[str] | None:
    """An answer a prompt, of `a|b` or @FILE; one alone serves all. None where none is given.

    Raises:
        UserError: there are neither one nor as many as prompts, or one is empty.
    """
    if given is None:
        return None
    if not given:
        raise UserError(f"{flag} is empty: give the text that should follow the prompt")
    answers = read_prompts([given])
    if len(answers) not in (1, prompts):
        raise UserError(
            f"answers in {flag}: {len(answers)}, prompts: {prompts}; give one for all or one each"
        )
    return answers * prompts if len(answers) == 1 else answers


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
    from lazarus_bench.analysis.ablations import read_next
    from lazarus_bench.models.prompts import answer_tokens

    if answers is None:
        return [int(token) for token in read_next(loaded, encoded, [0] * len(encoded)).top]
    pairs = zip(prompts, answers, strict=True)
    found = [answer_tokens(loaded.tokenizer, prompt, answer) for prompt, answer in pairs]
    for answer, tokens in zip(answers, found, strict=True):
        if not tokens:
            raise UserError(f"{loaded.name}: the answer {answer!r} has no token: write another")
    return [tokens[0] for tokens in found]
