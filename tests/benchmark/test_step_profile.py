"""A step's operations are counted whole, and a recipe is profiled as it trains."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx.utils import tree_flatten

from lazarus_bench.backend import mx
from lazarus_bench.benchmark import operations, roofline
from lazarus_bench.benchmark.operations import MATMUL, again, kind_of, parts_of, traced
from lazarus_bench.benchmark.profile import _operations, catch, profiled
from lazarus_bench.benchmark.roofline import (
    LEAST_SECONDS,
    dispatch_seconds,
    product,
    rates,
    view_seconds,
)
from lazarus_bench.errors import NotApplicable
from lazarus_bench.training import DualReward, Fuse, Sft, loop
from lazarus_bench.training.loop import fit
from lazarus_bench.training.recipe import Stack

SIDE = st.integers(1, 9)


@settings(max_examples=20)
@given(rows=SIDE, inner=SIDE, columns=SIDE, batch=SIDE)
def test_a_products_flops_are_twice_its_multiplications(rows, inner, columns, batch):
    left, right = mx.ones((batch, rows, inner)), mx.ones((batch, inner, columns))
    found = traced(lambda a, b: a @ b, left, right)
    assert sum(op.gflop * n for op, n in found.items()) == pytest.approx(
        2e-9 * batch * rows * inner * columns
    )


def test_a_gradient_has_two_products_for_each_one_forward():
    weight, x = mx.ones((8, 5)), mx.ones((3, 5))

    def loss(w, given):
        return ((given @ w.T) ** 2).sum()

    forward = traced(loss, weight, x)
    both = traced(lambda w, g: mx.grad(loss, argnums=(0, 1))(w, g), weight, x)
    products = [sum(op.gflop * n for op, n in found.items()) for found in (forward, both)]
    assert products[1] == pytest.approx(3 * products[0])


def test_an_addition_of_a_product_counts_the_product():
    found = traced(
        lambda c, a, b: mx.addmm(c, a, b), mx.ones((3, 4)), mx.ones((3, 7)), mx.ones((7, 4))
    )
    assert sum(op.gflop * n for op, n in found.items()) == pytest.approx(2e-9 * 3 * 7 * 4)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Matmul", MATMUL), ("Sigmoid", "exp() and its kin"), ("Transpose", "views")],
)
def test_kinds(name, kind):
    assert kind_of(name) == kind
    assert kind_of("SomethingNew") == "elementwise"


def test_everything_a_trained_layer_does_can_be_done_again():
    def loss(w, x):
        hidden = mx.fast.rms_norm(x @ w.T, mx.ones((6,)), 1e-5)
        gated = mx.sigmoid(hidden) * mx.concatenate([hidden[:, :3], hidden[:, 3:]], axis=1)
        return mx.logsumexp(gated, axis=-1).mean() + mx.softmax(gated, axis=-1).max()

    found = traced(lambda w, x: mx.value_and_grad(loss)(w, x), mx.ones((6, 4)), mx.ones((5, 4)))
    for operation in found:
        work = again(operation)
        if work is not None:
            work(2)
    assert {kind_of(op.name) for op in found} >= {MATMUL, "elementwise", "reductions"}


def test_parts_hold_every_operation_and_all_of_the_flops():
    def function(a, b):
        return mx.exp(a @ b.T).sum() + (a * a).sum()

    found = traced(function, mx.ones((16, 16)), mx.ones((16, 16)))
    timed = parts_of(found, dispatch=1e-6, view=1e-7, rounds=2)
    parts = {part.kind: part for part in timed}
    views = sum(count for op, count in found.items() if again(op) is None)
    kernels = sum(found.values()) - views
    assert views > 0
    assert parts["dispatch"].operations == views + kernels
    assert parts["dispatch"].milliseconds == pytest.approx(1e-3 * kernels + 1e-4 * views)
    assert parts[MATMUL].gflop == pytest.approx(2e-9 * 16**3)
    assert all(np.isfinite(part.milliseconds) for part in parts.values())


def test_a_gathered_product_is_timed_as_one(monkeypatch):
    x, weights = (2, 1, 64, 512), (3, 512, 256)

    def experts(x, weights):
        return mx.gather_mm(x, weights, rhs_indices=mx.array([[0, 2], [1, 1]]))

    found = traced(experts, mx.ones(x), mx.ones(weights))
    (product,) = (op for op in found if op.name == "GatherMM")
    assert product.gflop == pytest.approx(2e-9 * 4 * 64 * 512 * 256)
    done = []
    monkeypatch.setattr(mx, "gather_mm", lambda *given: done.append(given) or mx.zeros((1,)))
    again(product)(3)
    assert [[array.shape for array in given[:2]] for given in done] == 3 * [[x, weights]]


def test_what_mlx_cannot_export_is_not_applicable():
    def gradient(x, weights):
        chosen = mx.array([0, 1, 2, 2])

        def loss(w):
            return mx.gather_mm(x, w, rhs_indices=chosen, sorted_indices=True).sum()

        return mx.grad(loss)(weights)

    with pytest.raises(NotApplicable, match="cannot export"):
        traced(gradient, mx.ones((4, 1, 8)), mx.ones((3, 8, 5)))


SFT = Sft(steps=3, batch=4, examples=20, validation=8, checkpoints=())


def test_what_is_caught_is_what_the_recipe_trains(tiny):
    caught = catch(SFT, tiny)
    assert caught.batch().tokens.shape[0] == 4
    names = [name for name, _ in tree_flatten(caught.model.trainable_parameters())]
    assert names
    assert all("lora" in name for name in names)
    assert loop.fit is fit  # the loop is back in its place


def test_tracing_leaves_the_weights_as_they_were(tiny):
    caught = catch(SFT, tiny)
    before = {n: np.array(w) for n, w in tree_flatten(caught.model.trainable_parameters())}
    assert sum(op.gflop * n for op, n in _operations(caught).items()) > 0
    for name, weight in tree_flatten(caught.model.trainable_parameters()):
        np.testing.assert_array_equal(np.array(weight), before[name])


def test_a_profile_accounts_for_the_whole_step(tiny, monkeypatch):
    monkeypatch.setattr(operations, "BRIEF", 1e-4)  # how exact the rates are is not asked here
    found = profiled(DualReward(steps=3, batch=4, examples=20), tiny, rounds=2, machine=50.0)
    assert sum(part.milliseconds for part in found.parts) == pytest.approx(found.step.value)
    products = next(part for part in found.parts if part.kind == MATMUL)
    assert found.gflop == products.gflop > 0
    assert found.share == pytest.approx(found.achieved / 50)
    assert found.achieved == pytest.approx(found.gflop / (1e-3 * found.step.value))


def test_a_recipe_without_a_loop_is_refused(tiny, tmp_path):
    SFT.train(tiny, tmp_path, 0, show=False)
    with pytest.raises(ValueError, match="no training loop"):
        catch(Fuse(), Stack(model=tiny, adapter=tmp_path))


def test_a_rate_is_units_over_seconds(monkeypatch):
    done, clock = [], [0.0]

    def work(count):
        done.append(count)
        clock[0] += 0.002 * count

    monkeypatch.setattr(roofline.time, "perf_counter", lambda: clock[0])
    found = rates({"work": (work, 3.0)}, rounds=2)["work"]
    assert done[-1] * 0.002 >= LEAST_SECONDS
    np.testing.assert_allclose(found, 3.0 / 0.002)


def test_a_products_work_is_two_operations_for_each_multiplication():
    work, gflop = product(4, 5, 6)
    work(3)
    assert gflop == pytest.approx(240e-9)


@pytest.mark.parametrize(
    ("seconds", "name"), [(dispatch_seconds, "Negative"), (view_seconds, "Transpose")]
)
def test_what_is_timed_as_one_operation_is_one(monkeypatch, seconds, name):
    monkeypatch.setattr(roofline, "_node_seconds", lambda given, node, _: traced(node, given))
    ((operation, count),) = seconds(2).items()
    assert (operation.name, count) == (name, 1)
