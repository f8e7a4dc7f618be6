"""Fuse: base and adapter as one model, with the same logits, tokenizer and configuration."""

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from families import made, small_llama

from lazarus_bench.analysis.logits import relative_difference
from lazarus_bench.backend import mx, nn
from lazarus_bench.models import lab
from lazarus_bench.models.load import load
from lazarus_bench.training import Fuse, Sft, fuse
from lazarus_bench.training.recipe import Stack, Targets

TOKENS = mx.array([[0, 5, 9, 300], [0, 7, 7, 12]])
FLOAT32 = 1e-4
ROUNDING = 1e-3
"""Of a quantisation step: what float32 adds to errors in weights."""

REQUANTISED = 0.25
"""Of the logits' standard deviation: what quantising to 4 bits again may move them (root mean
square), whatever the adapter did."""

SHORT = {"steps": 1, "learning_rate": 1e-4}, {"steps": 20, "learning_rate": 1e-4}
TRAININGS = [
    *((targets, {}) for targets in get_args(Targets)),
    *(("all", short) for short in SHORT),
    ("qk", SHORT[0]),
]
"""From adapters that move the logits less than quantising does to those that move them far."""


def trained(base: Path, out: Path, **what) -> Path:
    """An adapter that moves the logits by a good part of their size."""
    usual = {"steps": 4, "learning_rate": 1e-2} | what
    spec = Sft(batch=4, examples=20, validation=4, checkpoints=(), **usual)
    out.mkdir()
    spec.train(base, out, 0, show=False)
    return out


def fused(base: Path, adapter: Path, out: Path, **what) -> Path:
    out.mkdir()
    Fuse(**what).train(Stack(model=base, adapter=adapter), out, 0, show=False)
    return out


def logits(model: Path, adapter: Path | None = None) -> np.ndarray:
    """`[prompt · position, token]`."""
    found = np.array(load(model, adapter).model(TOKENS).astype(mx.float32), dtype=np.float64)
    return found.reshape(-1, found.shape[-1])


def apart(first: np.ndarray, second: np.ndarray) -> float:
    return float(relative_difference(first, second).max())


@pytest.mark.parametrize("what", [*get_args(Targets), "full"])
def test_fused_and_unfused_agree(what, tiny, tmp_path):
    spec = {"full": True} if what == "full" else {"targets": what, "rank": 4}
    adapter = trained(tiny, tmp_path / "adapter", **spec)
    whole = fused(tiny, adapter, tmp_path / "fused")
    unfused = logits(tiny, adapter)
    assert apart(logits(whole), unfused) <= FLOAT32
    assert apart(logits(tiny), unfused) > 100 * FLOAT32


def test_another_adapter_can_be_trained_on_top(tiny, tmp_path):
    adapter = trained(tiny, tmp_path / "adapter", rank=4)
    whole = fused(tiny, adapter, tmp_path / "fused")
    again = trained(whole, tmp_path / "again", rank=2)
    assert apart(logits(whole, again), logits(whole)) > 100 * FLOAT32
    both = fused(whole, again, tmp_path / "both")
    assert apart(logits(both), logits(whole, again)) <= FLOAT32


def test_it_is_a_model_in_hugging_face_layout(tiny, tmp_path):
    whole = fused(tiny, trained(tiny, tmp_path / "adapter"), tmp_path / "fused")
    assert json.loads((whole / "config.json").read_text()) == json.loads(
        (tiny / "config.json").read_text()
    )
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        assert (whole / name).read_bytes() == (tiny / name).read_bytes()
    assert not (whole / "adapters.safetensors").exists()
    names = set(mx.load(str(whole / "model.safetensors")))
    assert names == set(mx.load(str(tiny / "model.safetensors")))


@pytest.fixture(scope="module")
def quantised(tmp_path_factory) -> Path:
    """A small base in 4 bits."""
    return small_llama(tmp_path_factory.mktemp("quantised"), width=64, layers=3, heads=2, bits=4)


def quantised_parts(model: nn.Module) -> dict[str, nn.Module]:
    return {name: part for name, part in model.named_modules() if hasattr(part, "scales")}


