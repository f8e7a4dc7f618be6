"""Tokenizers read without their family's code are the ones that transformers reads with it."""

import json
import subprocess
import sys

import pytest

from lazarus_bench.models import lab
from lazarus_bench.models.families import LAB
from lazarus_bench.models.generic_tokenizer import tokenizer_config

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


@pytest.mark.parametrize(
    "more", [{"tokenizer_class": "LlamaTokenizer"}, {"auto_map": {"AutoTokenizer": ["a.B", None]}}]
)
def test_a_tokenizer_with_a_class_or_code_of_its_own_is_left_alone(tmp_path, more):
    assert tokenizer_config(tmp_path, written(tmp_path, "llama", **more)) == {}


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
def test_without_its_files_nothing_is_handed_on(tmp_path, file):
    config = written(tmp_path, "llama")
    assert tokenizer_config(tmp_path, config) != {}
    (tmp_path / file).unlink()
    assert tokenizer_config(tmp_path, config) == {}


def test_loading_a_lab_model_imports_no_code_of_its_family(tiny):
    code = (
        "import sys; from lazarus_bench.models.load import load; load(sys.argv[1]);"
        "print('transformers.activations' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr
