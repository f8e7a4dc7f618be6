"""What stands side by side does the same work, and leaves mlx-lm as it found it."""

from functools import partial

import numpy as np
import pytest

from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.analysis.probe import permutation_null, probe
from lazarus_bench.analysis.probe_prompts import in_symbols
from lazarus_bench.analysis.prompts import read_states
from lazarus_bench.backend import EXP, mx
from lazarus_bench.benchmark import mlx_lm_rivals
from lazarus_bench.benchmark.gate import LEAST, MOST
from lazarus_bench.benchmark.meters import peak_bytes
from lazarus_bench.benchmark.mlx_lm_rivals import (
    as_shipped,
    dual_against_sft,
    mlx_lm_step_seconds,
    pairs_of,
    sampling_against_mlx_lm,
    sft_against_mlx_lm,
)
from lazarus_bench.benchmark.rivals import (
    Effort,
    probe_against_sklearn,
    sklearn_accuracy,
    sklearn_null,
    speed,
    transformers_lens,
)
from lazarus_bench.benchmark.workloads import (
    SETTLING,
    Shape,
    Training,
    adapted,
    arithmetic,
    chunks_of,
    random_text,
    sft,
    write_llama,
)
from lazarus_bench.exp import install_sigmoid, sigmoid
from lazarus_bench.models.load import load
from lazarus_bench.models.prompts import collate
from lazarus_bench.tasks.arithmetic import held_out

LEAST_EFFORT = Effort(rounds=2, steps=1, prompts=40)


@pytest.mark.skipif(EXP != "fused", reason="mlx's own sigmoid is in place")
def test_mlx_lm_has_its_own_sigmoid_within_and_ours_after():
    import mlx.core

    install_sigmoid()
    x = mx.random.normal((3, 8), key=mx.random.key(0))
    with as_shipped():
        assert mlx.core.sigmoid is not sigmoid
        theirs = np.array(mlx.core.sigmoid(x))
    assert mlx.core.sigmoid is sigmoid
    np.testing.assert_allclose(np.array(mlx.core.sigmoid(x)), theirs, atol=1e-6)


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


@pytest.mark.parametrize(
    ("compare", "goals"),
    [
        (partial(sft_against_mlx_lm, batch=4), [(1.5, None), (None, 1.0)]),
        (partial(dual_against_sft, batch=4), [(None, 1.25)]),
        (partial(sampling_against_mlx_lm, what="tiny"), [(1.0, None)] * 2),
        (partial(probe_against_sklearn, what="tiny"), [(1.0, None)] * 2),
    ],
    ids=["SFT", "dual reward", "sampling", "probe"],
)
def test_rivals_take_turns_and_the_gate_has_a_bound_for_each(tiny, compare, goals):
    found = compare(tiny, effort=LEAST_EFFORT)
    assert [(ratio.at_least, ratio.at_most) for ratio in found] == goals
    bounds = (*LEAST, *MOST)
    for ratio in found:
        assert ratio.found.value > 0
        assert ratio.rounds >= 2
        assert any(ratio.name.startswith(start) for start in bounds)  # else it can fall unseen


def test_faster_than_a_rival_is_above_one():
    seconds = {"ours": np.array([1.0, 1.0]), "theirs": np.array([3.0, 3.0])}
    found = speed("x", seconds, "theirs", "tok/s", 1.0, {}, units=6.0)
    assert found.found.value == 3.0
    assert found.about == {"ours": "6 tok/s", "theirs": "2 tok/s"}


def test_what_dual_reward_costs_more_is_above_one(tiny, monkeypatch):
    costs = {"dual": np.array([3.0, 3.0]), "SFT": np.array([2.0, 2.0])}
    monkeypatch.setattr(mlx_lm_rivals, "interleaved", lambda arms, rounds: costs)
    (found,) = dual_against_sft(tiny, batch=4, effort=LEAST_EFFORT)
    assert found.found.value == 1.5


def test_speed_beside_mlx_lm_is_of_a_token_and_memory_of_what_is_held_beyond_weights(
    tiny, monkeypatch
):
    monkeypatch.setattr(Training, "step_seconds", lambda *_: 2.0)
    monkeypatch.setattr(mlx_lm_rivals, "mlx_lm_step_seconds", lambda *_: 5.0)
    monkeypatch.setattr(mlx_lm_rivals, "peak_bytes", lambda work: (work(), 7))
    speed, memory = sft_against_mlx_lm(tiny, batch=4, effort=LEAST_EFFORT)
    assert (speed.found.value, memory.found.value) == pytest.approx((2.5, 1.0))
    tokens = speed.about["tokens a step"]
    assert speed.about["ours"] == f"{tokens / 2:,.0f} tok/s"


def test_a_peak_is_of_the_work_alone():
    held = mx.zeros((1 << 20,))
    mx.eval(held)
    found, peak = peak_bytes(lambda: mx.eval(mx.zeros((1 << 18,)) + 1.0))
    assert found is None
    assert 1 << 20 <= peak < held.nbytes


@pytest.mark.skipif(EXP != "fused", reason="mlx's own sigmoid is in place")
def test_rivals_run_with_their_own_gates(tiny, monkeypatch):
    import mlx.core
    import mlx_lm
    from mlx_lm.tuner import trainer

    def own_gates(*_, training_callback=None, **__):
        assert mlx.core.sigmoid is not sigmoid
        asked.append(training_callback)
        if training_callback is not None:
            for _ in range(SETTLING):
                training_callback.on_train_loss_report({"iterations_per_second": 0.01})
            training_callback.on_train_loss_report({"iterations_per_second": 4.0})

    asked = []
    loaded = adapted(tiny)
    monkeypatch.setattr(mlx_lm, "batch_generate", own_gates)
    monkeypatch.setattr(trainer, "train", own_gates)
    sampling_against_mlx_lm(tiny, what="tiny", effort=LEAST_EFFORT)
    assert len(asked) == 2 * (LEAST_EFFORT.rounds + 1)
    pairs = pairs_of(random_text(9, 4))
    assert mlx_lm_step_seconds(loaded, pairs, batch=4, steps=1) == 0.25  # without what settles
