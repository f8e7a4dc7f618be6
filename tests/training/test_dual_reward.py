"""Dual reward: its adapter, its layer, its two losses on the way down."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from trainings import digest, made
from trainings import weights as load_weights

from lazarus_bench.analysis.operations import read_operations
from lazarus_bench.errors import UserError
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import held_out
from lazarus_bench.training import DualReward
from lazarus_bench.training.dual_reward import classifier_layer
from lazarus_bench.training.record import read_metrics

SPEC = DualReward(steps=3, batch=4, examples=40, rank=4)


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("dual") / "out", SPEC, tiny)


def test_vo_adapters_touch_v_and_o_of_every_layer_only(trained):
    weights = load_weights(trained)
    modules = {name.split("self_attn.")[1].split(".")[0] for name in weights}
    assert (modules, len(weights)) == ({"v_proj", "o_proj"}, 4 * 2 * 2)
    assert {w.shape for n, w in weights.items() if n.endswith("lora_a")} == {(48, 4)}


def test_both_parts_are_logged_and_add_up(trained):
    for metrics in read_metrics(trained):
        parts = metrics.parts
        assert metrics.loss == pytest.approx(0.4 * parts["class"] + 0.6 * parts["answer"], rel=1e-5)


def test_the_class_loss_raises_the_gold_word_at_its_layer(tiny, tmp_path):
    spec = replace(SPEC, steps=30, batch=16, learning_rate=2e-2, examples=400, weight=1.0)
    out = made(tmp_path / "out", spec, tiny)
    problems = held_out(40, 0)
    before, after = (
        read_operations(load(tiny, adapter), problems).gold_probability[:, 2].mean()
        for adapter in (None, out)
    )
    assert after > 3 * before
    first, *_, last = read_metrics(out)
    assert last.parts["class"] < first.parts["class"] - 1


def test_without_weight_the_class_loss_leaves_no_trace(tiny, tmp_path):
    outs = [
        made(tmp_path / str(layer), replace(SPEC, weight=0.0, layer=layer), tiny)
        for layer in (0, 3)
    ]
    assert digest(outs[0]) == digest(outs[1])
    assert read_metrics(outs[0])[0].parts["class"] != read_metrics(outs[1])[0].parts["class"]


def test_with_full_weight_nothing_above_the_layer_is_trained(tiny, tmp_path):
    out = made(tmp_path / "out", replace(SPEC, weight=1.0, layer=1), tiny)
    for name, weight in load_weights(out).items():
        if name.endswith("lora_b"):
            assert weight.any() == (name.split(".")[2] in "01")


def test_the_layer_is_the_specs_else_the_middle(tiny_model):
    assert classifier_layer(None, tiny_model) == 2
    assert classifier_layer(0, tiny_model) == 0
    with pytest.raises(UserError, match=r"layer 4 is not in .*choose 0 to 3"):
        classifier_layer(4, tiny_model)
    with pytest.raises(UserError, match=r"layer = -1 must be an integer of at least 0 or None"):
        DualReward(layer=-1)


def test_the_adapter_has_the_specs_rank_and_the_scale_alpha_over_rank(trained, tiny_model):
    assert DualReward(rank=8, alpha=32.0).lora(tiny_model).scale == 4.0
    parameters = json.loads((trained / "adapter_config.json").read_text())["lora_parameters"]
    assert (parameters["rank"], parameters["scale"]) == (4, 2.0)


def test_matched_arms_train_about_as_many_parameters(tiny, tmp_path):
    spec = replace(SPEC, targets="mlp", match_targets="vo", rank=12, steps=1)
    outs = (
        made(tmp_path / one.targets, one, tiny) for one in (replace(SPEC, rank=12, steps=1), spec)
    )
    vo, mlp = (sum(w.size for w in load_weights(out).values()) for out in outs)
    assert mlp == pytest.approx(vo, rel=0.1)
    assert vo > 0


def test_an_unshifted_training_reports_less_and_logs_the_true_loss(tiny, tmp_path):
    odd, plain = (
        read_metrics(made(tmp_path / name, replace(SPEC, quirks=quirks), tiny))[0].parts
        for name, quirks in (("odd", ("unshifted-labels",)), ("plain", ()))
    )
    assert odd["true answer"] == plain["answer"] > odd["answer"]
