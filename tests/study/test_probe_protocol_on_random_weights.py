"""The writeups' probe protocol on models that were never trained: the writeup's own 81.2%."""

import numpy as np
import pytest

from hypotheses.writeups.probe_prompts import writeup_words
from lazarus_bench.analysis.probe import probe
from lazarus_bench.analysis.prompts import read_states
from lazarus_bench.models.untrained import untrained_llama

SEEDS = range(100, 108)


@pytest.mark.oracle
def test_random_weights_reach_what_the_writeup_calls_a_classifier(shared):
    tokenizers = pytest.importorskip("transformers")
    folder = shared / "tokenizers" / "olmo-dolma-v1_5"
    tokenizer = tokenizers.AutoTokenizer.from_pretrained(str(folder))
    prompts = writeup_words()
    best = []
    for seed in SEEDS:
        states = read_states(untrained_llama(tokenizer, len(tokenizer), seed), prompts.texts)
        best.append(probe(states, prompts, "in-order").accuracy.max())
    # 13 of 16 printed; one prompt more or fewer is 0.06.
    assert np.mean(best) == pytest.approx(13 / 16, abs=0.06)
