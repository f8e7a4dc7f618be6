"""Inside a block: its two branches, its router, and the linear layers that adapters go on."""

import numpy as np
import pytest
from families import CONFIGS, made, text_config

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import blocks, part, router
from lazarus_bench.models.taps import residual_stream

MIXTURES = (
    "gpt_oss",
    "granitemoe",
    "llama4",
    "mixtral",
    "olmoe",
    "phimoe",
    "qwen2_moe",
    "qwen3_moe",
)
FUSED = ("gpt2", "gpt_neox", "phi3")
TOKENS = mx.array([[3, 14, 15, 9, 26, 5, 35]])


def nothing(hidden, *_, **__):
    return mx.zeros_like(hidden)


def silence(loaded, *paths):
    for block in blocks(loaded.model, loaded.anatomy):
        for path in paths:
            owner, _, name = path.rpartition(".")
            setattr(part(block, owner) if owner else block, name, nothing)


def first_and_last(loaded) -> tuple[np.ndarray, np.ndarray]:
    states = residual_stream(loaded.model, loaded.anatomy, TOKENS)
    return np.array(states[0]), np.array(states[-1])


@pytest.mark.parametrize("family", CONFIGS)
def test_a_block_adds_what_each_of_its_branches_gives_and_nothing_else(family):
    for silent in (("attention", "feed_forward"), ("attention",), ("feed_forward",)):
        loaded = made(family)
        silence(loaded, *(getattr(loaded.anatomy, branch) for branch in silent))
        first, last = first_and_last(loaded)
        assert (np.abs(first - last).max() > 1e-3) == (len(silent) == 1)
        assert np.array_equal(first, last) == (len(silent) == 2)


@pytest.mark.parametrize("family", CONFIGS)
def test_attention_alone_lets_a_token_see_another(family):
    loaded = made(family)
    silence(loaded, loaded.anatomy.attention)
    _, before = first_and_last(loaded)
    changed = mx.concatenate([mx.array([[40]]), TOKENS[:, 1:]], axis=1)
    after = np.array(residual_stream(loaded.model, loaded.anatomy, changed)[-1])
    np.testing.assert_allclose(after[:, 1:], before[:, 1:], atol=1e-5)


@pytest.mark.parametrize("family", CONFIGS)
def test_a_router_stands_exactly_where_there_are_experts(family):
    from mlx_lm.models.switch_layers import SwitchLinear

    loaded = made(family)
    found = [router(block, loaded.anatomy) for block in blocks(loaded.model, loaded.anatomy)]
    mixed = [
        any(isinstance(module, SwitchLinear) for module in block.modules())
        for block in blocks(loaded.model, loaded.anatomy)
    ]
    assert [gate is not None for gate in found] == mixed
    # These two mix dense blocks with mixtures.
    alternating = {"qwen3_moe": [True, False, True], "llama4": [False, True, False, True]}
    assert mixed == alternating.get(family, [family in MIXTURES] * loaded.depth)
    for gate in filter(None, found):
        assert gate.weight.shape == (4, text_config(family)["hidden_size"])


@pytest.mark.parametrize("family", MIXTURES)
def test_the_router_decides_where_tokens_go(family):
    """Its rows in another order send the tokens to other experts."""
    loaded = made(family)
    _, before = first_and_last(loaded)
    for block in blocks(loaded.model, loaded.anatomy):
        gate = router(block, loaded.anatomy)
        if gate is not None:
            gate.weight = gate.weight[::-1]
    _, after = first_and_last(loaded)
    assert np.abs(after - before).max() > 1e-3


@pytest.mark.parametrize("family", CONFIGS)
def test_the_targets_are_the_linear_layers_of_every_block_outside_experts_and_routers(family):
    loaded = made(family)
    anatomy = loaded.anatomy
    for block in blocks(loaded.model, anatomy):
        linear = {name for name, one in block.named_modules() if isinstance(one, nn.Linear)}
        keys = anatomy.target_keys("all")
        assert set(keys) <= linear
        assert len(keys) == len(set(keys))
        attention = {path for path in linear if path.startswith(anatomy.attention + ".")}
        assert {*anatomy.vo, *anatomy.qk, *anatomy.fused_attention} == attention
        if anatomy.router is None:
            assert set(anatomy.mlp) == linear - attention


@pytest.mark.parametrize("family", CONFIGS)
def test_a_set_that_a_family_does_not_have_is_refused_and_the_others_named(family):
    anatomy = made(family).anatomy
    missing = {"vo", "qk"} if family in FUSED else set()
    missing |= {"mlp"} if family in MIXTURES else set()
    known = ", ".join(name for name in ("vo", "qk", "mlp", "all") if name not in missing)
    for targets in ("vo", "qk", "mlp", "all"):
        if targets in missing:
            with pytest.raises(
                UserError, match=f"{targets}' are not in this family: choose {known}"
            ):
                anatomy.target_keys(targets)
        else:
            assert anatomy.target_keys(targets)
