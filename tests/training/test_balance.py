"""The balance of a mixture: the loss of the papers, on tokens alone, and the load on file."""

import json

import numpy as np
import pytest
from trainings import gradients, number

from lazarus_bench.backend import mx, nn, optim
from lazarus_bench.models import lab
from lazarus_bench.models.families import anatomy_of
from lazarus_bench.training import Pretrain, pretrain
from lazarus_bench.training.balance import (
    COEFFICIENT,
    balance_loss,
    balanced,
    measure_load,
    mixture_of,
    shares,
    write_load,
)

MIXTURES = ("olmoe", "gpt-oss")
SPEC = Pretrain(symbols=8, words=4, prose=4)


def in_numpy(layers: np.ndarray, chosen: int, counted: np.ndarray) -> float:
    """N · Σ f P over the counted tokens, mean over layers; written with loops."""
    losses = []
    for logits in layers:
        tokens = logits[counted > 0].astype(np.float64)
        experts = tokens.shape[1]
        hits = np.zeros(experts)
        for row in tokens:
            hits[np.argsort(row)[-chosen:]] += 1
        powers = np.exp(tokens - tokens.max(axis=1, keepdims=True))
        mean = (powers / powers.sum(axis=1, keepdims=True)).mean(axis=0)
        losses.append(experts * (hits / hits.sum() * mean).sum())
    return float(np.mean(losses))


@pytest.mark.parametrize("chosen", [1, 2, 3])
def test_the_loss_is_that_of_the_papers(chosen):
    rng = np.random.default_rng(chosen)
    layers = rng.normal(size=(3, 50, 6)).astype(np.float32)
    counted = (rng.random(50) < 0.7).astype(np.float32)
    found = balance_loss([mx.array(x) for x in layers], chosen, mx.array(counted))
    assert number(found) == pytest.approx(in_numpy(layers, chosen, counted), rel=1e-5)


def test_an_even_load_costs_one_and_a_single_expert_costs_all():
    ones = mx.ones(8)
    even = mx.array(np.eye(8, dtype=np.float32) * 50)
    one = mx.array(np.tile(np.eye(8, dtype=np.float32)[0] * 50, (8, 1)))
    assert number(balance_loss([even], 1, ones)) == pytest.approx(1.0)
    assert number(balance_loss([one], 1, ones)) == pytest.approx(8.0)


def test_shares_count_choices_and_pass_over_padding():
    logits = mx.array([[9.0, 8.0, 0.0], [9.0, 0.0, 8.0], [0.0, 9.0, 8.0]])
    found = np.array(shares(logits, 2, mx.array([1.0, 1.0, 0.0])))
    np.testing.assert_allclose(found, [0.5, 0.25, 0.25])


@pytest.fixture(scope="module", params=MIXTURES)
def made(request):
    config = lab.config_of(request.param)
    return config, lab.initialise(config, 0), mixture_of(config)


@pytest.fixture(scope="module")
def step():
    return next(pretrain.steps_of(SPEC.parts, 0))


def test_the_loss_is_the_others_plus_a_hundredth_and_teaches_the_router(made, step):
    config, model, mixture = made
    parts = SPEC.parts
    plain = pretrain.mixed_loss(anatomy_of(config), parts)
    loss = balanced(plain, mixture)
    without, _ = plain(model, step)
    total, logged = loss(model, step)
    expected = number(without) + COEFFICIENT * number(logged["balance"])
    assert number(total) == pytest.approx(expected, rel=1e-6)
    assert 1.0 <= number(logged["balance"]) <= 8.0

    def alone(model, mixed):
        return loss(model, mixed)[1]["balance"]

    assert gradients(model, alone, step)[f"model.layers.3.{mixture.router}.weight"].any()


def test_routers_that_learn_it_alone_spread_the_load(made, step):
    config, _, mixture = made
    model = lab.initialise(config, 1)
    model.freeze()
    for holder, name in mixture.routers(model):
        holder[name].unfreeze()
        holder[name].weight = 10 * holder[name].weight
    loss = balanced(pretrain.mixed_loss(anatomy_of(config), SPEC.parts), mixture)
    gradient = nn.value_and_grad(model, lambda model, mixed: loss(model, mixed)[1]["balance"])
    optimizer = optim.Adam(learning_rate=0.01)
    before = measure_load(model, mixture, [step])
    for _ in range(6):
        optimizer.update(model, gradient(model, step)[1])
        mx.eval(model.parameters(), optimizer.state)
    after = measure_load(model, mixture, [step])
    assert np.std(after.shares) < 0.8 * np.std(before.shares)


def test_the_load_of_each_layer_sums_to_one_and_comes_back_from_its_file(made, step, tmp_path):
    _, model, mixture = made
    load = measure_load(model, mixture, [step, step])
    assert load.tokens == 2 * step.size
    np.testing.assert_allclose(np.sum(load.shares, axis=1), 1.0, atol=1e-6)
    assert np.shape(load.shares) == (8, 8)
    assert 1 / 8 < np.max(load.shares) <= 4 / 8
    write_load(tmp_path, load)
    kept = json.loads((tmp_path / "load.json").read_text())
    assert kept == {"tokens": load.tokens, "shares": [list(layer) for layer in load.shares]}


def test_a_family_without_experts_has_no_mixture():
    assert mixture_of(lab.config_of("llama")) is None
