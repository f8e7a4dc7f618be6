"""Erasure: a planted plane and only it is what answers need; noise needs no more than random."""

from types import SimpleNamespace

import numpy as np
import pytest

from lazarus_bench.analysis.answers import read_next
from lazarus_bench.analysis.erasure import (
    Erasure,
    Fitted,
    erasure,
    fit,
    fitted_after,
    lens_directions,
    measure_erasure,
)
from lazarus_bench.analysis.lens import read_lens
from lazarus_bench.analysis.probe_prompts import in_classes, in_symbols
from lazarus_bench.analysis.prompts import symbol_tokens
from lazarus_bench.backend import mx, nn
from lazarus_bench.errors import UserError
from lazarus_bench.models.anatomy import blocks
from lazarus_bench.models.load import load
from lazarus_bench.models.taps import edited, residual_stream
from lazarus_bench.session.codec import decode, encode
from lazarus_bench.session.run import Run
from lazarus_bench.session.samples import Asked, Stack
from lazarus_bench.tasks.arithmetic import held_out

WRITER = 2
ANSWERS, TOKENS = np.array([3, 4, 5]), np.arange(200, 320)
CLASSES = np.arange(120) % 3
FIT, ASKED = np.arange(90), np.arange(90, 120)
PROMPTS = in_classes({str(c): [f"{t}" for t in TOKENS[FIT][CLASSES[FIT] == c]] for c in range(3)})
METHODS = ("leace", "mean")
ONE = tuple(held_out(8, 0))
MANY = tuple(p for p in held_out(60, 0) if p.key not in {one.key for one in ONE})


class Writes(nn.Module):
    """Adds what is `written` `[token, d]` of the token whose normed state is nearest `known`."""

    def __init__(self, known, written):
        super().__init__()
        self.known, self.written = known, written

    def __call__(self, x):
        return self.written[mx.argmax(x @ self.known.T, axis=-1)]


@pytest.fixture(scope="module")
def planted(tiny):
    """A model whose layer 2 writes each token's class into a plane, from which it is answered."""
    loaded, rng = load(tiny), np.random.default_rng(0)
    model, own = loaded.model, blocks(loaded.model, loaded.anatomy)
    for block in own:
        block.self_attn.o_proj.weight = mx.zeros_like(block.self_attn.o_proj.weight)
        block.mlp.down_proj.weight = mx.zeros_like(block.mlp.down_proj.weight)
    plane = np.linalg.qr(rng.normal(size=(48, 2)))[0].T
    corners = np.array([[1, 0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]]) @ plane
    rows = np.array(model.model.embed_tokens.weight)
    rows[ANSWERS] = 4 * corners
    states = rng.normal(size=(120, 48)) * np.geomspace(0.1, 0.7, 48)
    rows[TOKENS] = states - states @ plane.T @ plane
    model.model.embed_tokens.weight = mx.array(rows.astype(np.float32))
    seen = own[WRITER].post_attention_layernorm(mx.array(rows[TOKENS].astype(np.float32)))
    keys = seen / mx.linalg.norm(seen, axis=1, keepdims=True)
    own[WRITER].mlp = Writes(keys, mx.array((6 * corners[CLASSES]).astype(np.float32)))
    return SimpleNamespace(loaded=loaded, plane=plane)


def tokens(which):
    return [[7, int(TOKENS[at])] for at in which]


def measured(planted, layer, fitted, draws=19) -> Erasure:
    wanted = ANSWERS[CLASSES[ASKED]]

    def read(rows):
        asked = [tokens(ASKED)[row] for row in rows]
        found = read_next(planted.loaded, asked, wanted[rows].tolist())
        return found.top == wanted[rows], np.log(found.probability)

    # The prompts of a class in turn, as the eraser was fitted on them.
    return measure_erasure(planted.loaded, tokens(ASKED), layer, fitted, read, draws, PROMPTS)


def in_order():
    """The tokens fitted on, class by class, as `PROMPTS` has them."""
    return FIT[np.argsort(CLASSES[FIT], kind="stable")]


