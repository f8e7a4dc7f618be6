"""Edits of the residual stream: exact, the same with and without a cache, refused where unfit."""

from dataclasses import replace

import numpy as np
import pytest
from families import CONFIGS, made
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx.utils import tree_flatten

from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import blocks
from lazarus_bench.models.edits import PARTS, Ablate, Add, Erase, Patch, Steer
from lazarus_bench.models.load import load
from lazarus_bench.models.taps import contributions, edited, residual_stream, tapped

TOKENS = mx.array([[0, 5, 9, 30], [0, 7, 7, 12]])
OTHERS = mx.array([[0, 8, 2, 44], [0, 3, 50, 6]])
DIRECTION = mx.random.normal((48,), key=mx.random.key(5))


def logits(loaded, tokens=TOKENS, edits=()):
    with edited(loaded.model, loaded.anatomy, edits):
        return np.array(loaded.model(tokens).astype(mx.float32))


def decoded(loaded, edits, *, cached: bool):
    """Logits of three greedy steps after `TOKENS`; without a cache each reads everything again."""
    from mlx_lm.models.cache import make_prompt_cache

    found, fed = [], TOKENS
    cache = make_prompt_cache(loaded.model) if cached else None
    with edited(loaded.model, loaded.anatomy, edits):
        for _ in range(3):
            found.append(loaded.model(fed, cache=cache)[:, -1])
            new = mx.argmax(found[-1], axis=-1)[:, None]
            fed = new if cached else mx.concatenate([fed, new], axis=1)
    return np.array(mx.stack(found).astype(mx.float32))


def every_edit(width, layer):
    vector = mx.random.normal((width,), key=mx.random.key(layer))
    for part in PARTS:
        yield Ablate(layer=layer, part=part)
        yield Ablate(layer=layer, part=part, contribution=vector)
    yield Patch(layer=layer, position=2, state=vector)
    yield Patch(layer=layer, position=3, state=mx.stack([vector, -vector]))
    yield Steer(layer=layer, direction=vector, strength=2.0)
    yield Steer(layer=layer, direction=vector, strength=-1.5, start=3)
    yield eraser(width, layer, start=2)


def eraser(width, layer, start):
    """An oblique one of rank 2, its own at each of two positions."""
    drawn = [mx.random.normal((2, 2, width), key=mx.random.key(at)) for at in range(3)]
    left = drawn[1].swapaxes(1, 2) / width
    return Erase(layer=layer, mean=drawn[0][:, 0], left=left, right=drawn[2], start=start)


@pytest.mark.parametrize("family", CONFIGS)
def test_decoding_with_the_cache_equals_decoding_without_it_under_every_edit(family):
    loaded = made(family)
    plain = decoded(loaded, (), cached=False)
    tolerance = 5e-5 * plain.std()
    for layer in (0, 1, 2):
        for edit in every_edit(32, layer):
            expected, found = (decoded(loaded, (edit,), cached=on) for on in (False, True))
            # Only its own last position can be seen in what the last layer hands on.
            last = layer == loaded.depth - 1
            unseen = last and isinstance(edit, Patch) and edit.position == 2
            assert (np.abs(expected - plain).max() > 5 * tolerance) != unseen, edit
            np.testing.assert_allclose(found, expected, atol=tolerance)


@pytest.mark.parametrize("family", CONFIGS)
def test_a_layer_without_either_sublayer_hands_its_input_on(family):
    loaded = made(family)
    for layer in range(3):
        neither = (Ablate(layer=layer, part="attention"), Ablate(layer=layer, part="mlp"))
        removed = logits(loaded, edits=(Ablate(layer=layer),))
        np.testing.assert_allclose(logits(loaded, edits=neither), removed, rtol=1e-5, atol=1e-5)


def test_an_ablated_layer_is_a_removed_block(tiny):
    loaded, shorter = load(tiny), load(tiny)
    for layer in range(4):
        kept = blocks(loaded.model, loaded.anatomy)
        del kept[layer]
        shorter.model.model.layers = kept
        expected = np.array(shorter.model(TOKENS))
        assert np.array_equal(logits(loaded, edits=(Ablate(layer=layer),)), expected)


