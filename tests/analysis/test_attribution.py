"""Attribution: exact in a linear model, a derivative elsewhere; direct shares sum to the logits."""

from dataclasses import replace

import numpy as np
import pytest
from families import CONFIGS, made

from lazarus_bench.analysis.attribution import (
    COMPONENTS,
    Attribution,
    attribute_pairs,
    attributed,
    attribution,
)
from lazarus_bench.analysis.direct import direct_logits
from lazarus_bench.analysis.patching import patch_pairs
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import Anatomy, unembed
from lazarus_bench.models.edits import Add
from lazarus_bench.models.load import LoadedModel, load
from lazarus_bench.models.taps import contributions, edited, residual_stream
from lazarus_bench.tasks.arithmetic import Operation, Problem

WIDTH, VOCABULARY, DEPTH = 12, 30, 3
CLEAN, CORRUPTED = [[3, 7, 9, 2], [3, 7, 9], [1, 4, 8]], [[3, 8, 9, 2], [3, 7, 6], [1, 5, 8]]
ANSWERS = [(5, 9), (4, 11), (20, 2)]


class Mixing(nn.Module):
    """Attention whose weights are fixed: each position reads the mean of those up to it."""

    def __init__(self) -> None:
        super().__init__()
        self.o_proj = nn.Linear(WIDTH, WIDTH, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        time = x.shape[1]
        read = mx.tril(mx.ones((time, time))) / mx.arange(1, time + 1)[:, None]
        return self.o_proj(read @ x)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.self_attn, self.mlp = Mixing(), nn.Linear(WIDTH, WIDTH)

    def __call__(self, x: mx.array, *_: object, **__: object) -> mx.array:
        x = x + self.self_attn(x)
        return x + self.mlp(x)


class Linear(nn.Module):
    """A transformer without a nonlinearity."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm = nn.Embedding(VOCABULARY, WIDTH), nn.Identity()
        self.layers = [Block() for _ in range(DEPTH)]
        self.lm_head = nn.Linear(WIDTH, VOCABULARY)

    def __call__(self, tokens: mx.array) -> mx.array:
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(self.norm(x))


@pytest.fixture(scope="module")
def linear():
    mx.random.seed(0)
    return LoadedModel(
        name="linear",
        model=Linear(),
        tokenizer=None,
        config={"vocab_size": VOCABULARY, "hidden_size": WIDTH},
        anatomy=Anatomy(layers="layers", norm="norm", embedding="embed", unembedding="lm_head"),
    )


def test_it_is_exact_in_a_linear_model(linear):
    for found in attribute_pairs(linear, CLEAN, CORRUPTED, ANSWERS, sample=10**6):
        assert np.ptp(found.exact) > 0.01
        np.testing.assert_allclose(found.estimated, found.exact, atol=2e-6)
        assert found.spearman == pytest.approx(1, abs=0.01)  # some effects are 0 but for rounding
        assert found.error < 1e-6


def test_exact_effects_are_those_of_patching(tiny_model):
    asked = (tiny_model, CLEAN, CORRUPTED, ANSWERS)
    patched = patch_pairs(*asked, range(4))
    for found, other in zip(attribute_pairs(*asked, sample=10**6), patched, strict=True):
        assert (found.clean, found.corrupted) == pytest.approx(
            (other.clean @ [1, -1], other.corrupted @ [1, -1]), abs=1e-5
        )
        moved = other.patched @ [1, -1] - found.corrupted
        layer = found.sampled[:, 0] == COMPONENTS.index("layer")
        at = tuple(found.sampled[layer, 1:].T)
        np.testing.assert_allclose(found.exact[layer], moved[at], atol=2e-5)
        assert found.error == pytest.approx(np.abs(found.estimated - found.exact).mean())
        assert -1 <= found.spearman <= 1


def test_an_estimate_is_the_derivative_along_the_change(tiny_model):
    """A hundredth of a change does a hundredth of the estimate, in every part of every layer."""
    step, model, anatomy = 1e-2, tiny_model.model, tiny_model.anatomy
    clean, tokens = mx.array(CLEAN[:1]), mx.array(CORRUPTED[:1])
    (found,) = attribute_pairs(tiny_model, CLEAN[:1], CORRUPTED[:1], ANSWERS[:1])

    def odds(*edits):
        with edited(model, anatomy, edits):
            logits = np.array(model(tokens)[0, -1], dtype=np.float64)
        return logits[5] - logits[9]

    for at, part in enumerate(COMPONENTS):
        sides = [
            residual_stream(model, anatomy, ids)
            if part == "layer"
            else contributions(model, anatomy, ids, part)
            for ids in (clean, tokens)
        ]
        for layer, (one, other) in enumerate(zip(*sides, strict=True)):
            by = [
                odds(Add(layer=layer, part=part, change=sign * step * (one - other)))
                for sign in (1, -1)
            ]
            slope = (by[0] - by[1]) / (2 * step)
            np.testing.assert_allclose(slope, found.estimate[at, layer].sum(), rtol=0.02, atol=1e-3)


def test_nothing_comes_from_before_the_prompts_differ(tiny_model):
    for at, found in enumerate(attribute_pairs(tiny_model, CLEAN, CORRUPTED, ANSWERS)):
        pairs = zip(CLEAN[at], CORRUPTED[at], strict=True)
        first = next(i for i, (one, other) in enumerate(pairs) if one != other)
        assert not found.estimate[:, :, :first].any()
        np.testing.assert_allclose(found.estimate[:, -1, :-1], 0, atol=1e-6)
        assert found.estimate[2, -1, -1]
        assert (found.sampled[found.sampled[:, 1] == 3, 2] == len(CLEAN[at]) - 1).all()


def test_the_sample_is_drawn_by_its_seed(tiny_model):
    asked = (tiny_model, CLEAN[:1], CORRUPTED[:1], ANSWERS[:1])
    first, again, other = (
        attribute_pairs(*asked, sample=7, seed=seed)[0].sampled.tolist() for seed in (0, 0, 1)
    )
    assert first == again != other
    assert len(first) == 7


def test_problems_are_attributed_by_their_right_answers(tiny_model):
    sides = [
        [Problem(a=7, operation=operation, b=8), Problem(a=6, operation=operation, b=4)]
        for operation in (Operation.MULTIPLY, Operation.ADD)
    ]
    found = attributed(tiny_model, *sides, sample=5)
    assert [pair.answers for pair in found.pairs] == [("56", "15"), ("24", "10")]
    assert found.spearman.shape == found.error.shape == (2,)
    assert all(pair.direct is None for pair in found.pairs)


def test_a_constant_has_no_rank_correlation():
    nothing = np.zeros((3, 1, 2))
    found = Attribution(
        clean=1.0, corrupted=1.0, estimate=nothing, sampled=np.zeros((2, 3), int), exact=np.ones(2)
    )
    assert np.isnan(found.spearman)
    assert np.isnan(found.recovered).all()


@pytest.mark.parametrize("family", CONFIGS)
def test_direct_shares_sum_to_the_difference_of_the_logits(family):
    """RMSNorms and LayerNorms, biases, multipliers, parallel blocks, logits' scales, softcaps."""
    loaded = made(family)
    prompts = [[1, 2, 3, 4, 5], [7, 8, 9]]
    bare = replace(loaded.anatomy, softcap=None)
    shares = direct_logits(loaded, prompts, [(3, 9), (20, 30)])
    for prompt, (one, other), found in zip(prompts, [(3, 9), (20, 30)], shares, strict=True):
        last = residual_stream(loaded.model, loaded.anatomy, mx.array([prompt]))[-1]
        logits = np.array(unembed(loaded.model, bare, last)[0, -1].astype(mx.float32))
        sizes = abs(found.embedding) + np.abs([*found.attention, *found.mlp]).sum()
        assert found.difference == pytest.approx(logits[one] - logits[other], abs=2e-5)
        assert abs(found.total - found.difference) <= 2e-6 * (sizes + abs(found.constant))
        assert found.attention.shape == found.mlp.shape == (loaded.depth,)


def test_a_part_that_writes_nothing_has_no_share_and_a_word_its_own(tiny):
    loaded = load(tiny)
    for block in loaded.model.model.layers:
        block.self_attn.o_proj.weight = mx.zeros_like(block.self_attn.o_proj.weight)
        block.mlp.down_proj.weight = mx.zeros_like(block.mlp.down_proj.weight)
    (found,) = direct_logits(loaded, [[5, 9]], [(9, 5)])
    assert not found.attention.any()
    assert not found.mlp.any()
    assert found.embedding == pytest.approx(found.difference)


class Cubed(nn.Module):
    eps = 1e-5

    def __call__(self, x: mx.array) -> mx.array:
        return x**3


def test_what_cannot_be_attributed_is_refused(tiny_model, tiny):
    with pytest.raises(UserError, match="a sample of 0 components cannot be checked"):
        attribute_pairs(tiny_model, CLEAN, CORRUPTED, ANSWERS, sample=0)
    with pytest.raises(UserError, match="no token 99999"):
        attribute_pairs(tiny_model, [[99999]], [[3]], ANSWERS[:1])
    with pytest.raises(UserError, match="no token 99999"):
        direct_logits(tiny_model, [[99999]], ANSWERS[:1])
    with pytest.raises(UserError, match="are both answered by"):
        attribution(tiny_model, ["7 * 8 = "], ["7 + 8 = "], None, ["5"], ["5"])
    odd = load(tiny)
    odd.model.model.norm = Cubed()
    with pytest.raises(UserError, match="neither an RMSNorm nor a LayerNorm"):
        direct_logits(odd, CLEAN, ANSWERS)
    odd.model.model.norm = nn.RMSNorm(48)
    odd.model.model.norm.weight = odd.model.model.norm.weight * np.nan
    with pytest.raises(UserError, match="its logits are not finite"):
        attribute_pairs(odd, CLEAN, CORRUPTED, ANSWERS)
