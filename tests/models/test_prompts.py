"""Words, prompts and answers as tokens, and batches whose padding nobody sees."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.errors import NotApplicable, UserError
from lazarus_bench.models.load import load
from lazarus_bench.models.prompts import Example, answer_tokens, collate, word_tokens
from lazarus_bench.training.dual_reward import dual_loss
from lazarus_bench.training.losses import sft_loss

token = st.integers(3, 900)
example = st.builds(
    lambda prompt, answer: Example(prompt=(0, *prompt), answer=tuple(answer), gold=prompt[:1]),
    st.lists(token, min_size=1, max_size=6),
    st.lists(token, min_size=1, max_size=4),
)
examples = st.lists(example, min_size=1, max_size=5)


def test_labels_are_shifted_and_cover_the_answer_only():
    batch = collate([Example(prompt=(0, 10, 11), answer=(12, 13), gold=(7,))], pad=2)
    assert np.array(batch.tokens).tolist() == [[0, 10, 11, 12, 13]]
    assert np.array(batch.rows).tolist() == [0, 0]
    assert np.array(batch.columns).tolist() == [2, 3]
    assert np.array(batch.targets).tolist() == [12, 13]
    assert np.array(batch.prompt_last).tolist() == [2]
    assert np.array(batch.gold).tolist() == [7]
    assert batch.size == 5


def test_without_the_mask_every_token_but_the_first_is_a_label():
    batch = collate([Example(prompt=(0, 10, 11), answer=(12,))], pad=2, mask_prompt=False)
    assert np.array(batch.columns).tolist() == [0, 1, 2]
    assert np.array(batch.targets).tolist() == [10, 11, 12]
    assert np.array(batch.gold).tolist() == [-1]


@given(examples=examples, mask=st.booleans(), pad=st.integers(0, 2))
def test_every_label_is_the_token_after_its_position(examples, mask, pad):
    batch = collate(examples, pad, mask)
    rows, columns, targets = (np.array(x) for x in (batch.rows, batch.columns, batch.targets))
    for row, column, target in zip(rows, columns, targets, strict=True):
        assert examples[row].tokens[column + 1] == target
    wanted = sum(len(e.answer) if mask else len(e.tokens) - 1 for e in examples)
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == len(targets) == wanted
    for row, e in enumerate(examples):
        assert np.array(batch.tokens)[row, np.array(batch.prompt_last)[row]] == e.prompt[-1]
        assert set(np.array(batch.tokens)[row, len(e.tokens) :].tolist()) <= {pad}
    assert batch.size == sum(len(e.tokens) for e in examples)


@settings(max_examples=15)
@given(examples=examples, pad=st.integers(0, 900), mask=st.booleans())
def test_a_padded_batchs_loss_is_the_label_weighted_mean_of_single_losses(
    tiny_model, examples, pad, mask
):
    def loss(chosen):
        return float(np.array(sft_loss(tiny_model.model, tiny_model.anatomy, chosen)))

    singles = [collate([e], pad, mask) for e in examples]
    weights = [b.targets.size for b in singles]
    expected = np.average([loss(b) for b in singles], weights=weights)
    assert loss(collate(examples, pad, mask)) == pytest.approx(expected, rel=2e-5)


def test_the_answers_tokens_continue_the_prompts(tiny_model):
    tokenizer = tiny_model.tokenizer
    answer = answer_tokens(tokenizer, "7 * 8 = ", "56")
    assert tiny_model.encode("7 * 8 = ") + list(answer) == tiny_model.encode("7 * 8 = 56")
    assert tokenizer.decode(list(answer)) == "56"


class Merging:
    """Joins a space with the digit that follows it, as GPT-2's tokenizer does."""

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        return [0] * add_special_tokens + [ord(c) for c in text.replace(" 5", "Ġ")]

    def decode(self, ids: list[int]) -> str:
        return "".join(map(chr, ids))


def test_an_answer_that_would_merge_with_the_prompt_is_encoded_alone():
    assert answer_tokens(Merging(), "= ", "56") == (ord("5"), ord("6"))


@pytest.mark.parametrize("name", ["stories260K", "TinyStories-656K"])
@pytest.mark.parametrize("answer", ["5", "56", "-12", "100"])
def test_real_tokenizers_spell_the_answer_in_full(shared, name, answer):
    tokenizer = load(shared / "models" / name).tokenizer
    ids = answer_tokens(tokenizer, "7 * 8 = ", answer)
    assert tokenizer.decode(list(ids)).strip() == answer


@settings(max_examples=15)
@given(
    examples=st.lists(example, min_size=3, max_size=7),
    mask=st.booleans(),
    size=st.integers(1, 3),
    quirks=st.sampled_from([(), ("unshifted-labels",), ("class-at-answer-end",)]),
)
def test_the_mean_of_the_shards_losses_is_the_whole_batchs(
    tiny_model, examples, mask, size, quirks
):
    batch = collate(examples, 2, mask)
    loss = dual_loss(tiny_model.anatomy, 2, 0.4, quirks)

    def losses(chosen):
        value, parts = loss(tiny_model.model, chosen)
        return [float(np.array(x)) for x in (value, parts["class"], parts["answer"])]

    shards = [batch.shard(rank, size) for rank in range(size)]
    assert np.mean([losses(s) for s in shards], axis=0) == pytest.approx(losses(batch), rel=2e-5)
    assert sum(s.tokens.shape[0] for s in shards) == len(examples)
    assert sum(s.targets.size for s in shards) == batch.targets.size
    assert {s.size for s in shards} == {batch.size}


def test_a_batch_with_fewer_rows_than_ranks_cannot_be_shared():
    batch = collate([Example(prompt=(0, 10), answer=(12,))] * 2, pad=2)
    with pytest.raises(UserError, match=r"a batch of 2 cannot be shared by 3 ranks: .* at most 2"):
        batch.shard(0, 3)


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
