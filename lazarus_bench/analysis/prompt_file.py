"""Prompts of one's own for a probe: a text file with a line ``label<TAB>text`` for each."""

from __future__ import annotations

from pathlib import Path

from lazarus_bench.analysis.probe_prompts import IN_SYMBOLS, ProbePrompts
from lazarus_bench.errors import UserError


def read_prompt_file(path: Path | str) -> ProbePrompts:
    """Read prompts and their classes; blank lines are skipped, the classes are sorted by name.

    Each text is a group of its own, so a split "by pair" holds out texts; there are no templates
    to hold out, and nothing recurs that a control task could memorise.

    Raises:
        UserError: the file cannot be read, is empty or not UTF-8, a line is no ``label<TAB>text``,
            or all lines have one label.
    """
    file = Path(path)
    rows = [_row(file, at, line) for at, line in enumerate(_lines(file), 1) if line.strip()]
    classes = tuple(sorted({label for label, _ in rows}))
    if not rows:
        raise UserError(f"{file} has no prompts: give it a line label<TAB>text for each")
    if len(classes) == 1:
        raise UserError(
            f"{file} has prompts of {classes[0]!r} alone: a probe needs those of a second class"
        )
    groups = {text: at for at, text in enumerate(dict.fromkeys(text for _, text in rows))}
    return ProbePrompts(
        texts=tuple(text for _, text in rows),
        labels=tuple(classes.index(label) for label, _ in rows),
        classes=classes,
        pairs=tuple(("text", groups[text], groups[text]) for _, text in rows),
        templates=(IN_SYMBOLS,) * len(rows),
    )


def _lines(file: Path) -> list[str]:
    try:
        # A byte order mark is how some editors begin a file; it belongs to no label.
        return file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is not UTF-8 (byte {error.start} is not): save it again with that encoding"
        ) from error
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): check its name") from error


def _row(file: Path, at: int, line: str) -> tuple[str, str]:
    label, tab, text = line.rstrip("\r").partition("\t")
    if not (tab and label.strip() and text.strip()):
        raise UserError(f"line {at} of {file} is {line[:40]!r}: write it as label<TAB>text")
    return label.strip(), text
