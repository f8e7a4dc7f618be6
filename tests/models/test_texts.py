"""Labelled texts as tokens: nothing is cut or dropped without being told."""

from dataclasses import replace

import numpy as np
import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.models.texts import EncodedText, collate_texts, context_of, encode_texts
from lazarus_bench.tasks.labelled import Labelled

GOOD = Labelled(text="The film was good.", label=1)
LONG = Labelled(text="The film was good. " * 40, label=0)


def test_the_context_is_what_the_configuration_says(tiny_model):
    assert context_of(tiny_model) == 128
    assert context_of(replace(tiny_model, config={"n_positions": 7})) == 7
    nested = {"text_config": {"max_position_embeddings": 9}, "max_position_embeddings": 1}
    assert context_of(replace(tiny_model, config=nested)) == 9
    assert context_of(replace(tiny_model, config={})) is None


def test_tokens_are_the_tokenizers_own(tiny_model):
    (text,) = encode_texts(tiny_model, [GOOD], "text", None)
    assert list(text.tokens) == tiny_model.encode(GOOD.text)
    assert (text.label, text.cut) == (1, False)


@pytest.mark.parametrize(
    ("max_length", "kept"), [(5, 5), (6, 6), (126, 126), (127, 126), (4000, 126)]
)
def test_a_text_is_cut_where_length_or_context_ends_and_marked(tiny_model, max_length, kept):
    own = len(tiny_model.encode(GOOD.text)) - 1
    short, long = encode_texts(tiny_model, [GOOD, LONG], "text", max_length)
    assert list(long.tokens) == tiny_model.encode(LONG.text)[: kept + 1]
    assert (short.cut, long.cut) == (own > kept, True)


def test_what_does_not_fit_the_context_is_one_sentence_with_the_texts_number(tiny_model):
    with pytest.raises(UserError, match=r"training example 2 has \d+ tokens, and .* reads 126 of"):
        encode_texts(tiny_model, [GOOD, LONG], "training example", None)


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_text_is_refused(tiny_model, empty):
    with pytest.raises(UserError, match="text 2 is empty: remove it"):
        encode_texts(tiny_model, [GOOD, Labelled(text=empty, label=0)], "text", None)


def test_the_line_that_a_text_was_read_from_is_named_where_there_is_one(tiny_model):
    """Training examples are shuffled, so their number says nothing to who has the file."""
    texts = [GOOD, replace(LONG, place="train.tsv, line 7")]
    with pytest.raises(UserError, match=r"^train\.tsv, line 7 has \d+ tokens, and "):
        encode_texts(tiny_model, texts, "training example", None)
    texts = [GOOD, Labelled(text=" ", label=0, place="train.tsv, line 9")]
    with pytest.raises(UserError, match=r"^train\.tsv, line 9 is empty: remove it$"):
        encode_texts(tiny_model, texts, "training example", None)


def test_a_batch_labels_every_token_after_the_first():
    texts = [
        EncodedText(tokens=(5, 6, 7), label=1, cut=False),
        EncodedText(tokens=(8,), label=0, cut=False),
        EncodedText(tokens=(9, 3), label=2, cut=True),
    ]
    batch = collate_texts(texts)
    assert np.array(batch.tokens).tolist() == [[5, 6, 7], [8, 0, 0], [9, 3, 0]]
    assert np.array(batch.last).tolist() == [2, 0, 1]
    assert np.array(batch.labels).tolist() == [1, 0, 2]
    labels = np.stack([batch.rows, batch.columns, batch.targets], axis=1)
    assert list(map(tuple, labels.tolist())) == [(0, 0, 6), (0, 1, 7), (2, 0, 3)]
    assert batch.size == 6