def test_contributions_add_up_to_the_residual_and_put_back_change_nothing(tiny_model):
    model, anatomy = tiny_model.model, tiny_model.anatomy
    first = model.model.embed_tokens(TOKENS)
    read = {part: sum(contributions(model, anatomy, TOKENS, part)) for part in PARTS}
    last = np.array(residual_stream(model, anatomy, TOKENS)[-1])
    for total in (read["layer"], read["attention"] + read["mlp"]):
        np.testing.assert_allclose(np.array(first + total), last, atol=1e-5)
    tokens = TOKENS[:1, :1]
    plain = logits(tiny_model, tokens)
    for part in PARTS:
        for layer, own in enumerate(contributions(model, anatomy, tokens, part)):
            back = Ablate(layer=layer, part=part, contribution=own[0, 0])
            found = logits(tiny_model, tokens, (back,))
            np.testing.assert_allclose(found, plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", CONFIGS)
def test_all_positions_patched_give_the_other_prompts_logits_exactly(family):
    loaded = made(family)
    for layer in range(3):
        states = residual_stream(loaded.model, loaded.anatomy, OTHERS)[layer]
        patches = [Patch(layer=layer, position=at, state=states[:, at]) for at in range(4)]
        assert np.array_equal(logits(loaded, edits=patches), logits(loaded, OTHERS))


def test_a_patched_position_leaves_earlier_ones_as_they_were(tiny_model):
    patched = logits(tiny_model, edits=(Patch(layer=1, position=2, state=DIRECTION),))
    plain = logits(tiny_model)
    assert np.array_equal(patched[:, :2], plain[:, :2])
    assert not np.allclose(patched[:, 2:], plain[:, 2:])


def test_what_is_erased_is_each_positions_own(tiny_model):
    model, anatomy, edit = tiny_model.model, tiny_model.anatomy, eraser(48, 1, start=1)
    plain = [np.array(each, dtype=float) for each in residual_stream(model, anatomy, TOKENS)]
    with edited(model, anatomy, (edit,)):
        found = residual_stream(model, anatomy, TOKENS)
    mean, left, right = (np.array(part, dtype=float) for part in (edit.mean, edit.left, edit.right))
    assert np.array_equal(np.array(found[0]), plain[0].astype(np.float32))
    for at, own in enumerate((None, 0, 1, 1)):  # the last serves all that follow
        expected = plain[1][:, at]
        if own is not None:
            expected = expected - (expected - mean[own]) @ right[own].T @ left[own].T
        np.testing.assert_allclose(np.array(found[1][:, at]), expected, atol=1e-4)


@settings(max_examples=10)
@given(layer=st.integers(0, 3), start=st.integers(0, 3), strength=st.floats(-4, 4))
def test_steering_adds_the_direction_from_its_start_on(tiny_model, layer, start, strength):
    unedited = np.array(tiny_model.model(TOKENS)).tobytes()
    still = Steer(layer=layer, direction=DIRECTION, strength=0.0, start=start)
    for edits in ((still,), ()):
        assert logits(tiny_model, edits=edits).tobytes() == unedited
    edit = Steer(layer=layer, direction=DIRECTION, strength=strength, start=start)
    with edited(tiny_model.model, tiny_model.anatomy, (edit,)):
        steered = residual_stream(tiny_model.model, tiny_model.anatomy, TOKENS)
    plain = residual_stream(tiny_model.model, tiny_model.anatomy, TOKENS)
    moved = np.array(steered[layer] - plain[layer])
    np.testing.assert_allclose(moved[:, :start], 0, atol=0)
    expected = np.broadcast_to(strength * np.array(DIRECTION), moved[:, start:].shape)
    np.testing.assert_allclose(moved[:, start:], expected, atol=1e-5)
    for below in range(layer):
        assert np.array_equal(np.array(steered[below]), np.array(plain[below]))


def test_edits_of_one_layer_are_applied_in_their_order(tiny_model):
    remove, steer = Ablate(layer=1), Steer(layer=1, direction=DIRECTION, strength=1.0)
    found = {}
    for name, edits in {"then": (remove, steer), "first": (steer, remove)}.items():
        with edited(tiny_model.model, tiny_model.anatomy, edits):
            states = residual_stream(tiny_model.model, tiny_model.anatomy, TOKENS)
        found[name] = np.array(states[1] - states[0])
    np.testing.assert_allclose(
        found["then"], np.broadcast_to(np.array(DIRECTION), (2, 4, 48)), atol=1e-5
    )
    assert not found["first"].any()


@pytest.mark.parametrize("part", PARTS)
def test_what_is_added_joins_the_parts_own_output(tiny_model, part):
    """No change is the model as it is, and a part's output taken away is the part ablated."""
    model, anatomy = tiny_model.model, tiny_model.anatomy
    plain = logits(tiny_model)
    own = contributions(model, anatomy, TOKENS, part)
    for layer in range(4):
        nothing = Add(layer=layer, part=part, change=mx.zeros_like(own[layer]))
        assert np.array_equal(logits(tiny_model, edits=(nothing,)), plain)
        less = Add(layer=layer, part=part, change=-own[layer])
        without = logits(tiny_model, edits=(Ablate(layer=layer, part=part),))
        np.testing.assert_allclose(logits(tiny_model, edits=(less,)), without, atol=1e-4)
        assert not np.allclose(without, plain, atol=1e-4)


@pytest.mark.parametrize("part", PARTS)
def test_edits_within_edits_and_within_taps_add_up(tiny_model, part):
    outer, inner = Ablate(layer=2, part="mlp"), Ablate(layer=2, part=part)
    model, anatomy = tiny_model.model, tiny_model.anatomy
    with edited(model, anatomy, (outer,)), tapped(model, anatomy):
        nested = logits(tiny_model, edits=(inner,))
    assert np.array_equal(nested, logits(tiny_model, edits=(outer, inner)))


def test_gradients_pass_through_edits(tiny):
    loaded = load(tiny)

    def loss(model: nn.Module) -> mx.array:
        with edited(model, loaded.anatomy, (Ablate(layer=2),)):
            return (residual_stream(model, loaded.anatomy, TOKENS)[3] ** 2).mean()

    _, gradients = nn.value_and_grad(loaded.model, loss)(loaded.model)
    size = {name: float(mx.abs(g).max()) for name, g in tree_flatten(gradients)}
    assert all(size[name] == 0 for name in size if ".layers.2." in name)
    assert all(size[f"model.layers.{i}.mlp.up_proj.weight"] > 0 for i in (0, 1, 3))


def test_sublayers_are_found_where_the_anatomy_says(tiny):
    loaded = load(tiny)
    for block in loaded.model.model.layers:
        block.attn = block.self_attn
    expected = logits(loaded, edits=(Ablate(layer=1, part="mlp"),))
    swapped = replace(loaded, anatomy=replace(loaded.anatomy, feed_forward="gone"))
    with pytest.raises(UserError, match=r"no mlp at 'gone': ablate the layer, or fix"):
        logits(swapped, edits=(Ablate(layer=1, part="mlp"),))
    with pytest.raises(UserError, match="no mlp at 'gone'"):
        contributions(swapped.model, swapped.anatomy, TOKENS, "mlp")
    inner = replace(loaded, anatomy=replace(loaded.anatomy, feed_forward="mlp.down_proj"))
    np.testing.assert_allclose(
        logits(inner, edits=(Ablate(layer=1, part="mlp"),)), expected, atol=1e-5
    )


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (Ablate(layer=4), "layer 4 is not in this model: choose 0 to 3"),
        (Steer(layer=-1, direction=DIRECTION, strength=1.0), "layer -1 is not in this model"),
        (
            Steer(layer=1, direction=DIRECTION[:7], strength=1.0),
            r"a direction of shape \[7\] does not fit: give it \[48\] or \[2, 48\]",
        ),
        (
            Ablate(layer=1, contribution=mx.zeros((2, 48))),
            r"a contribution of shape \[2, 48\] does not fit: give it \[48\]",
        ),
        (
            eraser(7, 1, 0),
            "an eraser of states of width 7 does not fit this model's, which have 48",
        ),
        (
            Patch(layer=1, position=0, state=mx.zeros((3, 48))),
            r"a state of shape \[3, 48\] does not fit: give it \[48\] or \[2, 48\]",
        ),
        (
            Patch(layer=1, position=4, state=DIRECTION),
            "position 4 is not in a prompt of 4 tokens: choose 0 to 3",
        ),
        (
            Add(layer=1, change=mx.zeros((2, 3, 48))),
            r"a change of shape \[2, 3, 48\] does not fit: give it \[2, 4, 48\]",
        ),
    ],
)
def test_an_edit_that_does_not_fit_is_refused_in_one_sentence(tiny_model, edit, complaint):
    with pytest.raises(UserError, match=complaint) as raised:
        logits(tiny_model, edits=(edit,))
    assert "\n" not in str(raised.value)


