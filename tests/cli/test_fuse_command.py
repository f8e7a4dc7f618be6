"""`lazarus-bench fuse`: the whole model says what base and adapter say, and the folder is whole."""

import json

import numpy as np
import pytest

from lazarus_bench.backend import mx, nn
from lazarus_bench.models import lab
from lazarus_bench.models.load import load
from lazarus_bench.training import Sft


def logits(directory, adapter=None):
    loaded = load(directory, adapter)
    return np.array(loaded.model(mx.array([loaded.encode("7 * 8 = ")])))


def test_the_folder_is_a_model_that_says_the_same(told, tiny, adapter, tmp_path):
    out = tmp_path / "models" / "fused"
    code, said, err = told(tiny, "--adapter", adapter, "--output", out, "--json")
    result = json.loads(said)["result"]
    assert (code, err) == (0, "")
    np.testing.assert_allclose(logits(out), logits(tiny, adapter), atol=1e-4)
    assert result["change"]["adapter"] > 0.01
    assert result["change"]["fusing"] < 1e-4
    assert not result["already_there"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert {"model.safetensors", "config.json", "spec.json"} <= set(manifest["files"])
    assert [path.name for path in out.parent.iterdir()] == ["fused"]


def test_the_same_again_is_there_already(told, tiny, adapter, tmp_path):
    out = tmp_path / "fused"
    asked = [tiny, "--adapter", adapter, "--output", out]
    assert told(*asked)[0] == 0
    before = (out / "manifest.json").stat().st_mtime_ns
    code, said, _ = told(*asked)
    assert code == 0
    assert "is already in" in said
    assert (out / "manifest.json").stat().st_mtime_ns == before
    code, _, err = told(*asked, "--dequantise")
    assert code == 2
    assert "is not empty" in err


def test_a_folder_of_something_else_stays_as_it_is(told, tiny, adapter, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    code, out, err = told(tiny, "--adapter", adapter, "--output", tmp_path)
    assert (code, out) == (2, "")
    assert "is not empty (it has thesis.txt)" in err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(told, tiny, adapter, tmp_path, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("[write] Unable to write 8 bytes to file.")

    monkeypatch.setattr("mlx_lm.utils.mx.save_safetensors", full)
    code, out, err = told(tiny, "--adapter", adapter, "--output", tmp_path / "new" / "fused")
    assert (code, out) == (2, "")
    assert "fused (no space left on device): free space" in err
    assert not list((tmp_path / "new").iterdir())


def test_a_damaged_folder_is_named(told, tiny, adapter, tmp_path):
    out = tmp_path / "fused"
    asked = [tiny, "--adapter", adapter, "--output", out]
    told(*asked)
    (out / "config.json").write_text("{}")
    code, _, err = told(*asked)
    assert code == 2
    assert "config.json's size differs" in err


@pytest.fixture
def four_bits(tmp_path):
    """A model of quantised linears, and an adapter of it that does little."""
    size = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 32}
    config = lab.config_of("llama") | size | heads
    model, directory = lab.initialise(config, 0), tmp_path / "four"
    directory.mkdir()
    nn.quantize(model, group_size=32, bits=4)
    quantised = {"quantization": {"group_size": 32, "bits": 4}}
    lab.save(model, config | quantised, directory)
    out = tmp_path / "small"
    out.mkdir()
    spec = Sft(steps=1, batch=4, examples=8, validation=4, checkpoints=(), rank=2)
    spec.train(directory, out, 0, show=False)
    return directory, out


def test_a_quantised_model_tells_what_is_lost(told, four_bits, tmp_path):
    directory, small = four_bits
    asked = [directory, "--adapter", small, "--output"]
    _, said, _ = told(*asked, tmp_path / "again")
    assert "much of the adapter is lost" in said
    _, said, _ = told(*asked, tmp_path / "exact", "--dequantise", "--json")
    change = json.loads(said)["result"]["change"]
    assert change["fusing"] < 0.01 * change["adapter"]


def test_an_adapter_is_needed(told, tiny, tmp_path):
    code, _, err = told(tiny, "--output", tmp_path / "fused")
    assert code == 2
    assert "give --adapter" in err
    code, _, err = told(tiny, "--adapter", tmp_path, "--output", tmp_path / "fused")
    assert code == 2
    assert "is not an adapter" in err
