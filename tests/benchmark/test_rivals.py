"""What stands side by side does the same work, and leaves mlx-lm as it found it."""

import numpy as np
import pytest

from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.analysis.probe import permutation_null, probe
from lazarus_bench.analysis.probe_prompts import in_symbols
from lazarus_bench.analysis.states import read_states
from lazarus_bench.backend import EXP, mx
from lazarus_bench.benchmark.llamas import Shape, write_llama
from lazarus_bench.benchmark.rivals.compared import Effort
from lazarus_bench.benchmark.rivals.lens import transformers_lens
from lazarus_bench.benchmark.rivals.probe import sklearn_accuracy, sklearn_null
from lazarus_bench.benchmark.rivals.sampling import sampling_against_mlx_lm
from lazarus_bench.benchmark.rivals.shipped import as_shipped
from lazarus_bench.benchmark.rivals.training import dual_against_sft, pairs_of, sft_against_mlx_lm
from lazarus_bench.benchmark.trainings import adapted, arithmetic, chunks_of, random_text, sft
from lazarus_bench.models import activations
from lazarus_bench.models.load import load
from lazarus_bench.models.prompts import collate
from lazarus_bench.tasks.arithmetic import held_out

LEAST = Effort(rounds=2, steps=1, prompts=40)


@pytest.mark.skipif(EXP != "numpy", reason="mlx's own gates are in place")
def test_mlx_lm_has_its_own_gates_within_and_ours_after():
    from mlx_lm.models import llama

    activations.install()
    x = mx.random.normal((3, 8), key=mx.random.key(0))
    with as_shipped():
        assert llama.swiglu is not activations.swiglu
        theirs = np.array(llama.swiglu(x, x))
    assert llama.swiglu is activations.swiglu
    np.testing.assert_allclose(np.array(llama.swiglu(x, x)), theirs, atol=1e-6)


def test_mlx_lms_loss_is_ours_on_the_same_examples(tiny):
    from mlx_lm.tuner.trainer import default_loss

    loaded = adapted(tiny)
    examples = random_text(9, 4)  # of one length, since mlx-lm's mask takes a pad token as label
    training = sft(loaded, chunks_of(examples, 4))
    ours, _ = training.loss(loaded.model, collate(examples, pad=0))
    tokens = mx.array([tokens for tokens, _ in pairs_of(examples)])
    lengths = mx.array([[offset, len(tokens)] for tokens, offset in pairs_of(examples)])
    theirs, _ = default_loss(loaded.model, tokens, lengths)
    assert float(np.array(ours)) == pytest.approx(float(np.array(theirs)), rel=1e-5)


def test_chunks_are_an_epoch_of_steps(tiny):
    loaded = adapted(tiny)
    training = sft(loaded, chunks_of(arithmetic(loaded, 10), 4))
    assert [len(chunk) for chunk in training.chunks] == [4, 4]
    batches = training.batches()
    first, _, again = (next(batches) for _ in range(3))
    assert again.size == first.size
    np.testing.assert_array_equal(np.array(again.tokens), np.array(first.tokens))


def test_the_plain_loop_is_the_same_probe(tiny_model):
    prompts = in_symbols(held_out(80, 0))
    states = read_states(tiny_model, prompts.texts)[:, :2]
    gold = np.array(prompts.labels)
    theirs = sklearn_accuracy(states, prompts, gold)
    np.testing.assert_allclose(theirs, probe(states, prompts).accuracy, atol=0.03)
    null = sklearn_null(states, prompts, 2)
    ours = permutation_null(states, prompts, permutations=2)
    np.testing.assert_allclose(null, ours.permuted, atol=0.03)


@pytest.mark.oracle
def test_the_other_lens_is_the_same_lens(tmp_path):
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM

    base = write_llama(tmp_path / "small", Shape(layers=3, width=64, vocabulary=2_000))
    loaded = load(base)
    theirs = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    prompts = [loaded.encode(p.symbols) for p in held_out(20, 0)]
    targets = list(range(40, 60))
    wanted, best = transformers_lens(theirs, prompts, targets, top=5)
    ours = read_lens(loaded, prompts, np.array(targets)[:, None], top=5)
    np.testing.assert_allclose(wanted, ours.probability[:, :, 0], atol=1e-5)
    np.testing.assert_allclose(best, ours.top_probability, atol=1e-5)


def test_sft_and_mlx_lm_take_turns(tiny):
    speed, memory = sft_against_mlx_lm(tiny, batch=4, effort=LEAST)
    assert speed.rounds == 2
    assert speed.found.value > 0
    assert (speed.at_least, memory.at_most) == (1.5, 1.0)
    assert memory.found.value > 0


def test_dual_reward_and_sft_take_turns(tiny):
    (cost,) = dual_against_sft(tiny, batch=4, effort=LEAST)
    assert cost.found.value > 0
    assert cost.at_most == 1.25


def test_sampling_and_mlx_lm_take_turns(tiny):
    found = sampling_against_mlx_lm(tiny, what="tiny", effort=LEAST)
    assert [ratio.at_least for ratio in found] == [1.0, 1.0]
    assert all(ratio.found.value > 0 for ratio in found)
