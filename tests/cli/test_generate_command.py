"""`lazarus-bench generate`: the continuations are the instrument's, and no flag is passed over."""

import pytest

from lazarus_bench.analysis.answers import Generation, greedy

PROMPTS = ["7 * 8 = ", "What is 7 times 8? "]


def by_hand(loaded, tokens):
    found = greedy(loaded, [loaded.encode(text) for text in PROMPTS], tokens)
    return [loaded.tokenizer.decode(ids) for ids in found]


def test_the_document_has_the_continuations(result, tiny, tiny_model):
    read = result(tiny, "|".join(PROMPTS), "--max-tokens", 6)
    assert read["prompts"] == PROMPTS
    assert read["texts"] == by_hand(tiny_model, 6)
    assert read["tokens_per_second"] > 0


def test_each_prompt_is_followed_by_its_continuation(told, lab, tiny_model):
    _, out, _ = told("lab:llama", *PROMPTS, "--max-tokens", 4)
    label, blank, *lines = out.split("\n", 2)
    assert (label, blank) == ("lab:llama", "")
    texts = by_hand(tiny_model, 4)
    for prompt, text in zip(PROMPTS, texts, strict=True):
        if text.isprintable():
            assert prompt + text in lines[0]


def test_draws_repeat_with_their_seed(result, tiny):
    def drawn(seed):
        asked = ["--temperature", 1, "--seed", seed, "--max-tokens", 8]
        return result(tiny, *PROMPTS, *asked)["texts"]

    assert drawn(1) == drawn(1) != drawn(2)


def test_control_characters_do_not_reach_the_terminal():
    said = Generation(prompts=["a\x1b"], texts=["[2J\tb\nc\r"], followed=())
    assert said.text(80) == "a\\x1b[2J\tb\nc\\r"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--max-tokens", "0"], "--max-tokens 0"),
        (["--max-tokens", "128"], "ask for fewer than 128"),
        (["--temperature", "-1"], "--temperature -1"),
        (["--temperature", "nan"], "--temperature nan"),
        (["--seed", "3"], "give --temperature as well"),
        (["--temperature", "1", "--seed", "-3"], "--seed -3"),
        (["--adapter", "."], "is not an adapter"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    refused, tiny, tmp_path, monkeypatch, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    assert sentence in refused(tiny, PROMPTS[0], *arguments)
