"""Blank: an untrained model like any other, made from its data and seed alone."""

from pathlib import Path

import numpy as np
import pytest

from lazarus_bench.backend import mx
from lazarus_bench.models.adapters import trainable_parameters
from lazarus_bench.models.load import load
from lazarus_bench.models.texts import context_of
from lazarus_bench.tasks.labelled_data import DataSource, read_data
from lazarus_bench.training import Blank

SPEC = Blank(data=DataSource(name="topics", train=200, validation=60))
FILES = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def made(directory: Path, spec: Blank, seed: int = 0) -> Path:
    directory.mkdir()
    spec.train(None, directory, seed)
    return directory


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("blank") / "out", SPEC)


def test_it_is_loaded_like_any_other_model(out):
    loaded = load(out)
    assert {file.name for file in out.iterdir()} == FILES
    assert (loaded.depth, context_of(loaded)) == (2, 512)
    tokens = loaded.encode("The team won the final.")
    assert tokens[0] == loaded.tokenizer.bos_token_id
    assert loaded.tokenizer.decode(tokens[1:]) == "The team won the final."
    logits = np.array(loaded.model(mx.array([tokens])))
    # Untrained: near a uniform guess.
    assert logits.std() < 0.5


def test_the_defaults_have_the_writeups_1_3_million_parameters(out, tmp_path):
    loaded = load(out)
    words = int(loaded.config["vocab_size"])
    blocks = trainable_parameters(loaded) - 160 * words
    # Five gains of norms, 2 · (4 · 160² + 3 · 160 · 480) in matrices.
    assert blocks == 5 * 160 + 665_600
    assert blocks + 160 * Blank().vocabulary == 1_306_400


def test_seeds_differ_in_weights_alone(out, tmp_path):
    again, other = made(tmp_path / "again", SPEC), made(tmp_path / "other", SPEC, seed=1)
    for name in FILES:
        assert (again / name).read_bytes() == (out / name).read_bytes()
        assert ((other / name).read_bytes() == (out / name).read_bytes()) == (
            name != "model.safetensors"
        )


def test_the_vocabulary_is_bounded_and_learnt_from_the_training_split(out, tmp_path):
    small = load(made(tmp_path / "small", Blank(data=SPEC.data, vocabulary=512)))
    assert small.config["vocab_size"] <= 512
    loaded = load(out)
    known = {text.text for text in read_data(SPEC.data).train}
    tokens = [len(loaded.encode(text)) for text in sorted(known)[:20]]
    # A word or a little more a token, where bytes would be about five.
    assert np.mean(tokens) < 15
