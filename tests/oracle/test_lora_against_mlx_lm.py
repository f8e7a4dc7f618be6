"""mlx-lm takes our adapters: loaded or fused, they give the logits they gave in memory."""

import sys
from pathlib import Path

import numpy as np
import pytest

from lazarus_bench.backend import mx
from lazarus_bench.models.load import load
from lazarus_bench.training import DualReward, Sft, dual_reward, sft

pytestmark = pytest.mark.oracle

TOKENS = mx.array([[0, 5, 9, 300], [0, 7, 7, 12]])
SMALL = {"steps": 3, "batch": 4, "examples": 20, "learning_rate": 1e-2}
SPECS = {
    "sft-lora": Sft(validation=8, checkpoints=(), **SMALL),
    "sft-full": Sft(full=True, validation=8, checkpoints=(), **SMALL),
    "dual-vo": DualReward(rank=4, **SMALL),
    "dual-mlp": DualReward(rank=4, targets="mlp", alpha=20.0, **SMALL),
}


@pytest.fixture(scope="module", params=SPECS)
def trained(request, tiny, tmp_path_factory) -> tuple[Path, np.ndarray]:
    """An adapter, and the logits of the trained model in memory."""
    out = tmp_path_factory.mktemp(request.param)
    module = sft if isinstance(SPECS[request.param], Sft) else dual_reward
    kept = []
    save = module.save_adapter

    def save_and_keep(loaded, directory, lora):
        kept.append(np.array(loaded.model(TOKENS)))
        save(loaded, directory, lora)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "save_adapter", save_and_keep)
        SPECS[request.param].train(tiny, out, 0, show=False)
    return out, kept[-1]


def test_mlx_lm_and_our_loader_load_the_adapter(trained, tiny):
    import mlx_lm

    out, in_memory = trained
    model, tokenizer = mlx_lm.load(str(tiny), adapter_path=str(out))[:2]
    base = np.array(mlx_lm.load(str(tiny))[0](TOKENS))
    np.testing.assert_allclose(np.array(model(TOKENS)), in_memory, atol=1e-5)
    assert np.abs(base - in_memory).max() > 1e-2
    mlx_lm.generate(model, tokenizer, prompt="7 * 8 = ", max_tokens=3, verbose=False)
    np.testing.assert_allclose(np.array(load(tiny, out).model(TOKENS)), in_memory, atol=1e-5)


def test_mlx_lm_fuse_accepts_it(trained, tiny, tmp_path, monkeypatch):
    from mlx_lm import fuse

    out, in_memory = trained
    fused = tmp_path / "fused"
    options = {"--model": tiny, "--adapter-path": out, "--save-path": fused}
    words = [str(word) for option in options.items() for word in option]
    monkeypatch.setattr(sys, "argv", ["mlx_lm.fuse", *words])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    fuse.main()
    logits = np.array(load(fused).model(TOKENS))
    np.testing.assert_allclose(logits, in_memory, atol=1e-4)
