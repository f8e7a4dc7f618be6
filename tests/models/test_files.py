"""What mlx-lm is handed with a model: a tokenizer without its family's code, older rotary keys."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from lazarus_bench.backend import mx
from lazarus_bench.models import lab
from lazarus_bench.models.families import LAB
from lazarus_bench.models.files import older_rope, tokenizer_config
from lazarus_bench.models.load import load

TEXTS = ("7 * 8 = ", "The answer is 56.\n", "", "  two  blanks", "<|begin_of_text|>multiply")


def written(folder, family, **more):
    """A lab model's tokenizer and configuration, with `more` in tokenizer_config.json."""
    config = lab.config_of(family)
    lab.save(lab.initialise(config, 0), config, folder)
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | more))
    return json.loads((folder / "config.json").read_text())


@pytest.mark.parametrize("family", LAB)
@pytest.mark.parametrize("name", ["PreTrainedTokenizerFast", "TokenizersBackend"])
def test_the_tokenizer_is_the_same(tmp_path, family, name):
    from transformers import AutoTokenizer

    config = written(tmp_path, family, tokenizer_class=name)
    given = tokenizer_config(tmp_path, config)
    assert given["config"].model_type == config["model_type"]
    ours = AutoTokenizer.from_pretrained(tmp_path, **given)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert type(ours) is type(theirs)
    assert ours.init_kwargs == theirs.init_kwargs
    assert ours.special_tokens_map == theirs.special_tokens_map
    for text in TEXTS:
        assert ours.encode(text) == theirs.encode(text)
        assert ours.decode(ours.encode(text)) == theirs.decode(theirs.encode(text))


def test_a_tokenizer_with_a_class_of_its_own_is_left_alone(tmp_path):
    config = written(tmp_path, "llama", tokenizer_class="LlamaTokenizer")
    assert tokenizer_config(tmp_path, config) == {"trust_remote_code": False}


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
def test_without_its_files_no_configuration_is_handed_on(tmp_path, file):
    config = written(tmp_path, "llama")
    assert "config" in tokenizer_config(tmp_path, config)
    (tmp_path / file).unlink()
    assert tokenizer_config(tmp_path, config) == {"trust_remote_code": False}


def test_loading_a_lab_model_imports_no_code_of_its_family(tiny):
    code = (
        "import sys; from lazarus_bench.models.load import load; load(sys.argv[1]);"
        "print('transformers.activations' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


DEFAULT = {"rope_type": "default", "rope_theta": 5e5}
LINEAR = {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (DEFAULT, {"rope_theta": 5e5}),
        (LLAMA3, {"rope_theta": 500000.0, "rope_scaling": LLAMA3 | {"type": "llama3"}}),
        (
            DEFAULT | {"partial_rotary_factor": 0.25},
            {"rope_theta": 5e5, "partial_rotary_factor": 0.25},
        ),
        (
            {"full_attention": LINEAR, "sliding_attention": DEFAULT},
            {
                "rope_theta": 1e6,
                "rope_local_base_freq": 5e5,
                "rope_scaling": LINEAR | {"type": "linear"},
            },
        ),
    ],
    ids=["default", "scaled", "partial", "two kinds of layers"],
)
def test_the_newer_words_of_a_rotation_become_the_older_ones(given, found):
    assert older_rope({"rope_parameters": given}) == found
    text = {"hidden_size": 8, "rope_parameters": given}
    assert older_rope({"text_config": text}) == {"text_config": text | found}


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"rope_theta": 3.0},
        {"rope_parameters": None},
        {"text_config": {}},
        {"rope_theta": 3.0, "rope_parameters": DEFAULT},
    ],
)
def test_configurations_that_have_the_older_words_stay_as_they_are(config):
    assert older_rope(config) == {}


def test_a_model_of_either_wording_is_the_same_model(tiny, tmp_path):
    old, new, lost = (
        rewritten(tiny, tmp_path / name, words)
        for name, words in {
            "old": {"rope_theta": 50.0},
            "new": {"rope_parameters": {"rope_type": "default", "rope_theta": 50.0}},
            "lost": {},
        }.items()
    )
    assert np.array_equal(old, new)
    assert not np.allclose(old, lost)


def rewritten(tiny, directory, words: dict[str, object]) -> np.ndarray:
    """Logits of `tiny` with these words about its rotation."""
    shutil.copytree(tiny, directory)
    config = json.loads((directory / "config.json").read_text())
    del config["rope_theta"]
    (directory / "config.json").write_text(json.dumps(config | words))
    return np.array(load(directory).model(mx.array([[3, 14, 15, 9, 26, 5]])))
