"""Every shell example of docs/train.md, in its order, on the tiny model in the lab's place."""

import json
import re
import shlex
from pathlib import Path

from lazarus_bench import cli
from lazarus_bench.cli.train_settings import trainings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "train.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
EXAMPLES = [shlex.split(line) for block in BLOCKS for line in block.splitlines()]
(CONFIG,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
SMALL = {
    "sft": ["--batch", "2", "--examples", "24"],
    "full": ["--batch", "2", "--examples", "24"],
    "dual-reward": ["--batch", "2", "--examples", "24"],
    "grpo": ["--examples", "24"],
    "grpo-dual": ["--prompts", "4", "--answers", "2", "--examples", "24"],
    "two-stage": [f"--stage{n}-{name}" for n in (1, 2) for name in ("batch=2", "examples=24")],
    "engram": ["--examples", "40", "--validation", "60"],
}
"""Flags that make a recipe small here; what an example says itself stays."""


def smaller(arguments):
    if arguments[0] != "train" or "--data" in arguments:
        return arguments
    own = {word for word in arguments if word.startswith("--")}
    more = SMALL[arguments[1]]
    pairs = [[word] for word in more] if "=" in more[0] else zip(more[::2], more[1::2], strict=True)
    return [*arguments, *(word for pair in pairs if pair[0] not in own for word in pair)]


def test_the_examples_do_what_the_page_says(lab, tmp_path, monkeypatch, capsys):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    (here / "config.yaml").write_text(CONFIG, encoding="utf-8")
    for program, *arguments in EXAMPLES:
        assert program == "lazarus-bench"
        assert cli.main(smaller(arguments)) == 0, arguments
        out = capsys.readouterr().out
        check(arguments, json.loads(out) if "--json" in arguments else out, here)


def check(arguments, shown, here):
    command = arguments[0]
    text = isinstance(shown, str)
    if command == "train":
        folder = here / after(arguments, "--output")
        assert not text or "tok/s" in shown
        assert text or shown["result"]["stages"][0]["loss"] > 0
        assert after(arguments, "--output") == "" or list(folder.rglob("manifest.json"))
    elif command == "data":
        rows = sorted((here / after(arguments, "--output")).glob("*.jsonl")) or [
            here / after(arguments, "--output")
        ]
        count = sum(len(file.read_text().splitlines()) for file in rows)
        expected = int(after(arguments, "--count")) + int(after(arguments, "--validation"))
        assert count == expected
    elif command == "fuse":
        assert (here / "fused" / "model.safetensors").exists()
    elif command == "generate":
        assert ("7 * 8 = " in shown) if text else shown["result"]["texts"]
    else:
        assert command == "lens"
        assert "multiply" in shown
    if "--plot" in arguments:
        assert (here / after(arguments, "--plot")).stat().st_size > 0


def after(arguments, flag):
    return arguments[arguments.index(flag) + 1] if flag in arguments else ""


def test_the_page_has_examples_of_each_command_and_recipe():
    assert {words[1] for words in EXAMPLES} == {"train", "lens", "data", "fuse", "generate"}
    assert {words[2] for words in EXAMPLES if words[1] == "train"} == set(trainings())
