"""Supervised fine-tuning on texts of one's own: the same training as `sft`, other examples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lazarus_bench import backend
from lazarus_bench.errors import UserError
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.prompts import Example, answer_tokens
from lazarus_bench.models.texts import context_of
from lazarus_bench.tasks.text_rows import TextRow, read_rows
from lazarus_bench.training.arithmetic_data import end_tokens
from lazarus_bench.training.record import write_whole
from lazarus_bench.training.sft import train
from lazarus_bench.training.specs import SftTexts

TEXTS = "texts.json"


def examples_of_rows(loaded: LoadedModel, rows: Sequence[TextRow]) -> list[Example]:
    """Encode rows, each closed by the end-of-text token.

    Raises:
        UserError: a row has no token to learn, does not fit the context, or needs a chat template
            that the tokenizer lacks.
    """
    room, found = context_of(loaded), []
    for row in rows:
        example = _example(loaded, row)
        if not example.prompt or not example.answer:
            raise UserError(f"{row.place} has no token to learn after another: write more text")
        if room is not None and len(example.tokens) > room:
            raise UserError(
                f"{row.place} has {len(example.tokens)} tokens, and {loaded.name} reads {room}: "
                f"shorten it"
            )
        found.append(example)
    return found


def _example(loaded: LoadedModel, row: TextRow) -> Example:
    if row.messages:
        return _chat(loaded, row)
    end = end_tokens(loaded)
    if row.prompt:
        answer = answer_tokens(loaded.tokenizer, row.prompt, row.text)
        return Example(prompt=tuple(loaded.encode(row.prompt)), answer=_closed(answer, end))
    tokens = _closed(tuple(loaded.encode(row.text)), end)
    return Example(prompt=tokens[:1], answer=tokens[1:])


def _closed(tokens: tuple[int, ...], end: tuple[int, ...]) -> tuple[int, ...]:
    """Tokens with the end-of-text token, which some tokenizers add themselves."""
    return tokens if end and tokens[-1:] == end else tokens + end


def _chat(loaded: LoadedModel, row: TextRow) -> Example:
    """All messages as the model's own template writes them; the last one is the answer."""
    tokenizer: Any = loaded.tokenizer
    if not getattr(tokenizer, "has_chat_template", False):
        raise UserError(
            f"{row.place} has messages, and {loaded.name} has no chat template: give prompt and "
            f"completion"
        )
    messages = [{"role": role, "content": content} for role, content in row.messages]
    whole = tokenizer.apply_chat_template(messages, return_dict=False)
    prompt = tokenizer.apply_chat_template(
        messages[:-1], add_generation_prompt=True, return_dict=False
    )
    if whole[: len(prompt)] != prompt:
        raise UserError(
            f"{row.place}: the chat template of {loaded.name} writes the messages before the last "
            f"in another way without it: give prompt and completion"
        )
    return Example(prompt=tuple(prompt), answer=tuple(whole[len(prompt) :]))


def run(spec: SftTexts, base: Path, out: Path, seed: int, show: bool | None = None) -> None:
    """Train and leave an adapter, its checkpoints, validation losses and metrics in `out`."""
    backend.seed(seed)
    loaded, rows = load(base), read_rows(spec.texts)
    examples = examples_of_rows(loaded, rows.train[: spec.examples])
    validation = examples_of_rows(loaded, rows.valid[: spec.validation])
    about = {
        "digest": rows.digest,
        "train": len(examples),
        "valid": len(validation),
        "shared": rows.shared,
    }
    write_whole(out / TEXTS, json.dumps(about, indent=1) + "\n")
    train(spec, loaded, examples, validation, out, seed, show)
