"""Every shell example of docs/lens.md, run on the tiny model in the lab's place."""

import json
import re
import shlex
from pathlib import Path

import pytest

from lazarus_bench import cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "lens.md"
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
EXAMPLES = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_does_what_the_page_says(example, lab, adapter, tmp_path, monkeypatch, capsys):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    (here / "prompts.txt").write_text("7 * 8 = \n5 + 6 = \n")
    (here / "adapters").symlink_to(adapter)
    program, *arguments = shlex.split(example)
    assert program == "lazarus-bench"
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert json.loads(shown) if "--json" in arguments else shown.startswith("lab:llama")
    for flag in ("--output", "--plot"):
        if flag in arguments:
            assert (here / arguments[arguments.index(flag) + 1]).stat().st_size > 0


def test_the_page_has_examples_of_each_command():
    assert {example.split()[1] for example in EXAMPLES} == {"lens", "classifier", "analyze"}
