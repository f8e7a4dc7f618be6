"""Prompts as tokens and as hidden states: the same whatever the batch, refused in one sentence."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench import cli
from lazarus_bench.analysis.prompts import last_states, read_states, token_texts
from lazarus_bench.backend import mx
from lazarus_bench.models.load import load
from lazarus_bench.models.taps import residual_stream

prompt = st.lists(st.integers(3, 900), min_size=1, max_size=5).map(lambda ids: (0, *ids))
prompts = st.lists(prompt, min_size=1, max_size=7)


def alone(loaded, ids) -> np.ndarray:
    """States `[layer, d]` of one prompt by itself."""
    residuals = residual_stream(loaded.model, loaded.anatomy, mx.array([list(ids)]))
    return np.stack([np.array(h[0, -1]) for h in residuals])


@settings(max_examples=15)
@given(ids=prompts)
def test_every_state_is_that_of_the_prompt_alone(tiny_model, ids):
    found = last_states(tiny_model, ids)
    assert found.shape == (len(ids), 4, 48)
    assert found.dtype == np.float32
    for row, one in enumerate(ids):
        np.testing.assert_allclose(found[row], alone(tiny_model, one), rtol=1e-4, atol=1e-6)


def test_the_same_texts_give_the_same_states_bit_by_bit(tiny_model):
    texts = ["7 * 8 = ", "What is 7 times 8? ", "12 + 5 = "]
    first = read_states(tiny_model, texts)
    assert np.array_equal(first, read_states(tiny_model, texts))
    assert np.array_equal(first, last_states(tiny_model, [tiny_model.encode(t) for t in texts]))


@pytest.mark.parametrize("text", ["Once upon a time", "She said: go  on, 1 + 2"])
def test_a_sentencepiece_token_keeps_its_blank(shared, text):
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
