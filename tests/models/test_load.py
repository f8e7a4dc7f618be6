"""Loading: bad input is one clear sentence, and nothing of it is executed or unpickled."""

import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lazarus_bench.errors import UserError
from lazarus_bench.jobs.subjects import subject
from lazarus_bench.models import files
from lazarus_bench.models.load import load


def truncate(file: Path, keep: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * keep)])


def edit(directory: Path, **changes: object) -> None:
    file = directory / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def without_config(directory):
    (directory / "config.json").unlink()


def bad_json(directory):
    truncate(directory / "config.json", 0.5)


def binary_config(directory):
    (directory / "config.json").write_bytes(b"\xff\xfe\x00\x81")


def list_config(directory):
    (directory / "config.json").write_text("[1, 2]")


def no_model_type(directory):
    (directory / "config.json").write_text('{"hidden_size": 48}')


def half_the_weights(directory):
    truncate(directory / "model.safetensors", 0.5)


def whole_header_cut_data(directory):
    file = directory / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def no_weights_at_all(directory):
    (directory / "model.safetensors").write_bytes(b"")


def weights_of_text(directory):
    (directory / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1")


def only_pickled_weights(directory):
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")


def without_tokenizer(directory):
    (directory / "tokenizer.json").unlink()


BROKEN_FILES = {
    without_config: "has no config.json",
    bad_json: "config.json is not valid JSON",
    binary_config: "config.json is not valid JSON",
    list_config: "names no model_type",
    no_model_type: "names no model_type",
    half_the_weights: "model.safetensors is damaged or cut short",
    whole_header_cut_data: "model.safetensors is damaged or cut short",
    no_weights_at_all: "model.safetensors is damaged or cut short",
    weights_of_text: "model.safetensors is damaged or cut short",
    only_pickled_weights: r"has no model\*\.safetensors",
    without_tokenizer: "has no tokenizer",
}


def unknown_family(directory):
    edit(directory, model_type="mamba")


def one_weight_missing(directory):
    weights = load_file(directory / "model.safetensors")
    del weights["model.layers.1.self_attn.v_proj.weight"]
    save_file(weights, directory / "model.safetensors")


def other_shape(directory):
    edit(directory, hidden_size=96)


def far_too_large(directory):
    edit(directory, vocab_size=10**9)


def broken_tokenizer(directory):
    (directory / "tokenizer.json").write_text("{}")


def not_numbers(directory):
    weights = load_file(directory / "model.safetensors")
    weights["model.norm.weight"] = np.full_like(weights["model.norm.weight"], np.nan)
    save_file(weights, directory / "model.safetensors")


def a_pipe(directory):
    os.mkfifo(directory / "added_tokens.json")


def says(**changes):
    def breaks(directory):
        edit(directory, **changes)

    breaks.__name__ = "_".join(changes) + str(*changes.values())
    return breaks


def tokenizer_says(directory):
    (directory / "tokenizer_config.json").write_text('{"model_max_length": "long"}')


def one_tensor_as(dtype):
    def breaks(directory):
        weights = load_file(directory / "model.safetensors")
        weights["model.norm.weight"] = weights["model.norm.weight"].astype(dtype)
        save_file(weights, directory / "model.safetensors")

    return breaks


def not_quantised(directory):
    one_tensor_as(np.int32)(directory)
    edit(directory, quantization_note="none", quantization_config={})


def a_tensor_twice(directory):
    weights = load_file(directory / "model.safetensors")
    only = {"model.norm.weight": weights["model.norm.weight"]}
    save_file(only, directory / "model-00002.safetensors")


WRONG_TYPES = {
    says(rope_theta="large"): "rope_theta is 'large': it must be a number above 0",
    says(rope_theta=[1e4, "x"]): "rope_theta is 'x'",
    says(max_position_embeddings="128"): "max_position_embeddings is '128'",
    says(max_position_embeddings=float("inf")): "max_position_embeddings is inf",
    says(num_hidden_layers=True): "num_hidden_layers is True",
    says(vocab_size=10**20): "vocab_size is 100000000000000000000: it must be a whole number",
    says(text_config=3): "text_config is 3: it must be an object",
    says(text_config={"rope_theta": -1}): "in text_config that rope_theta is -1",
    says(rope_theta=[]): r"rope_theta is \[\]: it must be a number",
    says(rope_parameters=[1]): r"rope_parameters is \[1\]: it must be an object",
    says(rope_parameters={"full_attention": {}, "sliding_attention": 3}): "sliding_attention is 3",
    says(rope_scaling={"type": "linear", "factor": 0}): "in rope_scaling that factor is 0",
    says(quantization="4 bits"): "quantization is '4 bits': it must be an object",
}
BROKEN_FILES |= WRONG_TYPES
BROKEN_FILES |= {
    says(num_hidden_layers=10**9): "too few for the 1000000000 layers",
    a_pipe: "is a pipe or a device",
    tokenizer_says: "model_max_length is 'long'",
    one_tensor_as(np.float16): "holds model.norm.weight as F16, where .* say F32",
    one_tensor_as(np.int32): "holds model.norm.weight as I32",
    not_quantised: "holds model.norm.weight as I32",
    a_tensor_twice: r"the tensor model.norm.weight in .* and in model",
}


BROKEN_MODELS = BROKEN_FILES | {
    unknown_family: r"'mamba'.*lazarus_bench/models/families\.py",
    one_weight_missing: "could not be loaded by mlx-lm",
    far_too_large: "could not be loaded by mlx-lm",
    other_shape: "could not be loaded by mlx-lm",
    broken_tokenizer: "could not be loaded by mlx-lm",
    not_numbers: "not finite",
    says(rope_theta=[1e4, 1e4]): "cannot read a text as its config.json describes it: TypeError: ",
    says(rope_scaling={"rope_type": "llama3"}): "KeyError: 'factor': correct its config.json",
}


def name_of(case):
    return getattr(case, "__name__", "")


@pytest.fixture
def model(tiny, tmp_path) -> Path:
    directory = tmp_path / "model"
    shutil.copytree(tiny, directory)
    return directory


def one_sentence(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert "Traceback" not in text
    return text


@pytest.mark.parametrize(("breaks", "says"), BROKEN_MODELS.items(), ids=name_of)
def test_a_broken_model_is_one_sentence_that_names_it(model, breaks, says):
    breaks(model)
    with pytest.raises(UserError, match=says) as error:
        load(model)
    assert str(model) in one_sentence(error) or breaks is unknown_family


@pytest.mark.parametrize(("breaks", "says"), BROKEN_FILES.items(), ids=name_of)
def test_a_broken_subject_is_refused_before_any_job_runs(model, breaks, says):
    breaks(model)
    with pytest.raises(UserError, match=says) as error:
        subject(str(model))
    assert str(model) in one_sentence(error)


@pytest.mark.parametrize("ask", [load, subject], ids=["load", "subject"])
@pytest.mark.parametrize("source", ["/no/such/model", "./no-model", "llama"])
def test_a_directory_that_does_not_exist(ask, source):
    with pytest.raises(UserError, match="does not exist: give a model directory") as error:
        ask(source)
    assert source in one_sentence(error)


@pytest.mark.parametrize("ask", [load, subject], ids=["load", "subject"])
def test_a_file_is_not_a_model(ask, model):
    with pytest.raises(UserError, match=r"model\.safetensors is a file: give the directory"):
        ask(str(model / "model.safetensors"))


def test_a_hub_id_that_cannot_be_fetched(monkeypatch):
    import mlx_lm.utils

    def refuse(source: str) -> str:
        raise OSError("offline\nsecond line")

    monkeypatch.setattr(mlx_lm.utils, "_download", refuse)
    with pytest.raises(
        UserError, match=r"nobody/nothing.*could not be downloaded.*OSError"
    ) as error:
        subject("nobody/nothing")
    one_sentence(error)


MARK = "lazarus_remote_code_ran"


def test_a_custom_model_file_is_not_executed(model, tmp_path):
    (model / "evil.py").write_text(f"import sys\nsys.{MARK} = True\nraise SystemExit(3)\n")
    edit(model, model_file="evil.py")
    with pytest.raises(UserError, match=r"\(model_file\), which is never run"):
        load(model)
    assert not hasattr(sys, MARK)


@pytest.mark.parametrize("ask", [load, subject], ids=["load", "subject"])
@pytest.mark.parametrize("listed", [dict, list])
def test_code_of_a_tokenizer_is_refused_without_a_question(
    model, tmp_path, monkeypatch, ask, listed
):
    plant_tokenizer(model, tmp_path / "ran", listed)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    with pytest.raises(UserError, match=r"auto_map.*never run: save the tokenizer") as error:
        ask(str(model))
    assert "tokenizer_config.json" in one_sentence(error)
    assert not (tmp_path / "ran").exists()


def test_transformers_is_told_to_run_no_code(model, tmp_path, monkeypatch):
    plant_tokenizer(model, tmp_path / "ran", dict)
    monkeypatch.setattr(files, "_refuse_code", lambda *_: None, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    with suppress(UserError):
        load(model)
    assert not (tmp_path / "ran").exists()


def plant_tokenizer(model: Path, marker: Path, listed: type) -> None:
    """Give `model` a tokenizer whose Python file writes `marker` when it is run."""
    (model / "evil.py").write_text(
        f"open({str(marker)!r}, 'w').close()\n"
        "from transformers import PreTrainedTokenizerFast\n"
        "class Evil(PreTrainedTokenizerFast): pass\n"
    )
    names = ["evil.Evil", "evil.Evil"]
    custom = {"AutoTokenizer": names} if listed is dict else names
    file = model / "tokenizer_config.json"
    said = json.loads(file.read_text()) | {"tokenizer_class": "Evil", "auto_map": custom}
    file.write_text(json.dumps(said))


def test_pickles_beside_the_weights_are_not_opened(model, tiny_model):
    class Bomb:
        def __reduce__(self):
            return exec, (f"import sys; sys.{MARK} = True",)

    import pickle

    for name in ("pytorch_model.bin", "model.pt", "optimizer.pkl"):
        (model / name).write_bytes(pickle.dumps(Bomb()))
    loaded = load(model)
    assert loaded.depth == tiny_model.depth
    assert not hasattr(sys, MARK)


def test_a_missing_adapter_is_a_users_error(tiny, tmp_path):
    with pytest.raises(UserError, match="adapter"):
        load(tiny, tmp_path / "none")


def test_what_is_loaded_knows_its_name_depth_and_middle(tiny):
    loaded = load(tiny)
    assert loaded.name == str(tiny)
    assert load(tiny, name="short").name == "short"
    assert (loaded.depth, loaded.classifier_layer) == (4, 2)
    assert loaded.encode("7 * 8 = ")[0] == loaded.tokenizer.bos_token_id
    assert loaded.encode("7 * 8 = ").count(loaded.tokenizer.bos_token_id) == 1


def test_real_checkpoints_load(shared):
    depths = {d.name: load(d).depth for d in sorted((shared / "models").iterdir())}
    assert depths == {"TinyStories-656K": 2, "stories260K": 5}
