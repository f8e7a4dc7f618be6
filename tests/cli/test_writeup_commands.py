"""docs/writeup-commands.md: every command line that a writeup prints has its counterpart there.

That the counterparts do it is tested with the other pages' examples.
"""

import pytest
from documentation import ROOT, blocks, commands, even, of_shell, printed

PAGE = ROOT / "docs" / "writeup-commands.md"


def pairs() -> list[tuple[list[str], list[str]]]:
    """Printed command lines, and those here that do the same; blocks of text, then one of shell."""
    found, waiting = [], []
    for block in blocks(PAGE.read_text(encoding="utf-8")):
        if block.language == "text":
            waiting += of_shell(block)
        else:
            found.append((waiting, [command for _, command in commands(block)]))
            waiting = []
    assert waiting == []
    return found


def test_each_has_a_counterpart():
    for there, here in pairs():
        assert there
        assert here
        assert all(command.startswith("lazarus-bench ") for command in here)


def test_no_printed_command_is_missing_and_none_invented(shared):
    writeups = sorted((shared / "writeups").glob("*.md"))
    if not writeups:
        pytest.skip(f"{shared} has no writeups")
    assert len(writeups) == 5
    prints = {c for file in writeups for c in printed(file.read_text(encoding="utf-8"))}
    assert {even(command) for there, _ in pairs() for command in there} == prints