def errors_in_steps(part: nn.Module, exact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|weight − exact| in quantisation steps of the weight's group, and whether it was clipped."""
    found = np.array(
        mx.dequantize(part.weight, part.scales, part.biases, part.group_size, part.bits)
    )
    step, first = (
        np.repeat(np.array(x), part.group_size, axis=1) for x in (part.scales, part.biases)
    )
    level = (exact - first) / step
    clipped = (level < -ROUNDING) | (level > 2**part.bits - 1 + ROUNDING)
    return np.abs(found - exact) / np.abs(step), clipped


@pytest.mark.parametrize(("targets", "training"), TRAININGS)
def test_a_quantised_base_stays_quantised_within_the_bounds(targets, training, quantised, tmp_path):
    adapter = trained(quantised, tmp_path / "adapter", targets=targets, rank=4, **training)
    whole = fused(quantised, adapter, tmp_path / "fused")
    exact = fuse.fuse(load(quantised, adapter).model, dequantise=True)
    sums = {name: np.array(part.weight) for name, part in exact.named_modules() if "weight" in part}
    parts = quantised_parts(load(whole).model)
    assert parts.keys() == quantised_parts(load(quantised).model).keys()
    for name, part in parts.items():
        errors, clipped = errors_in_steps(part, sums[name])
        assert errors[~clipped].max() <= 0.5 + ROUNDING
        assert errors.max() <= 1 + ROUNDING
        assert clipped.mean() < 0.05
    unfused = logits(quantised, adapter)
    moved = np.sqrt(np.square(logits(whole) - unfused).mean())
    assert 0 < moved <= REQUANTISED * unfused.std()


def test_quantising_again_can_move_the_logits_more_than_a_small_adapter_did(quantised, tmp_path):
    """Why `dequantise` is there, and no bound is a share of the adapter's effect."""
    adapter = trained(quantised, tmp_path / "adapter", targets="qk", rank=4, **SHORT[0])
    unfused = logits(quantised, adapter)
    effect = apart(logits(quantised), unfused)
    requantised = fused(quantised, adapter, tmp_path / "fused")
    whole = fused(quantised, adapter, tmp_path / "float", dequantise=True)
    assert apart(logits(requantised), unfused) > effect > 10 * apart(logits(whole), unfused)


@pytest.mark.parametrize("targets", get_args(Targets))
def test_dequantised_it_is_exact_and_float_throughout(targets, quantised, tmp_path):
    adapter = trained(quantised, tmp_path / "adapter", targets=targets, rank=4)
    whole = fused(quantised, adapter, tmp_path / "fused", dequantise=True)
    assert apart(logits(whole), logits(quantised, adapter)) <= FLOAT32
    assert "quantization" not in json.loads((whole / "config.json").read_text())
    weights = mx.load(str(whole / "model.safetensors"))
    assert {w.dtype for w in weights.values()} == {mx.float32}
    assert not any(name.endswith(".scales") for name in weights)


def as_transformers_saves(family: str, base: Path) -> dict[str, mx.array]:
    """Weights of a small model of mlx-lm's under the names and in the shapes of transformers."""
    weights = dict(mx.load(str(base / "model.safetensors")))
    if family == "gpt2":
        plain = {name.removeprefix("model."): w for name, w in weights.items()}
        turned = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
        found = {name: w.T if name.endswith(turned) else w for name, w in plain.items()}
        return found | {"h.0.attn.bias": mx.ones((1, 1, 8, 8))}
    own = {"gate_proj": "w1", "down_proj": "w2", "up_proj": "w3"}
    found = {}
    for name, w in weights.items():
        stem, stacked, part = name.partition("switch_mlp.")
        if stacked:
            part = own[part.removesuffix(".weight")]
            found |= {f"{stem}experts.{n}.{part}.weight": expert for n, expert in enumerate(w)}
        else:
            found[name] = w
    return found


TOKENIZER_KEYS = ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id")
MOVED = {
    "gpt2": ("h.0.attn.c_attn.weight", "h.2.mlp.c_proj.weight"),
    "mixtral": (
        "model.layers.0.self_attn.q_proj.weight",
        "model.layers.2.block_sparse_moe.experts.1.w2.weight",
    ),
}


@pytest.mark.parametrize(
    ("family", "dtype"), [("gpt2", "float32"), ("gpt2", "bfloat16"), ("mixtral", "float32")]
)
def test_fused_weights_have_the_names_and_shapes_of_the_bases_files(family, dtype, tmp_path):
    """Transformers starts from random weights, silently, where it does not know a name."""
    base = tmp_path / "base"
    ours = lab.config_of("llama")
    small = made(family, **{key: ours[key] for key in TOKENIZER_KEYS})
    base.mkdir()
    lab.save(small.model, small.config, base)
    kind = getattr(mx, dtype)
    stored = {name: w.astype(kind) for name, w in as_transformers_saves(family, base).items()}
    mx.save_safetensors(str(base / "model.safetensors"), stored)
    adapter = trained(base, tmp_path / "adapter", full=True)
    # Of a base that is not quantised, `dequantise` asks for nothing more.
    whole = fused(base, adapter, tmp_path / "fused", dequantise=dtype == "bfloat16")
    found = mx.load(str(whole / "model.safetensors"))
    assert {name: (w.shape, w.dtype) for name, w in found.items()} == {
        name: (w.shape, w.dtype) for name, w in stored.items()
    }
    assert not any(mx.array_equal(found[name], stored[name]) for name in MOVED[family])
    assert all(mx.array_equal(found[name], stored[name]) for name in found if "wte" in name)
    assert apart(logits(whole), logits(base, adapter)) <= FLOAT32
