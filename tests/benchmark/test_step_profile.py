"""A recipe is profiled as it trains, and left as it was."""

import numpy as np
import pytest
from mlx.utils import tree_flatten

from lazarus_bench.benchmark.operations import MATMUL
from lazarus_bench.benchmark.profile import _operations, catch, profiled
from lazarus_bench.training import DualReward, Fuse, Sft, sft
from lazarus_bench.training.loop import fit
from lazarus_bench.training.recipe import Stack

SFT = Sft(steps=3, batch=4, examples=20, validation=8, checkpoints=())


def test_what_is_caught_is_what_the_recipe_trains(tiny):
    caught = catch(SFT, tiny)
    assert caught.batch().tokens.shape[0] == 4
    names = [name for name, _ in tree_flatten(caught.model.trainable_parameters())]
    assert names
    assert all("lora" in name for name in names)
    assert sft.fit is fit  # the loop is back in its place


def test_tracing_leaves_the_weights_as_they_were(tiny):
    caught = catch(SFT, tiny)
    before = {n: np.array(w) for n, w in tree_flatten(caught.model.trainable_parameters())}
    assert sum(op.gflop * n for op, n in _operations(caught).items()) > 0
    for name, weight in tree_flatten(caught.model.trainable_parameters()):
        np.testing.assert_array_equal(np.array(weight), before[name])


def test_a_profile_accounts_for_the_whole_step(tiny):
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