@pytest.mark.parametrize(
    ("method", "positions"), [("leace", "last"), ("mean", "all"), ("lens", "last")]
)
def test_erasing_a_planted_plane_breaks_the_answers_and_a_random_one_does_not(
    planted, method, positions
):
    own = in_order()
    loaded, how = planted.loaded, (method if method != "lens" else "mean", positions)
    (fitted,) = fitted_after(loaded, tokens(own), CLASSES[own], [WRITER], *how)
    if method == "lens":
        directions = lens_directions(loaded, fitted.places[-1].mean, ANSWERS.tolist())
        last = fitted.places[-1]
        fitted = fit(last.states, last.classes, "lens", directions)
    found = measured(planted, WRITER, fitted)
    left = np.linalg.qr(fitted.eraser.left[-1])[0]
    angles = np.degrees(np.arccos(np.linalg.svd(planted.plane @ left)[1].clip(-1, 1)))
    assert (found.rank, angles.max() < 10) == (3 if method == "lens" else 2, True)
    assert found.correct_before.all()
    assert found.correct.mean() < 0.5
    assert found.random_correct.mean() > 0.9
    assert found.p_value == 0.05
    assert found.excess.mean() < -0.4
    assert found.excess_log_probability.mean() < -1
    assert found.probed_before.mean() > 0.95
    assert found.probed.mean() < 0.45
    assert found.chance == pytest.approx(1 / 3)


def test_a_label_that_the_answers_do_not_need_costs_no_more_than_a_random_one(planted):
    own = in_order()
    label = np.random.default_rng(1).permutation(CLASSES[own])
    (fitted,) = fitted_after(planted.loaded, tokens(own), label, [WRITER])
    found = measured(planted, WRITER, fitted)
    assert found.correct.mean() > 0.9
    assert found.p_value > 0.05


