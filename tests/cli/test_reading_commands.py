"""What commands that read a model have in common: --adapter, names of files, narrow terminals."""

import json

import pytest
from commandcases import COMMANDS

from lazarus_bench import cli

READING = ("lens", "analyze", "ablate", "erase", "patch", "steer", "classifier", "generate")
READING += ("attribute", "interchange")
READING += ("moe-expert analyze", "moe-expert trace", "moe-expert weights", "moe-expert project")
MORE = {
    "lens": ["--targets", "multiply,add,subtract", "--all-layers"],
    "ablate": ["--component", "attention"],
    "steer": ["--targets", "add"],
    "classifier": ["--test", "9 * 9 = "],
}


@pytest.fixture
def words(tiny, tiny_mixture):
    """The words of a command with a model of its own."""
    stand = {"LLAMA": str(tiny), "MIXTURE": str(tiny_mixture)}

    def of(command):
        asked = (stand.get(word, word) for word in COMMANDS[command])
        return [*command.split(), *asked, *MORE.get(command, ())]

    return of


@pytest.mark.parametrize("columns", [24, 60])
@pytest.mark.parametrize("command", [name for name in READING if name != "generate"])
def test_a_narrow_terminal_is_not_overrun(words, command, columns, narrow, capsys):
    narrow(columns)
    assert cli.main(words(command)) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("command", "flag", "sentence"),
    [(name, ("--output", "x.txt"), "end its name in .json") for name in READING]
    + [
        (name, ("--plot", "x.gif"), "end its name in .svg or .png")
        for name in READING
        if name != "generate"
    ],
)
def test_a_file_of_another_form_is_refused(
    words, command, flag, sentence, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert cli.main([*words(command), *flag]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert sentence in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command", ["analyze", "ablate", "erase", "patch", "attribute", "steer", "generate"]
)
def test_an_adapter_counts(words, command, adapter, capsys):
    results = []
    for more in ([], ["--adapter", str(adapter)]):
        assert cli.main([*words(command), *more, "--json"]) == 0
        results.append(json.loads(capsys.readouterr().out)["result"])
    plain, adapted = results
    for result in results:
        result.pop("seconds", None)
        result.pop("tokens_per_second", None)
    assert plain != adapted
