"""Words as tokens: the declared variants that are single tokens, or not applicable."""

import pytest

from lazarus_bench.errors import NotApplicable
from lazarus_bench.models.words import word_tokens


class Spelled:
    """A tokenizer that knows some words and spells the rest letter by letter."""

    def __init__(self, *known: str) -> None:
        self.known = list(known)

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        ids = [self.known.index(text)] if text in self.known else [1000 + ord(c) for c in text]
        return [999, *ids] if add_special_tokens else ids

    def decode(self, ids: list[int]) -> str:
        return "".join(self.known[i] for i in ids)


def test_all_four_variants_with_the_bare_word_first():
    words = word_tokens(Spelled(" Add", "Add", " add", "add"), "add")
    assert words.bare == 3
    assert words.variants == (3, 2, 1, 0)


def test_variants_of_several_tokens_are_left_out():
    assert word_tokens(Spelled("add", " Add"), "add").variants == (0, 1)


def test_a_spelling_met_twice_counts_once():
    assert word_tokens(Spelled("7", " 7"), "7").variants == (0, 1)


def test_a_bare_word_of_several_tokens_does_not_apply():
    with pytest.raises(NotApplicable, match="'add' is 3 tokens"):
        word_tokens(Spelled(" add", "Add"), "add")


@pytest.mark.parametrize("word", ["multiply", "add", "subtract", "divide"])
def test_the_labs_operation_words_decode_to_their_spellings(tiny_model, word):
    found = word_tokens(tiny_model.tokenizer, word)
    spelled = [tiny_model.tokenizer.decode([token]) for token in found.variants]
    assert spelled[0] == word
    assert all(text.strip().lower() == word for text in spelled)
    assert len(set(spelled)) == len(spelled)


def test_a_real_tokenizer_that_lacks_the_words_does_not_apply(shared):
    from lazarus_bench.models.load import load

    loaded = load(shared / "models" / "stories260K")
    with pytest.raises(NotApplicable, match="'multiply' is"):
        word_tokens(loaded.tokenizer, "multiply")
