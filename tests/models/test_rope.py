"""Rotary embeddings in the words of transformers 5 reach mlx-lm, which knows the older words."""

import json
import shutil

import numpy as np
import pytest

from lazarus_bench.backend import mx
from lazarus_bench.models.load import load
from lazarus_bench.models.rope import older_rope

LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


def test_plain_rotation_has_its_base_alone():
    given = {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}
    assert older_rope(given) == {"rope_theta": 5e5}


def test_a_scaled_rotation_keeps_all_its_numbers():
    found = older_rope({"rope_parameters": LLAMA3})
    assert found["rope_theta"] == 500000.0
    assert found["rope_scaling"] == LLAMA3 | {"type": "llama3"}


def test_a_partial_rotation_keeps_its_share():
    given = {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.25}
    found = older_rope({"rope_parameters": given})
    assert found == {"rope_theta": 1e4, "partial_rotary_factor": 0.25}


def test_layers_of_two_kinds_keep_both_bases():
    whole = {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}
    local = {"rope_type": "default", "rope_theta": 1e4}
    given = {"full_attention": whole, "sliding_attention": local}
    assert older_rope({"rope_parameters": given}) == {
        "rope_theta": 1e6,
        "rope_local_base_freq": 1e4,
        "rope_scaling": whole | {"type": "linear"},
    }


def test_a_language_model_inside_another_is_told_too():
    text = {"hidden_size": 8, "rope_parameters": {"rope_type": "default", "rope_theta": 7.0}}
    assert older_rope({"text_config": text}) == {"text_config": text | {"rope_theta": 7.0}}


@pytest.mark.parametrize(
    "config", [{}, {"rope_theta": 3.0}, {"rope_parameters": None}, {"text_config": {}}]
)
def test_older_configurations_stay_as_they_are(config):
    assert older_rope(config) == {}


def test_words_that_are_there_already_stay():
    given = {"rope_theta": 3.0, "rope_parameters": {"rope_type": "default", "rope_theta": 4.0}}
    assert older_rope(given) == {}


def test_a_model_of_either_wording_is_the_same_model(tiny, tmp_path):
    old, new, lost = (rewritten(tiny, tmp_path / name, name) for name in ("old", "new", "lost"))
    assert np.array_equal(old, new)
    assert not np.allclose(old, lost)


def rewritten(tiny, directory, wording: str) -> np.ndarray:
    """Logits of `tiny` with a base of 50, worded so; `lost`: with nothing about its rotation."""
    shutil.copytree(tiny, directory)
    config = json.loads((directory / "config.json").read_text())
    del config["rope_theta"]
    config |= {
        "old": {"rope_theta": 50.0},
        "new": {"rope_parameters": {"rope_type": "default", "rope_theta": 50.0}},
        "lost": {},
    }[wording]
    (directory / "config.json").write_text(json.dumps(config))
    return np.array(load(directory).model(mx.array([[3, 14, 15, 9, 26, 5]])))
