"""Prompts and words as a command line gives them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lazarus_bench.errors import UserError

SEPARATOR = "|"
FROM_FILE = "@"
STANDARD_INPUT = "-"


def read_prompts(given: Sequence[str]) -> list[str]:
    """Prompts in their order: `a|b` is two, `@file` one a line, `@-` those of standard input.

    Blanks count, also at the end: `7 * 8 = ` is another prompt than `7 * 8 =`. In a file blank
    lines are skipped, and neither mark means anything.

    Raises:
        UserError: a prompt is empty, or a file cannot be read or has none.
    """
    found: list[str] = []
    for text in given:
        if text.startswith(FROM_FILE):
            found += _lines(text.removeprefix(FROM_FILE))
            continue
        if not text:
            raise UserError("a prompt is empty: write what the model should read")
        prompts = text.split(SEPARATOR)
        if not all(prompts):
            raise UserError(f"{text!r} has an empty prompt: leave out the {SEPARATOR!r} beside it")
        found += prompts
    return found


def _lines(name: str) -> list[str]:
    try:
        raw = sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
        # A byte order mark is how some editors begin a file; it belongs to no prompt.
        lines = [line.rstrip("\r") for line in raw.decode("utf-8-sig").split("\n")]
    except OSError as error:
        raise UserError(
            f"the prompts in {name!r} cannot be read ({error.strerror}): name a file after @, one "
            f"prompt a line"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{name} is not UTF-8: save it again with that encoding") from error
    found = [line for line in lines if line.strip()]
    if not found:
        raise UserError(f"{name} has no prompts: write one a line")
    return found


def read_words(given: Sequence[str] | None) -> list[str]:
    """Words separated by commas or `|`, each once; blanks count.

    Raises:
        UserError: one is empty.
    """
    given = given or ()
    words = [word for text in given for word in text.replace(SEPARATOR, ",").split(",")]
    if not all(words):
        raise UserError(f"--targets {','.join(given)} has an empty word: leave out its comma")
    return list(dict.fromkeys(words))


def read_classes(given: Sequence[str]) -> dict[str, list[str]]:
    """Prompts by class, of `name:a|b` and `name:@file`; a class may be given in several parts.

    Raises:
        UserError: one has no name or no prompt, there are fewer than two, or two share a prompt.
    """
    classes: dict[str, list[str]] = {}
    for text in given:
        name, colon, given_prompts = text.partition(":")
        if not (name.strip() and colon and given_prompts):
            raise UserError(f'--classes {text!r} names no class: write it as "name:prompt|prompt"')
        classes.setdefault(name.strip(), []).extend(read_prompts([given_prompts]))
    if len(classes) < 2:
        raise UserError("one class is told from nothing: give --classes for at least two of them")
    owner: dict[str, str] = {}
    for name, prompts in classes.items():
        for prompt in prompts:
            if owner.setdefault(prompt, name) != name:
                raise UserError(
                    f"{prompt!r} is in the classes {owner[prompt]} and {name}: leave it in one"
                )
    return classes


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
