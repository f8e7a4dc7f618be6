"""Tokens as text: joined they are what was encoded, whatever the tokenizer does with blanks."""

import json

import numpy as np
import pytest

from lazarus_bench import cli
from lazarus_bench.analysis.tokens import token_texts


@pytest.mark.parametrize("text", ["Once upon a time", "She said: go  on, 1 + 2"])
def test_a_sentencepiece_token_keeps_its_blank(shared, text):
    from lazarus_bench.models.load import load

    loaded = load(shared / "models" / "stories260K")
    ids = loaded.tokenizer.encode(text, add_special_tokens=False)
    assert "".join(token_texts(loaded, np.array(ids))) == f" {text}"
    alone = [loaded.tokenizer.decode([token]) for token in ids]
    assert "".join(alone) != f" {text}"


def test_what_follows_a_prompt_is_not_glued_to_it(shared, capsys):
    model = str(shared / "models" / "stories260K")
    asked = ["generate", model, "Once upon a|Once upon a time", "--max-tokens", "4"]
    assert cli.main(asked) == 0
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert lines[0].startswith("Once upon a time, there")
    assert lines[1].startswith("Once upon a time, there")
    sides = ["--toward", "happy", "--away", "sad"]
    assert cli.main(["steer", model, "Once upon a", *sides, "--tokens", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert result["as_it_is"]["continuations"] == [" time,"]


def test_the_labs_tokens_are_what_they_are(tiny_model):
    text = "multiply 7 * 8 = 56\n"
    ids = tiny_model.tokenizer.encode(text, add_special_tokens=False)
    assert "".join(token_texts(tiny_model, np.array(ids))) == text
    whole = np.arange(tiny_model.tokenizer.vocab_size)
    assert list(token_texts(tiny_model, whole)) == [tiny_model.tokenizer.decode([i]) for i in whole]
