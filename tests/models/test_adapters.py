"""Adapters: counts, ranks that match a budget, and what may be trained."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx.utils import tree_map
from safetensors.numpy import load_file, save_file

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.adapters import (
    Lora,
    add_lora,
    largest_weight,
    lora_parameters,
    matched_rank,
    save_adapter,
    trainable_parameters,
    unfreeze_blocks,
    without_adapter,
)
from lazarus_bench.models.anatomy import part
from lazarus_bench.models.families import anatomy_of
from lazarus_bench.models.lab import build
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.tasks.arithmetic import Operation

TARGETS = {
    "vo": ("v", "o"),
    "qk": ("q", "k"),
    "mlp": ("gate", "up", "down"),
    "all": ("q", "k", "v", "o", "gate", "up", "down"),
}


def random_llama(width, intermediate, kv_heads, head_dim, layers=2) -> LoadedModel:
    config = {
        "model_type": "llama",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "intermediate_size": intermediate,
        "num_attention_heads": 4,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "rms_norm_eps": 1e-5,
        "vocab_size": 11,
    }
    made = {"model": build(config), "anatomy": anatomy_of(config)}
    return LoadedModel(name="random", tokenizer=None, config=config, **made)


@settings(max_examples=10)
@given(
    kv_heads=st.sampled_from([1, 2, 4]),
    head_dim=st.sampled_from([4, 8]),
    width=st.sampled_from([16, 40]),
    intermediate=st.sampled_from([24, 56]),
    layers=st.integers(1, 3),
    rank=st.integers(1, 9),
)
@pytest.mark.parametrize("targets", TARGETS)
def test_counts_equal_the_configurations_formula(
    targets, kv_heads, head_dim, width, intermediate, layers, rank
):
    """An adapter of a map from `i` to `o` features has `rank · (i + o)` parameters."""
    queries, values = 4 * head_dim, kv_heads * head_dim
    features = {"q": queries, "k": values, "v": values, "o": queries}
    features |= dict.fromkeys(("gate", "up", "down"), intermediate)
    loaded = random_llama(width, intermediate, kv_heads, head_dim, layers)
    keys = loaded.anatomy.target_keys(targets)
    expected = layers * rank * sum(width + features[name] for name in TARGETS[targets])
    assert lora_parameters(loaded, keys, rank) == expected
    add_lora(loaded, Lora(keys=keys, rank=rank, scale=1.0))
    assert trainable_parameters(loaded) == expected


def test_a_quantised_linear_counts_by_its_true_shape():
    loaded = random_llama(width=64, intermediate=64, kv_heads=4, head_dim=16)
    keys = loaded.anatomy.target_keys("vo")
    before = lora_parameters(loaded, keys, 4)
    nn.quantize(loaded.model, group_size=32, bits=4)
    assert isinstance(loaded.model.model.layers[0].self_attn.v_proj, nn.QuantizedLinear)
    assert lora_parameters(loaded, keys, 4) == before


@given(budget=st.integers(1, 200_000), targets=st.sampled_from(list(TARGETS)))
def test_no_other_rank_comes_closer_to_the_budget(tiny_model, budget, targets):
    keys = tiny_model.anatomy.target_keys(targets)
    rank = matched_rank(tiny_model, keys, budget)
    assert rank >= 1

    def miss(candidate: int) -> int:
        return abs(lora_parameters(tiny_model, keys, candidate) - budget)

    assert miss(rank) <= miss(rank + 1)
    assert rank == 1 or miss(rank) <= miss(rank - 1)


def test_an_adapter_changes_nothing_before_it_is_trained(tiny, tiny_model):
    loaded = load(tiny)
    tokens = mx.array([loaded.encode(f"7 {Operation.ADD.symbol} 8 = ")])
    before = np.array(tiny_model.model(tokens))
    add_lora(loaded, Lora(keys=loaded.anatomy.target_keys("all"), rank=4, scale=20.0))
    assert np.array_equal(np.array(loaded.model(tokens)), before)


def test_without_the_adapter_a_model_is_its_base(tiny):
    tokens = mx.array([[0, 5, 6, 7]])
    loaded = load(tiny)
    base = np.array(loaded.model(tokens))
    add_lora(loaded, Lora(keys=loaded.anatomy.target_keys("vo"), rank=2, scale=2.0))
    trainable = loaded.model.trainable_parameters()
    loaded.model.update(tree_map(lambda w: w + 0.1, trainable))
    adapted = np.array(loaded.model(tokens))
    with without_adapter(loaded.model):
        assert np.array_equal(np.array(loaded.model(tokens)), base)
    assert np.array_equal(np.array(loaded.model(tokens)), adapted)
    assert not np.allclose(adapted, base)


@pytest.fixture(params=["lora", "full"])
def adapter(request, tiny, tmp_path):
    """A whole adapter of the kind that the parameter names."""
    loaded, lora = load(tiny), Lora(keys=("self_attn.v_proj",), rank=2, scale=1.0)
    if request.param == "lora":
        add_lora(loaded, lora)
    else:
        unfreeze_blocks(loaded)
    save_adapter(loaded, tmp_path, lora if request.param == "lora" else None)
    return tmp_path


def keep(wanted):
    def change(directory):
        file = directory / "adapters.safetensors"
        names = enumerate(sorted(load_file(file).items()))
        save_file({name: w for place, (name, w) in names if wanted(place, name)}, file)

    return change


def as_type(dtype):
    def change(directory):
        file = directory / "adapters.safetensors"
        save_file({name: w.astype(dtype) for name, w in load_file(file).items()}, file)

    return change


def not_numbers(directory):
    file = directory / "adapters.safetensors"
    save_file({name: np.full_like(w, np.nan) for name, w in load_file(file).items()}, file)


def overlapping(directory):
    file = directory / "adapters.safetensors"
    content = file.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    first, second = [name for name in sorted(header) if name != "__metadata__"][:2]
    header[second]["data_offsets"] = header[first]["data_offsets"]
    text = json.dumps(header).encode().ljust(size)
    file.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


def other_kind(directory):
    file = directory / "adapter_config.json"
    config = json.loads(file.read_text())
    other = {"lora": "full", "full": "lora"}[config["fine_tune_type"]]
    file.write_text(json.dumps(config | {"fine_tune_type": other}))


def dora(directory):
    file = directory / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"fine_tune_type": "dora"}))


def layers_of_text(directory):
    file = directory / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_layers": "all"}))


def no_configuration(directory):
    (directory / "adapter_config.json").unlink()


PARTS = {
    "half of the tensors": (keep(lambda place, _: place % 2), "lacks"),
    "half of one kind": (
        keep(lambda _, name: not name.endswith(("lora_a", "norm.weight"))),
        "lacks",
    ),
    "the first block": (keep(lambda _, name: ".layers.0." not in name), "lacks"),
    "whole numbers": (as_type(np.int32), r"holds \S+ as I32, which is none of F32"),
    "not numbers": (not_numbers, "with the adapter .* logits are not finite"),
    "no tensors": (keep(lambda *_: False), "holds no tensors"),
    "overlapping offsets": (overlapping, "is damaged or cut short"),
    "the other kind": (other_kind, "says fine_tune_type"),
    "dora": (dora, "says fine_tune_type 'dora'"),
    "layers that are no number": (layers_of_text, "has num_layers 'all'"),
    "no configuration": (no_configuration, "has no adapter_config"),
}


@pytest.mark.parametrize(("damage", "says"), PARTS.values(), ids=PARTS)
def test_an_adapter_is_whole_or_refused(tiny, adapter, damage, says):
    load(tiny, adapter)
    damage(adapter)
    with pytest.raises(UserError, match=says) as error:
        load(tiny, adapter)
    assert str(adapter) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("adapter", ["lora"], indirect=True)
@pytest.mark.parametrize("name", ["rank", "scale", "dropout"])
@pytest.mark.parametrize("value", [{}, "1", None, True, [1], 10**30, -(10**30), float("nan")])
def test_an_adapters_numbers_are_numbers(tiny, adapter, name, value):
    file = adapter / "adapter_config.json"
    config = json.loads(file.read_text())
    config["lora_parameters"][name] = value
    file.write_text(json.dumps(config))
    with pytest.raises(UserError, match=f"has the {name}"):
        load(tiny, adapter)


def test_the_largest_weight_is_of_b_alone(tiny, tmp_path):
    loaded = load(tiny)
    lora = Lora(keys=("self_attn.v_proj",), rank=2, scale=2.0)
    add_lora(loaded, lora)
    save_adapter(loaded, tmp_path / "fresh", lora)
    assert largest_weight(tmp_path / "fresh") == 0
    moved = part(loaded.model, loaded.anatomy.layers)[1].self_attn.v_proj
    moved.lora_b = moved.lora_b.at[0, 0].add(-0.25)
    save_adapter(loaded, tmp_path / "moved", lora)
    assert largest_weight(tmp_path / "moved") == 0.25


def test_full_weights_are_no_lora(tiny, tmp_path):
    loaded = load(tiny)
    unfreeze_blocks(loaded)
    save_adapter(loaded, tmp_path, None)
    with pytest.raises(ValueError, match="contains no LoRA"):
        largest_weight(tmp_path)
