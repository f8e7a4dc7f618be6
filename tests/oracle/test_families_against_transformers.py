"""Every family's forward pass, block by block, equals transformers' on the same random weights.

The weights are drawn in transformers, saved by it, and read by `models.load` as any model of the
hub is: mlx-lm's own `sanitize` turns the names, except for gpt_oss, whose files on the hub hold
quantised experts in a layout of their own; its plain experts are laid out here.

A difference is relative when it is the largest over all positions and dimensions, divided by the
root mean square of transformers' values.
"""

import numpy as np
import pytest

from lazarus_bench.backend import mx
from lazarus_bench.models import lab, lab_tokenizer
from lazarus_bench.models.load import load
from lazarus_bench.models.taps import tapped

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.oracle

RELATIVE = 1e-3
LENGTH = 24
WINDOW = 8
SHAPE = {
    "vocab_size": 199,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "rope_parameters": {"rope_type": "default", "rope_theta": 700.0},
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
    "attn_implementation": "eager",
}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 700.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN_ROPE = {
    "rope_type": "yarn",
    "rope_theta": 700.0,
    "factor": 4.0,
    "beta_fast": 4.0,
    "beta_slow": 1.0,
    "original_max_position_embeddings": 32,
    "truncate": True,
}
FAMILIES = {
    "llama": ("Llama", {"head_dim": 16, "rope_parameters": LLAMA3_ROPE}),
    "granite": (
        "Granite",
        {
            "logits_scaling": 8.0,
            "attention_multiplier": 0.2,
            "embedding_multiplier": 12.0,
            "residual_multiplier": 0.22,
            "tie_word_embeddings": True,
        },
    ),
    "qwen2": ("Qwen2", {"tie_word_embeddings": False}),
    "mistral": ("Mistral", {"head_dim": 16, "sliding_window": LENGTH}),
    "gemma2": (
        "Gemma2",
        {
            "head_dim": 16,
            "query_pre_attn_scalar": 20,
            "final_logit_softcapping": 5.0,
            "attn_logit_softcapping": 4.0,
            "sliding_window": LENGTH,
        },
    ),
    "olmoe": ("Olmoe", {"num_experts": 8, "num_experts_per_tok": 3}),
    "mixtral": ("Mixtral", {"num_local_experts": 8, "num_experts_per_tok": 2}),
    "gpt2": ("GPT2", {"n_ctx": 128}),
    "gpt_oss": (
        "GptOss",
        {
            "head_dim": 16,
            "num_local_experts": 8,
            "num_experts_per_tok": 3,
            "sliding_window": WINDOW,
            "rope_parameters": YARN_ROPE,
        },
    ),
}


def tokens() -> np.ndarray:
    return np.random.default_rng(0).integers(3, SHAPE["vocab_size"], (2, LENGTH))


def drawn(family: str, **more: object):
    """A transformers model whose every parameter is random and large enough to matter."""
    torch.manual_seed(0)
    name, specific = FAMILIES[family]
    config = getattr(transformers, f"{name}Config")(**(SHAPE | specific | more))
    model = transformers.AutoModelForCausalLM.from_config(config).to(torch.float32).eval()
    with torch.no_grad():
        for weight in model.parameters():
            noise = torch.randn(weight.shape)
            scale = 0.3 if weight.ndim == 1 else 1.5 * weight.shape[-1] ** -0.5
            weight.copy_(scale * noise + (weight if weight.ndim == 1 else 0))
    return model


def saved(model, directory):
    """Files of `model` that mlx-lm reads."""
    # Names of gpt2 on the hub are those of the model without its head, which is tied.
    whole = model.config.model_type != "gpt2"
    (model if whole else model.base_model).save_pretrained(directory)
    lab_tokenizer.save(directory)
    if model.config.model_type == "gpt_oss":
        file = str(directory / "model.safetensors")
        mx.save_safetensors(file, dict(plain_experts(mx.load(file))))
    return directory


def plain_experts(weights):
    """gpt_oss: gates and values alternate in columns there, and stand apart, transposed, here."""
    for name, weight in weights.items():
        stem, both, kind = name.partition("gate_up_proj")
        if both:
            for first, part in enumerate(("gate_proj", "up_proj")):
                own = weight[..., first::2]
                if kind:
                    yield f"{stem}{part}.bias", own
                else:
                    yield f"{stem}{part}.weight", own.swapaxes(1, 2)
        elif name.endswith("experts.down_proj"):
            yield f"{name}.weight", weight.swapaxes(1, 2)
        else:
            yield name.replace("down_proj_bias", "down_proj.bias"), weight


