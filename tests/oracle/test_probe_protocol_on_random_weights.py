"""The writeups' probe protocol on models that were never trained: the writeup's own 81.2%."""

import numpy as np
import pytest
from mlx.utils import tree_map_with_path

from lazarus_bench.analysis.probe import probe
from lazarus_bench.analysis.probe_prompts import writeup_words
from lazarus_bench.analysis.states import read_states
from lazarus_bench.backend import mx
from lazarus_bench.models.anatomy import anatomy_of
from lazarus_bench.models.lab import build
from lazarus_bench.models.load import LoadedModel

SEEDS = range(100, 108)


def untrained(tokenizer, seed):
    config = {
        "model_type": "llama",
        "hidden_size": 256,
        "num_hidden_layers": 16,
        "intermediate_size": 1024,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "vocab_size": len(tokenizer),
        "tie_word_embeddings": True,
    }
    model, rng = build(config), np.random.default_rng((seed, 5))

    def drawn(path, weight):
        small = rng.normal(size=weight.shape) * 0.02 if weight.ndim > 1 else None
        return weight if small is None else mx.array(small.astype(np.float32))

    model.update(tree_map_with_path(drawn, model.parameters()))
    return LoadedModel(
        name="untrained",
        model=model,
        tokenizer=tokenizer,
        config=config,
        anatomy=anatomy_of(config),
    )


@pytest.mark.oracle
def test_random_weights_reach_what_the_writeup_calls_a_classifier(shared):
    tokenizers = pytest.importorskip("transformers")
    folder = shared / "tokenizers" / "olmo-dolma-v1_5"
    tokenizer = tokenizers.AutoTokenizer.from_pretrained(str(folder))
    prompts = writeup_words()
    best = []
    for seed in SEEDS:
        states = read_states(untrained(tokenizer, seed), prompts.texts)
        best.append(probe(states, prompts, "writeup").accuracy.max())
    # 13 of 16 printed; one prompt more or fewer is 0.06.
    assert np.mean(best) == pytest.approx(13 / 16, abs=0.06)