def test_unknown_parts_and_negative_positions_are_refused_at_once(tiny_model):
    with pytest.raises(UserError, match="part 'head' of a layer is unknown: choose layer, att"):
        Ablate(layer=0, part="head")
    with pytest.raises(UserError, match="part 'head'"):
        contributions(tiny_model.model, tiny_model.anatomy, TOKENS, "head")
    with pytest.raises(UserError, match="position -1 is negative: count it from the prompt's"):
        Patch(layer=0, position=-1, state=DIRECTION)
    with pytest.raises(UserError, match="start -2 is negative"):
        Steer(layer=0, direction=DIRECTION, strength=1.0, start=-2)


def test_a_cache_that_does_not_tell_positions_is_refused_where_they_matter(tiny_model):
    from mlx_lm.models.cache import BatchKVCache

    steer = Steer(layer=0, direction=DIRECTION, strength=1.0)

    def padded() -> list[BatchKVCache]:
        return [BatchKVCache([0, 1]) for _ in range(4)]

    with (
        edited(tiny_model.model, tiny_model.anatomy, (steer,)),
        pytest.raises(UserError, match="does not track positions"),
    ):
        tiny_model.model(TOKENS, cache=padded())
    with edited(tiny_model.model, tiny_model.anatomy, (Ablate(layer=0),)):
        assert tiny_model.model(TOKENS, cache=padded()).shape[:2] == (2, 4)
