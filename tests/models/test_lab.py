"""Lab models: the Hugging Face layout, the same weights for the same seed."""

import json

import numpy as np
import pytest

from lazarus_bench.models import lab, lab_tokenizer
from lazarus_bench.models.load import load


@pytest.fixture(scope="module")
def config():
    return lab.config_of("llama")


@pytest.fixture(scope="module")
def saved(config, tmp_path_factory):
    directory = tmp_path_factory.mktemp("lab")
    lab.save(lab.initialise(config, 0), config, directory)
    return directory


def weights(model):
    from mlx.utils import tree_flatten

    return {name: np.array(array) for name, array in tree_flatten(model.parameters())}


def test_the_layout_is_hugging_faces(saved):
    assert {file.name for file in saved.iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    generation = json.loads((saved / "generation_config.json").read_text())
    assert generation == {
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
        "do_sample": False,
    }


def test_mlx_lm_loads_it_without_remote_code_and_generates(saved):
    import mlx_lm

    model, tokenizer = mlx_lm.load(str(saved), trust_remote_code=False)[:2]
    assert tokenizer.encode("7 * 8 = ")[0] == tokenizer.bos_token_id
    text = mlx_lm.generate(model, tokenizer, prompt="7 * 8 = ", max_tokens=3, verbose=False)
    assert isinstance(text, str)


def test_our_loader_accepts_it_and_its_weights_are_those_that_were_made(saved, config):
    made, read = weights(lab.initialise(config, 0)), weights(load(saved).model)
    assert made.keys() == read.keys()
    assert all(np.array_equal(made[name], read[name]) for name in made)


def test_weights_repeat_for_a_seed_and_differ_between_seeds(config):
    first, again, other = (weights(lab.initialise(config, seed)) for seed in (3, 3, 4))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(
        first["model.embed_tokens.weight"], other["model.embed_tokens.weight"]
    )


def test_size_is_the_labs(config):
    assert config["num_hidden_layers"] == 8
    assert sum(w.size for w in weights(lab.initialise(config, 0)).values()) < 1_000_000


def test_number_tokens_hold_waves_and_words_do_not(config):
    embedding = weights(lab.initialise(config, 0))["model.embed_tokens.weight"]
    tokenizer = lab_tokenizer.tokenizer()

    def row(token: str) -> np.ndarray:
        return embedding[lab_tokenizer.token_id(tokenizer, token)]

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    near = np.mean([cosine(row(str(n)), row(str(n + 10))) for n in range(50, 100)])
    far = np.mean([cosine(row(str(n)), row(str(n + 5))) for n in range(50, 100)])
    assert near > far + 0.04
    assert abs(cosine(row("multiply"), row("56"))) < 0.5


def test_number_waves_have_the_stated_norm_and_turn_with_their_period():
    waves = lab.number_waves(np.arange(300), 96, np.random.default_rng(0))
    np.testing.assert_allclose((waves**2).sum(axis=1), 14.0)
    assert waves.shape == (300, 96)