def cases(count):
    """States whose classes mean nothing, new states, and what their answers lose by moving."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        mix = rng.normal(size=(10, 10)) * np.geomspace(1, 10, 10)
        states, asked = rng.normal(size=(60, 10)) @ mix, rng.normal(size=(30, 10)) @ mix
        needed = rng.normal(size=(10, 3))

        def lost(eraser, asked=asked, needed=needed):
            return (np.abs((eraser.erase(asked) - asked) @ needed).sum(axis=1)).mean()

        yield fit, states, rng.permutation(np.arange(60) % 3), lost


@pytest.mark.parametrize("method", METHODS)
def test_false_findings_are_as_rare_as_they_should_be(method):
    found, taken, random = 0, [], []
    for make, states, classes, lost in cases(100):
        fitted = make(states, classes, method)
        drawn = [fitted.at_random(draw) for draw in range(19)]
        found += all(lost(fitted.eraser) > lost(each) for each in drawn)
        taken.append(fitted.taken(fitted.eraser))
        random.append(np.mean([fitted.taken(each) for each in drawn]))
    assert found <= 10  # of 100 at a level of 0.05: more have a chance of one in a hundred
    assert np.mean(random) == pytest.approx(np.mean(taken), rel=0.15)


@pytest.mark.parametrize("method", METHODS)
def test_classes_are_erased_and_nothing_is_twice(method):
    rng = np.random.default_rng(3)
    classes = np.arange(80) % 4
    states = (
        rng.normal(size=(80, 12)) @ rng.normal(size=(12, 12)) + rng.normal(size=(4, 12))[classes]
    )
    fitted = fit(states, classes, method)
    eraser = fitted.eraser
    erased = eraser.erase(states)
    for label in range(4):
        np.testing.assert_allclose(
            erased[classes == label].mean(axis=0), states.mean(axis=0), atol=1e-9
        )
    np.testing.assert_allclose(eraser.erase(erased), erased, atol=1e-9)
    assert (eraser.rank, fit(states, classes, method, rank=1).eraser.rank) == (3, 1)
    assert fitted.at_random(0).rank == 3
    assert not np.allclose(fitted.at_random(0).left, fitted.at_random(1).left)
    assert fitted.taken(eraser) >= fit(states, classes, "leace").taken(fit(states, classes).eraser)


def test_states_that_do_not_vary_and_a_class_alone_have_nothing_to_erase():
    constant = fit(np.ones((6, 4)) / 3, [0, 1] * 3).eraser
    assert constant.rank == 0
    np.testing.assert_allclose(constant.erase(np.eye(4)), np.eye(4))


def test_where_prompts_do_not_differ_there_is_nothing_to_erase(planted):
    with pytest.raises(UserError, match="after layer 1 the last position is the same in all"):
        fitted_after(planted.loaded, [[at, 9] for at in range(20, 26)], [0, 1] * 3, [1])


def test_at_all_positions_no_position_tells_the_class(tiny_model):
    """Prompts of two lengths: positions are counted from the end."""
    rng = np.random.default_rng(0)
    prompts = [[0, *rng.integers(9, 900, size=5 + at % 2).tolist()] for at in range(24)]
    classes = np.arange(24) // 2 % 3
    (fitted,) = fitted_after(tiny_model, prompts, classes, [1], "leace", "all")
    (at_end,) = fitted_after(tiny_model, prompts, classes, [1])
    assert fitted.eraser.mean.shape == (7, 48)
    maps = [each.left[-1] @ each.right[-1] for each in (fitted.eraser, at_end.eraser)]
    np.testing.assert_allclose(*maps, atol=1e-5)
    for length in (6, 7):
        rows = [at for at in range(24) if len(prompts[at]) == length]
        asked = mx.array([prompts[at] for at in rows])
        plain, found, last = (
            np.array(under(tiny_model, edits, asked)[1])
            for edits in ([], [fitted.eraser.edit(1, length)], [at_end.eraser.edit(1, length)])
        )
        assert np.array_equal(last[:, :-1], plain[:, :-1])
        np.testing.assert_allclose(last[:, -1], found[:, -1], atol=1e-5)
        for back in range(1, length + 1):
            expected = at_position(fitted, -back).erase(plain[:, -back])
            np.testing.assert_allclose(found[:, -back], expected, atol=1e-4)


def under(loaded, edits, asked):
    with edited(loaded.model, loaded.anatomy, edits):
        return residual_stream(loaded.model, loaded.anatomy, asked)


def at_position(fitted, at):
    return Fitted(places=(fitted.places[at],), method=fitted.method).eraser


def test_the_lens_does_not_read_what_is_erased_of_it(tiny_model):
    prompts = symbol_tokens(tiny_model, held_out(40, 0))
    classes = np.array(in_symbols(held_out(40, 0)).labels)
    names = ("multiply", "add", "subtract", "divide")
    (fitted,) = fitted_after(tiny_model, prompts, classes, [2], "lens", names=names)
    assert fitted.rank == 4
    ids = np.tile(
        [tiny_model.tokenizer.encode(n, add_special_tokens=False)[0] for n in names], (40, 1)
    )
    edit = fitted.eraser.edit(2, len(prompts[0]))
    assert len({len(prompt) for prompt in prompts}) == 1

    def spread():
        """How much the log-odds between two names differ from prompt to prompt."""
        found = np.log(read_lens(tiny_model, prompts, ids, 1).probability[:, 2])
        return (found - found[:, :1]).std(axis=0)[1:]

    plain = spread()
    with edited(tiny_model.model, tiny_model.anatomy, [edit]):
        assert (spread() < 0.1 * plain).all()


def test_it_is_measured_once_and_comes_back_as_it_was(tiny):
    run = Run(name="tiny", seed=0, directory=tiny)
    found = run.read(erasure, ONE, 2, MANY, draws=2)
    assert run.read(erasure, ONE, 2, MANY, draws=2) is found
    assert (found.correct.shape, found.random_correct.shape) == ((8,), (2, 8))
    expected = run.behaviour(ONE)
    assert np.array_equal(found.correct_before, expected.correct)
    np.testing.assert_allclose(
        np.exp(found.log_probability_before), expected.probability, rtol=1e-5
    )
    assert found.probed.mean() <= found.chance + 0.05 < found.probed_before.mean()
    stack = Stack([found], Asked())
    assert (stack.excess.axes, stack.excess.bounds) == (("seeds", "prompts"), (-1, 1))
    assert stack.random_correct.axes == ("seeds", "draws", "prompts")
    again = decode(encode(found, Erasure), Erasure)
    assert np.array_equal(again.random_log_probability, found.random_log_probability)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"layer": 9}, "layer 9 is not in this model: choose 0 to 3"),
        ({"fitted_on": ONE}, "of the problems are also what the eraser is fitted on"),
        ({"method": "inlp"}, "'inlp' cannot be erased by: choose leace, mean, lens"),
        ({"positions": "first"}, "'first' cannot be erased by: choose last, all"),
        ({"rank": 4}, "rank 4 cannot be erased: choose 1 to 3"),
        ({"draws": 0}, "at least 1 random subspace to compare with, not 0"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(tiny, asked, sentence):
    run = Run(name="tiny", seed=0, directory=tiny)
    with pytest.raises(UserError, match=sentence):
        erasure(run, **{"problems": ONE, "layer": 2, "fitted_on": MANY, **asked})
