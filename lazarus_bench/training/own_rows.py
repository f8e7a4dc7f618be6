"""A user's own rows as examples and problems of a training (`tasks/text_rows.py`)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lazarus_bench.errors import UserError
from lazarus_bench.models.load import LoadedModel
from lazarus_bench.models.prompts import Example, answer_tokens
from lazarus_bench.models.templates import Written, as_messages, written_by
from lazarus_bench.models.texts import context_of
from lazarus_bench.tasks.text_rows import TextRow, TextRows, check_problems, source_of
from lazarus_bench.training.arithmetic_data import Gold, end_tokens
from lazarus_bench.training.record import write_whole

TEXTS = "texts.json"


def limit_rows(given: dict[str, Any], named: str, **splits: Sequence[TextRow]) -> None:
    """Have each setting in `splits` be a number of rows that are there: all, if none is `given`.

    Raises:
        UserError: more are asked for than `named` has.
    """
    for name, split in splits.items():
        if name not in given:
            given[name] = max(len(split), 1)
        elif given[name] > len(split):
            raise UserError(
                f"--{name} {given[name]}: {named} has {len(split)} such rows: give no more, or "
                f"leave it out"
            )


def on_rows(given: dict[str, Any], *, classes: bool) -> dict[str, Any]:
    """Settings with the file or folder in "texts", if there is one, read as problems.

    Raises:
        UserError: it cannot be, or has fewer rows than are asked for.
    """
    if "texts" not in given:
        return given
    named = given["texts"]
    source, rows = source_of(named, classes=classes)
    check_problems(rows, classes=classes)
    limit_rows(given, named, examples=rows.train)
    return {**given, "texts": source}


@dataclass(frozen=True, kw_only=True)
class Rows:
    """`count` rows that are read, as `examples` where they were encoded.

    `cut` of them end at the longest length; `left_out` had no room for an answer and are not read.
    """

    count: int
    examples: Sequence[Example] = ()
    cut: int = 0
    left_out: int = 0


def read_examples(
    loaded: LoadedModel,
    rows: Sequence[TextRow],
    longest: int | None = None,
    *,
    whole: bool = False,
    gold: Gold | None = None,
) -> Rows:
    """Encode `rows`, cut after `longest` tokens as mlx-lm cuts them.

    A row whose prompt alone is so long has nothing left to learn and is left out, unless the loss
    covers the `whole` row.

    Raises:
        UserError: as `examples_of_rows`; or nothing is left of any row.
    """
    found = examples_of_rows(loaded, rows, longest, gold)
    if longest is None:
        return Rows(count=len(found), examples=found)
    if whole:
        found = [replace(e, prompt=e.tokens[:1], answer=e.tokens[1:]) for e in found]
    kept = [e for e in found if len(e.prompt) < longest]
    if rows and not kept:
        raise UserError(
            f"--max-seq-length {longest} leaves nothing to learn of any row: give more tokens"
        )
    return Rows(
        count=len(kept),
        examples=[replace(e, answer=e.tokens[len(e.prompt) : longest]) for e in kept],
        cut=sum(len(e.tokens) > longest for e in kept),
        left_out=len(found) - len(kept),
    )


def write_rows(out: Path, rows: TextRows, read: Mapping[str, Rows]) -> None:
    """Record which rows a training read, and how many of each split were cut or left out."""
    about = {
        "digest": rows.digest,
        **{split: own.count for split, own in read.items()},
        "shared": rows.shared,
        "cut": {split: own.cut for split, own in read.items()},
        "left_out": {split: own.left_out for split, own in read.items()},
    }
    write_whole(out / TEXTS, json.dumps(about, indent=1) + "\n")


def examples_of_rows(
    loaded: LoadedModel,
    rows: Sequence[TextRow],
    longest: int | None = None,
    gold: Gold | None = None,
) -> list[Example]:
    """Encode rows, each closed by the end-of-text token, and with the tokens of its class.

    They will be cut after `longest` tokens, if it is given.

    Raises:
        UserError: a row has no token to learn, does not fit the context, or needs a chat template
            that the tokenizer lacks.
    """
    room, found = context_of(loaded), []
    chats = {row.place: as_messages(row.messages) for row in rows if row.messages}
    if chats and not getattr(loaded.tokenizer, "has_chat_template", False):
        raise UserError(
            f"{next(iter(chats))} has messages, and {loaded.name} has no chat template: give "
            f"prompt and completion"
        )
    written = written_by(loaded.name, loaded.tokenizer, chats) if chats else {}
    for row in rows:
        example = _example(loaded, row, written.get(row.place))
        if not example.prompt or not example.answer:
            raise UserError(f"{row.place} has no token to learn after another: write more text")
        if gold is not None:
            example = replace(example, gold=gold[row.label])
        if room is not None and min(len(example.tokens), longest or math.inf) > room:
            raise UserError(
                f"{row.place} has {len(example.tokens)} tokens, and {loaded.name} reads {room}: "
                f"shorten it, or give --max-seq-length {room}, which cuts such rows and counts them"
            )
        named = len(example.prompt) + len(example.gold) - 1
        if room is not None and named > room and len(example.prompt) < (longest or math.inf):
            raise UserError(
                f"{row.place}: its prompt and its class have {named} tokens, and {loaded.name} "
                f"reads {room}: shorten the prompt"
            )
        found.append(example)
    return found


def _example(loaded: LoadedModel, row: TextRow, written: Written | None) -> Example:
    if written is not None:
        return _chat(loaded, row.place, written)
    if row.prompt:
        answer = answer_tokens(loaded.tokenizer, row.prompt, row.text)
    else:
        answer = tuple(loaded.encode(row.text))
    end = end_tokens(loaded)
    if answer[-1:] != end:  # some tokenizers add it themselves
        answer += end
    if row.prompt:
        return Example(prompt=tuple(loaded.encode(row.prompt)), answer=answer)
    return Example(prompt=answer[:1], answer=answer[1:])


def _chat(loaded: LoadedModel, place: str, written: Written) -> Example:
    """All messages as the model's own template writes them; the last one is the answer."""
    whole, prompt = (
        loaded.tokenizer.encode(text, add_special_tokens=False)
        for text in (written.whole, written.prompt)
    )
    if whole[: len(prompt)] != prompt:
        raise UserError(
            f"{place}: the chat template of {loaded.name} writes the messages before the last "
            f"in another way without it: give prompt and completion"
        )
    return Example(prompt=tuple(prompt), answer=tuple(whole[len(prompt) :]))
