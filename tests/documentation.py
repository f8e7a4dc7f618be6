"""Pages of the documentation, shell examples in them, and what the writeups print as commands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROGRAM = re.compile(r"((chuk-)?lazarus|mlx_lm)\b|python3? |\./\S+\.sh\b|DualRewardTrainer\(")
SCRIPT = re.compile(r"(experiment|generate)\w*\.py")
"""Programs of the writeups, wherever they stand; in a shell block every line is a command."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the file at which it begins."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Example:
    """One command of a shell block, on one line, with the place where it stands."""

    page: str
    line: int
    command: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.command}"


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    found = FENCE.finditer(text)
    return [Block(m[1], m[2], text.count("\n", 0, m.start()) + 2) for m in found]


def commands(block: Block) -> Iterator[tuple[int, str]]:
    """The commands of a shell block with their lines: comments off, continuations joined."""
    text, line = re.sub(r"\\\n\s*", _as_long, block.text), block.line
    for command in re.findall(r"(?:[^\n\"]|\"[^\"]*\")+|\n", text):
        if not command.startswith("\n"):
            bare = re.sub(r"(^|\s)#.*", "", command).strip()
            for part in bare.replace("\v", " ").split(" && "):
                if part.strip():
                    yield line, part.strip()
        line += command.count("\n") + command.count("\v")


def _as_long(continued: re.Match[str]) -> str:
    """A continuation in one character that still counts as a line."""
    return "\v"


def examples() -> list[Example]:
    """Every command of every page, in reading order."""
    return [
        Example(str(page.relative_to(ROOT)), line, command)
        for page in PAGES
        for block in blocks(page.read_text(encoding="utf-8"))
        if block.language in ("bash", "sh", "shell", "console")
        for line, command in commands(block)
    ]


def printed(text: str) -> dict[str, None]:
    """The command lines that a writeup prints, blanks made even: in blocks, comments and prose."""
    found: list[str] = []
    for block in blocks(text):
        if block.language == "bash":
            found += of_shell(block)
        else:
            found += [line for line in block.text.splitlines() if PROGRAM.match(line)]
    prose = FENCE.sub("", text)
    spans = re.findall(r"`([^`\n]+)`", prose)
    found += [s for s in spans if SCRIPT.fullmatch(s) or (PROGRAM.match(s) and " " in s)]
    return dict.fromkeys(even(command) for command in found)


def of_shell(block: Block) -> list[str]:
    """The commands of a shell block, and the programs that its comments name."""
    comments = re.findall(r"(?:^|\s)#(.*)", block.text)
    named = [c[m.start() :] for c in comments if (m := PROGRAM.search(c))]
    return [*(command for _, command in commands(block)), *named]


def even(command: str) -> str:
    """A command with single blanks, as it is compared."""
    return " ".join(command.replace("\\\n", " ").split())
