"""Every lab family: mlx-lm's own class, the same weights for the same seed, a layout that loads."""

import numpy as np
import pytest
from mlx.utils import tree_flatten

from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models import lab, lab_tokenizer
from lazarus_bench.models.anatomy import anatomy_of, part
from lazarus_bench.models.lab_families import FAMILIES, family_named
from lazarus_bench.models.load import LENS_TOLERANCE, lens_error, load

MIXTURES = ("olmoe", "gpt-oss")


@pytest.fixture(scope="module")
def configs():
    return {name: lab.config_of(name) for name in FAMILIES}


@pytest.fixture(scope="module")
def models(configs):
    return {name: lab.initialise(configs[name], 3) for name in FAMILIES}


def weights(model):
    return {name: np.array(array) for name, array in tree_flatten(model.parameters())}


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_repeat_for_a_seed_and_differ_between_seeds(name, configs, models):
    first = weights(models[name])
    again, other = (weights(lab.initialise(configs[name], seed)) for seed in (3, 4))
    assert all(np.array_equal(first[path], again[path]) for path in first)
    matrices = [path for path in first if first[path].ndim > 1 and not path.endswith("bias")]
    assert all(not np.array_equal(first[path], other[path]) for path in matrices)


@pytest.mark.parametrize("name", FAMILIES)
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


@pytest.mark.parametrize("name", FAMILIES)
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


@pytest.mark.parametrize("name", FAMILIES)
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
    logits = [np.array(models[name](tokens)) for name in FAMILIES]
    for first in range(len(logits)):
        assert not any(np.allclose(logits[first], other) for other in logits[first + 1 :])


def test_an_unknown_family_names_the_known_ones():
    with pytest.raises(UserError, match=f"choose {', '.join(FAMILIES)}"):
        family_named("lama")
