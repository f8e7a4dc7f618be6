"""A model's chat template is a program of strangers: it runs in a process that has limits.

What it writes there is what is encoded: one that writes by the clock, or by where its objects lie
in memory, could end there and not here.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from lazarus_bench.errors import UserError
from lazarus_bench.private import python_module
from lazarus_bench.tasks.text_rows import OwnProblem, TextRow

if TYPE_CHECKING:
    from lazarus_bench.models.load import LoadedModel

SECONDS = 10
"""Processor time for the templates of a training's rows, beside what a row may take."""

_SECONDS_A_ROW = 0.01
_MEMORY = 4 << 30
_LONGEST = 1 << 21
"""Characters that the template may make of one row: half a million tokens, read within seconds."""

_RANDOM = re.compile(r"\|\s*random\b")

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A conversation as a template writes it: the `whole`, and the `prompt` for its last part."""

    whole: str
    prompt: str


def written_by(name: str, tokenizer: Any, rows: Mapping[str, Messages]) -> dict[str, Written]:
    """What the template of the model `name` writes for each of `rows`, by where they come from.

    Raises:
        UserError: it refuses a row, does not end soon, or writes too much.
    """
    if getattr(tokenizer, "chat_template", None) is None:
        raise _refusal(name, "is a program of mlx-lm's")
    thinking = getattr(tokenizer, "_thinking_kwarg", "enable_thinking")
    words = {**tokenizer.special_tokens_map, thinking: tokenizer.has_thinking}
    task = json.dumps([tokenizer.get_chat_template(), words, rows], default=str)
    seconds = round(SECONDS + _SECONDS_A_ROW * len(rows))
    command = [*python_module("lazarus_bench.models.templates"), str(seconds)]
    try:
        done = subprocess.run(
            command, input=task.encode(), capture_output=True, timeout=10 * seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise _refusal(name, f"does not end within {seconds} s") from None
    if done.returncode < 0:
        raise _refusal(name, f"does not end within {seconds} s")
    if done.returncode:
        raise _refusal(name, f"ended its process with {done.returncode}")
    found = json.loads(done.stdout)
    if isinstance(found, str):
        raise _refusal(name, found)
    return {
        place: Written(whole=whole, prompt=prompt)
        for place, (whole, prompt) in zip(rows, found, strict=True)
    }


def prompts_of(loaded: LoadedModel, chats: Mapping[str, Messages]) -> list[str]:
    """The text with which `loaded` is prompted for each conversation, as its template writes it.

    Encoding it as any prompt gives the template's own tokens: a begin-of-text token that the
    tokenizer adds itself is left to it. `chats` are conversations by where they come from.

    Raises:
        UserError: there is no template, it refuses one or does not end, or the tokenizer adds other
            tokens than it writes.
    """
    name, tokenizer = loaded.name, cast(Any, loaded.tokenizer)
    if chats and not getattr(tokenizer, "has_chat_template", False):
        raise UserError(
            f"{next(iter(chats))} has messages, and {name} has no chat template: give prompts"
        )
    if not chats:
        return []
    last = {"role": "assistant", "content": ""}
    asked = {place: [*chat, last] for place, chat in chats.items()}
    begin, found = getattr(tokenizer, "bos_token", None) or "", []
    for place, written in written_by(name, tokenizer, asked).items():
        text = written.prompt
        tokens = tokenizer.encode(text, add_special_tokens=False)
        either = (text, text.removeprefix(begin))
        prompt = next((each for each in either if loaded.encode(each) == list(tokens)), None)
        if prompt is None:
            raise UserError(
                f"{place}: the tokenizer of {name} adds tokens that its chat template does not "
                f"write: give prompts, not messages"
            )
        found.append(prompt)
    return found


def own_problems_of(loaded: LoadedModel, rows: Sequence[TextRow]) -> list[OwnProblem]:
    """Rows as problems; messages are the model's own prompt, and the last one the answer.

    Raises:
        UserError: as `prompts_of`.
    """
    chats = {row.place: as_messages(row.messages[:-1]) for row in rows if row.messages}
    prompts = dict(zip(chats, prompts_of(loaded, chats), strict=True))
    return [
        OwnProblem(
            symbols=prompts[row.place] if row.messages else row.prompt,
            answer=row.messages[-1][1] if row.messages else row.text,
            operation=row.label,
        )
        for row in rows
    ]


def as_messages(pairs: Sequence[tuple[str, str]]) -> Messages:
    """Roles and contents as a template takes them."""
    return [{"role": role, "content": content} for role, content in pairs]


def _refusal(name: str, why: str) -> UserError:
    return UserError(f"the chat template of {name} {why}: give texts in place of messages")


def main(seconds: int) -> None:
    """Render the task on standard input; print the texts as JSON, or what went wrong as one."""
    print(json.dumps(_rendered(seconds)))


def _rendered(seconds: int) -> list[list[str]] | str:
    from transformers.utils.chat_template_utils import render_jinja_template

    template, tokens, rows = json.loads(sys.stdin.buffer.read())
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = round(used.ru_utime + used.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds + spent, seconds + spent))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    if _RANDOM.search(template):
        return "draws at random, so that it may write another text each time"
    found: list[list[str]] = []
    place = ""
    try:
        for place, row in rows.items():
            found.append([])
            for messages, prompt in ((row, False), (row[:-1], True)):
                (text,), _ = render_jinja_template(
                    conversations=[messages],
                    chat_template=template,
                    add_generation_prompt=prompt,
                    **tokens,
                )
                if len(text) > _LONGEST:
                    return f"writes {len(text)} characters for {place}"
                found[-1].append(text)
    except MemoryError:
        return f"takes more than {_MEMORY >> 30} GB of memory"
    except Exception as error:  # a template can fail in any way that Python can
        why = (str(error).splitlines() or [type(error).__name__])[0]
        return f"refuses {place} ({why:.200})"
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]))
