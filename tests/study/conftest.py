"""The study's claims and the writeups' texts, read from the shared folder beside the checkout."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lazarus_bench.claims.claim import REGISTRY
from lazarus_bench.claims.importing import imported
from lazarus_bench.judge import decide

HYPOTHESES = Path(__file__).resolve().parents[2] / "hypotheses"

_DEFAULT = Path(__file__).parents[3] / "shared"
SHARED = Path(os.environ.get("LAZARUS_BENCH_SHARED", _DEFAULT))

Writeup = Callable[[str], str]
Cells = Callable[[str, str], list[list[str]]]


class WithoutStudy(pytest.Module):
    """A module of these tests where the study is not there to be tested."""

    def collect(self):
        pytest.skip(f"no study at {HYPOTHESES}", allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    if HYPOTHESES.is_dir():
        return None
    return WithoutStudy.from_parent(parent, path=module_path)


@pytest.fixture(scope="session")
def judged_family() -> Callable[[str], dict[str, tuple]]:
    """Claim, finding and verdict on the printed number by name, of the one family of a file."""

    def judged(stem: str) -> dict[str, tuple]:
        with REGISTRY.set_apart(), imported(HYPOTHESES) as read:
            read(HYPOTHESES / f"{stem}.py")
            claims = dict(REGISTRY.claims)
        return {
            name.partition("/")[2]: (
                claim,
                claim.finding,
                claim.published and decide(claim.published, claim.region, family_size=len(claims)),
            )
            for name, claim in claims.items()
        }

    return judged


@pytest.fixture(scope="session")
def writeup() -> Writeup:
    """Text of a writeup by name; skips where the shared folder is absent."""

    def read(name: str) -> str:
        path = SHARED / "writeups" / f"{name}.md"
        if not path.exists():
            pytest.skip(f"no writeup at {path}; set LAZARUS_BENCH_SHARED to the shared folder")
        return path.read_text(encoding="utf-8")

    return read


@pytest.fixture(scope="session")
def cells(writeup: Writeup) -> Cells:
    """Cells of the first Markdown table after a heading or phrase, without emphasis or header."""

    def table(name: str, after: str) -> list[list[str]]:
        text = writeup(name)
        start = text.index(after) + len(after)
        lines = text[start:].splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("|"))
        rows = []
        for line in lines[first:]:
            if not line.startswith("|"):
                break
            rows.append([re.sub(r"\*\*|`", "", cell).strip() for cell in line.split("|")[1:-1]])
        return rows[2:]

    return table


@pytest.fixture(scope="session")
def claims() -> str:
    """The list of claims; skips where the shared folder is absent."""
    path = SHARED / "claims.md"
    if not path.exists():
        pytest.skip(f"no list of claims at {path}; set LAZARUS_BENCH_SHARED to the shared folder")
    return path.read_text(encoding="utf-8")
