"""Nothing that a file says steers the terminal of who reads it."""

import json
from pathlib import Path

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from lazarus_bench import cli
from lazarus_bench.cli import application

GOLDEN = Path(__file__).parents[1] / "report" / "golden.json"
TEXTS = {"says", "estimand", "source", "reason", "subject", "method", "note", "items", "name"}
TEXTS |= {"moved", "pinned", "published_note", "label", "title", "claim_id", "needed", "device"}
TEXTS |= {"amended", "command", "created", "revision", "quirk"}
CONTROLS = {
    "colour": "\x1b[31m",
    "OSC 8": "\x1b]8;;http://x.example\x07",
    "C1": "\x9b2J",
    "bidi": "\u202e\u2066\u200f",
    "return": "\rgone\x08\x7f",
}


def hostile(value, control, key=""):
    """`value` of a report with `control` in its texts."""
    if isinstance(value, dict):
        return {name: hostile(inner, control, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner, control, key) for inner in value]
    kept = value in ("published", "computed") or not isinstance(value, str)
    return value if kept or key not in TEXTS else value + control


@pytest.mark.parametrize("control", CONTROLS.values(), ids=CONTROLS)
@pytest.mark.parametrize(
    "command",
    [
        ("report", "{report}"),
        ("report", "{report}", "--json"),
        ("report", "{report}", "--as", "md"),
        ("diff", "{report}", "{plain}"),
        ("diff", "{report}", "{plain}", "--all", "--github"),
        ("diff", "{report}", "{plain}", "--json"),
        ("report", "{folder}"),
        ("claims", "show", "a{control}b"),
        ("generate", "{folder}", "1 + 1 = "),
        ("store", "list", "--store", "{folder}"),
        ("claims", "list", "--hypotheses", "{folder}"),
    ],
    ids=" ".join,
)
def test_what_files_say_is_escaped(command, control, tmp_path, capsys):
    report, folder = tmp_path / "report.json", tmp_path / f"model{control.replace('/', '')}"
    report.write_text(json.dumps(hostile(json.loads(GOLDEN.read_bytes()), control)))
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": f"llama{control}"}))
    names = {"report": report, "plain": GOLDEN, "folder": folder, "control": control}
    cli.main([word.format(**names) for word in command])
    shown = capsys.readouterr()
    both = shown.out + shown.err
    assert both
    found = [c for c in control if not c.isprintable() and c in both]
    assert not found, both[both.index(found[0]) - 80 :][:200]
    if "--json" in command:
        json.loads(shown.out)


def test_effect_names_items_and_pins_are_no_markup(tmp_path, capsys):
    report = tmp_path / "report.json"
    report.write_text(json.dumps(hostile(json.loads(GOLDEN.read_bytes()), "<b>|*x*")))
    for command in (["report", str(report), "--as", "md"], ["diff", str(report), str(GOLDEN)]):
        cli.main(command)
        said = capsys.readouterr().out
        assert said
        assert "<b>" not in said.replace("\\<b>", "")


def test_an_expression_of_a_tokenizer_that_does_not_end_is_a_sentence(monkeypatch, capsys):
    split = Tokenizer(models.BPE(vocab={"a": 0}, merges=[]))
    split.pre_tokenizer = pre_tokenizers.Split(Regex("(a+)+b"), "isolated")
    monkeypatch.setattr(application, "run", lambda given: split.encode("a" * 40))
    assert cli.main([]) == 2
    assert "the tokenizer cannot split this text (Onig: " in capsys.readouterr().err