def their_states(model, ids: np.ndarray) -> list[np.ndarray]:
    """What every block returns, then the logits; `hidden_states` would norm the last one."""
    found = []

    def keep(_module, _inputs, output):
        found.append((output[0] if isinstance(output, tuple) else output).numpy())

    hooks = [layer.register_forward_hook(keep) for layer in model.model.layers]
    with torch.no_grad():
        logits = model(torch.tensor(ids), use_cache=False).logits.numpy()
    for hook in hooks:
        hook.remove()
    return [*found, logits]


def our_states(directory, ids: np.ndarray) -> list[np.ndarray]:
    loaded = load(directory)
    with tapped(loaded.model, loaded.anatomy) as residuals:
        logits = loaded.model(mx.array(ids))
    return [np.array(state) for state in (*residuals, logits)]


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.sqrt((theirs**2).mean()))


def compared(model, directory, positions=slice(None)) -> list[float]:
    """Relative difference after every block, and of the logits, over some positions."""
    ours, theirs = our_states(saved(model, directory), tokens()), their_states(model, tokens())
    assert len(ours) == len(theirs) == SHAPE["num_hidden_layers"] + 1
    return [relative(a[:, positions], b[:, positions]) for a, b in zip(ours, theirs, strict=True)]


@pytest.mark.parametrize("family", sorted(FAMILIES.keys() - {"gpt2"}))
def test_every_block_and_the_logits(family, tmp_path):
    assert max(compared(drawn(family), tmp_path)) <= RELATIVE


def test_gpt_oss_with_another_window_is_another_model(tmp_path):
    """So the prompts above are long enough to try the window."""
    model = drawn("gpt_oss")
    ours = our_states(saved(model, tmp_path), tokens())
    theirs = their_states(drawn("gpt_oss", sliding_window=LENGTH), tokens())
    for mine, other in zip(ours, theirs, strict=True):
        assert relative(mine[:, :WINDOW], other[:, :WINDOW]) <= RELATIVE
        assert relative(mine[:, WINDOW:], other[:, WINDOW:]) > 10 * RELATIVE


@pytest.mark.parametrize("family", ["gemma2", "mistral", "mixtral"])
def test_mlx_lm_knows_no_sliding_window_of_these_families(family, tmp_path):
    """A known limit of mlx-lm: states agree up to the window and differ beyond it."""
    model = drawn(family, sliding_window=WINDOW)
    assert max(compared(model, tmp_path / "within", slice(WINDOW))) <= RELATIVE
    assert min(compared(model, tmp_path / "beyond", slice(WINDOW, None))) > 10 * RELATIVE


@pytest.mark.parametrize("rounded", [True, False])
def test_mlx_lm_rounds_the_range_of_yarn(rounded, tmp_path):
    """The other limit: gpt-oss-20b's own numbers, whose range is not rounded."""
    rope = {
        "rope_type": "yarn",
        "rope_theta": 150000.0,
        "factor": 32.0,
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "original_max_position_embeddings": 4096,
        "truncate": rounded,
    }
    size = {"head_dim": 64, "max_position_embeddings": 131072}
    found = compared(drawn("gpt_oss", rope_parameters=rope, **size), tmp_path)
    assert (max(found) <= RELATIVE) is rounded


@pytest.mark.parametrize("family", ["mixtral", "olmoe", "qwen2", "gemma2", "gpt2"])
def test_transformers_reads_a_fused_model_and_gives_our_logits(family, tmp_path):
    """It starts from random weights, without a word, where a name is not its own."""
    from lazarus_bench.training import Fuse, Sft
    from lazarus_bench.training.recipe import Stack

    folders = base, adapter, fused = [tmp_path / name for name in ("base", "adapter", "fused")]
    for folder in folders:
        folder.mkdir()
    saved(drawn(family, vocab_size=lab.config_of("llama")["vocab_size"]), base)
    recipe = Sft(steps=2, batch=4, examples=20, validation=4, checkpoints=(), learning_rate=1e-2)
    recipe.train(base, adapter, 0, show=False)
    Fuse().train(Stack(model=base, adapter=adapter), fused, 0, show=False)
    ours = np.array(load(base, adapter).model(mx.array(tokens())))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(fused).eval()
    with torch.no_grad():
        found = theirs(torch.tensor(tokens())).logits.numpy()
        before = transformers.AutoModelForCausalLM.from_pretrained(base).eval()
        untrained = before(torch.tensor(tokens())).logits.numpy()
    assert np.abs(found - ours).max() <= RELATIVE * ours.std()
    assert np.abs(found - untrained).max() > 10 * RELATIVE * ours.std()
