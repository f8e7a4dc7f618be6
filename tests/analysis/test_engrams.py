"""Engram readings: each text alone, in its order, whatever else is read beside it."""

from pathlib import Path

import numpy as np
import pytest

from lazarus_bench.analysis import engrams
from lazarus_bench.analysis.engrams import read_engrams
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.engram import TrainedEngram, load_engram, read_texts
from lazarus_bench.models.texts import collate_texts, encode_texts
from lazarus_bench.tasks.labelled import Labelled
from lazarus_bench.tasks.labelled_data import DataSource, read_data
from lazarus_bench.training import Engram

DATA = DataSource(name="topics", train=32, validation=30)
TEXTS = read_data(DATA).validation


def trained(base: Path, out: Path, **settings: object) -> TrainedEngram:
    spec = Engram(data=DATA, epochs=2, batch=8, rank=2, learning_rate=1e-2, **settings)
    spec.train(base, out, 0, show=False)
    return load_engram(base, out)


@pytest.fixture(scope="module")
def fed_back(tiny, tmp_path_factory) -> TrainedEngram:
    return trained(tiny, tmp_path_factory.mktemp("engram"))


@pytest.fixture(scope="module")
def dual(tiny, tmp_path_factory) -> TrainedEngram:
    return trained(tiny, tmp_path_factory.mktemp("dual"), engram=False, max_length=7)


def alone(found: TrainedEngram, text: Labelled, prefix: mx.array | None) -> tuple[mx.array, ...]:
    encoded = encode_texts(found.loaded, [text], "text", found.settings.max_length)
    read = read_texts(found.model, found.loaded.anatomy, collate_texts(encoded), prefix)
    return np.array(read.logits)[0], np.array(read.engrams)[0], read.engrams


@pytest.mark.parametrize("limit", [1, 40, 4096])
def test_a_text_is_read_as_it_is_alone_and_with_a_zero_engram(fed_back, monkeypatch, limit):
    monkeypatch.setattr(engrams, "MAX_TOKENS", limit)
    reading = read_engrams(fed_back, TEXTS)
    assert reading.engram.shape == (30, 128)
    assert reading.label.tolist() == [text.label for text in TEXTS]
    for row in (0, 7, 29):
        logits, made, _ = alone(fed_back, TEXTS[row], mx.zeros((1, 128)))
        np.testing.assert_allclose(reading.engram[row], made, atol=1e-5)
        assert reading.predicted[row] == logits.argmax()


def test_its_own_engram_is_fed_back_on_demand(tiny, tmp_path):
    loud = trained(tiny, tmp_path)
    # So that what is fed decides what is predicted.
    loud.model.heads.project.weight = 100 * loud.model.heads.project.weight
    zero, own = read_engrams(loud, TEXTS), read_engrams(loud, TEXTS, fed="own")
    assert np.array_equal(zero.engram, own.engram)
    assert not np.array_equal(zero.predicted, own.predicted)
    for text, predicted in zip(TEXTS, own.predicted, strict=True):
        _, _, made = alone(loud, text, mx.zeros((1, 128)))
        logits, _, _ = alone(loud, text, made)
        assert predicted == logits.argmax()


def test_a_model_without_an_engram_has_no_prefix(dual):
    reading = read_engrams(dual, TEXTS)
    for row, text in enumerate(TEXTS):
        logits, made, _ = alone(dual, text, None)
        np.testing.assert_allclose(reading.engram[row], made, atol=1e-5)
        assert reading.predicted[row] == logits.argmax()
    with pytest.raises(UserError, match="trained without an engram"):
        read_engrams(dual, TEXTS, fed="own")


def test_texts_are_cut_as_in_training_and_marked(dual):
    own = [len(dual.loaded.encode(text.text)) - 1 for text in TEXTS]
    reading = read_engrams(dual, TEXTS)
    assert reading.cut.tolist() == [length > 7 for length in own]
    assert 0 < reading.cut.sum() < 30


def test_no_text_is_one_sentence(fed_back):
    with pytest.raises(UserError, match="engrams need one text or more"):
        read_engrams(fed_back, [])
    with pytest.raises(UserError, match="text 2 is empty"):
        read_engrams(fed_back, [TEXTS[0], Labelled(text="", label=0)])
