"""Lab models: every family's is mlx-lm's own class, repeats for a seed, loads as saved."""

import json

import numpy as np
import pytest
from mlx.utils import tree_flatten

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models import lab, lab_tokenizer
from lazarus_bench.models.anatomy import part
from lazarus_bench.models.families import LAB, anatomy_of
from lazarus_bench.models.load import LENS_TOLERANCE, lens_error, load

MIXTURES = ("olmoe", "gpt-oss")


@pytest.fixture(scope="module")
def configs():
    return {name: lab.config_of(name) for name in LAB}


@pytest.fixture(scope="module")
def models(configs):
    return {name: lab.initialise(configs[name], 3) for name in LAB}


@pytest.fixture(scope="module")
def saved(configs, models, tmp_path_factory):
    directory = tmp_path_factory.mktemp("lab")
    lab.save(models["llama"], configs["llama"], directory)
    return directory


def weights(model):
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


@pytest.mark.parametrize("name", LAB)
def test_weights_repeat_for_a_seed_and_differ_between_seeds(name, configs, models):
    first = weights(models[name])
    again, other = (weights(lab.initialise(configs[name], seed)) for seed in (3, 4))
    assert all(np.array_equal(first[path], again[path]) for path in first)
    matrices = [path for path in first if first[path].ndim > 1 and not path.endswith("bias")]
    assert all(not np.array_equal(first[path], other[path]) for path in matrices)


@pytest.mark.parametrize("name", LAB)
def test_what_is_saved_is_what_loads_and_its_lens_is_its_logits(name, configs, models, tmp_path):
    lab.save(models[name], configs[name], tmp_path)
    loaded = load(tmp_path)
    assert type(loaded.model) is type(models[name])
    made, read = weights(models[name]), weights(loaded.model)
    assert made.keys() == read.keys()
    assert all(np.array_equal(made[path], read[path]) for path in made)
    tokens = mx.array([loaded.encode("What is 7 times 8? ") * 2])
    assert lens_error(loaded.model, loaded.anatomy, tokens) < LENS_TOLERANCE
    assert (loaded.depth, loaded.classifier_layer) == (8, 4)


@pytest.mark.parametrize("name", LAB)
def test_number_tokens_hold_waves_and_every_output_starts_with_them(name, configs, models):
    model, anatomy = models[name], anatomy_of(configs[name])
    embedding = np.array(part(model, anatomy.embedding).weight)
    tokenizer = lab_tokenizer.tokenizer()
    numbers = embedding[[lab_tokenizer.token_id(tokenizer, str(n)) for n in range(50, 110)]]
    unit = numbers / np.linalg.norm(numbers, axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert np.diagonal(cosines, 10).mean() > np.diagonal(cosines, 5).mean() + 0.04
    if hasattr(model, anatomy.unembedding):
        assert np.array_equal(embedding, np.array(part(model, anatomy.unembedding).weight))


@pytest.mark.parametrize("name", LAB)
def test_every_norm_starts_as_no_norm_gain_and_every_bias_at_nothing(name, models):
    start = 0.0 if name == "gemma2" else 1.0
    found = weights(models[name])
    gains = [array for path, array in found.items() if path.endswith("norm.weight")]
    biases = [array for path, array in found.items() if path.endswith("bias")]
    assert len(gains) >= 2 * 8 + 1
    assert all((gain == start).all() for gain in gains)
    assert not any(bias.any() for bias in biases)
    assert bool(biases) == (name in ("qwen2", "gpt-oss"))


@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures_have_eight_experts_a_layer_and_cost_about_what_the_llama_does(name, models):
    found = weights(models[name])
    experts = [path for path in found if found[path].ndim == 3]
    assert len(experts) == 3 * 8
    assert {found[path].shape[0] for path in experts} == {8}
    active = sum(found[path].size for path in experts) * 2 / 8
    assert active < sum(a.size for p, a in weights(models["llama"]).items() if ".mlp." in p)


def test_families_are_no_copies_of_one_another(configs, models):
    tokens = mx.array([[0, 40, 41, 42]])
    logits = [np.array(models[name](tokens)) for name in LAB]
    for first in range(len(logits)):
        assert not any(np.allclose(logits[first], other) for other in logits[first + 1 :])


def test_an_unknown_family_names_the_known_ones():
    with pytest.raises(UserError, match=f"choose {', '.join(LAB)}"):
        lab.config_of("lama")
    assert lab.count_parameters(lab.config_of("llama")) < 1_000_000


def test_words_hold_no_waves(models):
    embedding = weights(models["llama"])["model.embed_tokens.weight"]
    tokenizer = lab_tokenizer.tokenizer()
    word, digits = (embedding[lab_tokenizer.token_id(tokenizer, t)] for t in ("multiply", "56"))
    assert abs(word @ digits / np.linalg.norm(word) / np.linalg.norm(digits)) < 0.5


def test_number_waves_have_the_stated_norm_and_turn_with_their_period():
    waves = lab.number_waves(np.arange(300), 96, np.random.default_rng(0))
    np.testing.assert_allclose((waves**2).sum(axis=1), 14.0)
    assert waves.shape == (300, 96)
