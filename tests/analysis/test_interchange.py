"""Interchange: a planted plane is found where it is and only there; a swap is what a patch does."""

import json

import numpy as np
import pytest
from planted import CARRIER, LAYERS, degrees, planted, swaps

from lazarus_bench.analysis.answers import greedy
from lazarus_bench.analysis.interchange import (
    Swap,
    interchange,
    interchanges,
    search,
    swaps_of,
)
from lazarus_bench.analysis.prompts import last_states
from lazarus_bench.backend import mx
from lazarus_bench.cli.outputs import _plain
from lazarus_bench.errors import UserError
from lazarus_bench.models.edits import Patch
from lazarus_bench.models.load import load
from lazarus_bench.models.taps import edited
from lazarus_bench.models.untrained import randomise
from lazarus_bench.tasks.arithmetic import Operation, Problem, is_held_out, operand_pairs

SHORT = {"steps": 3, "draws": 2}
BASES = ["7 * 8 = ", "6 * 4 = ", "9 * 3 = "]
SOURCES = ["7 + 8 = ", "6 + 4 = ", "9 + 3 = "]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_search_finds_the_layer_and_the_plane(seed):
    model = planted(seed, 24, 200)
    sides = swaps(model, range(20)), swaps(model, range(20, 24))
    found = search(model.loaded, *sides, range(LAYERS), (2,), shuffles=0)
    accuracy = found.accuracy[:, 0]
    assert accuracy.argmax() == CARRIER
    assert accuracy[CARRIER] >= 0.9
    assert np.delete(accuracy, CARRIER).max() <= 0.2
    assert degrees(model.plane, found.subspaces[CARRIER][0]) <= 10
    assert found.random.mean(axis=0).max() <= 0.15
    assert found.excess[:, CARRIER].mean() >= 0.75
    assert found.whole.all()
    assert found.answered.all()
    assert not found.plain.any()


def test_permuted_sources_and_random_weights_have_no_such_plane():
    model = planted(2)
    sides = swaps(model, range(16)), swaps(model, range(16, 20))
    found = search(model.loaded, *sides, [CARRIER], (2,), steps=30, shuffles=3)
    assert found.accuracy[0, 0] >= 0.7
    assert found.shuffled.shape == (3, 1, 1)
    assert found.shuffled.max() <= 0.2
    assert found.p_value == 1 / 4
    drawn = search(randomise(model.loaded), *sides, range(LAYERS), (2,), steps=5, shuffles=0)
    assert drawn.accuracy.max() <= 0.2


def test_the_same_arguments_give_the_same_result():
    model = planted(3, 8, 48)
    asked = (swaps(model, range(6)), swaps(model, range(6, 8)), (0, 1), (1, 2))
    one, other = (search(model.loaded, *asked, **SHORT) for _ in range(2))
    assert json.dumps(one.to_json(), default=_plain) == json.dumps(other.to_json(), default=_plain)
    for bases in one.subspaces:
        for size, basis in zip((1, 2), bases, strict=True):
            np.testing.assert_allclose(basis.T @ basis, np.eye(size), atol=1e-12)
    moved = search(model.loaded, *asked, **SHORT, seed=1)
    assert not np.allclose(moved.subspaces[0][0], one.subspaces[0][0])


def told(loaded, base, source, tokens=3):
    """A swap whose answer is what the model goes on with after the source."""
    ids = [tuple(loaded.encode(text)) for text in (base, source)]
    return Swap(base=ids[0], source=ids[1], answer=tuple(greedy(loaded, ids[1:], tokens)[0]))


def test_a_swap_of_everything_counts_as_the_patched_model_goes_on(tiny_model):
    """Prompts of several lengths, answers of three tokens: a hit is greedy decoding's beginning."""
    pairs = zip([*BASES, "30 - 12 + 5 = "], [*SOURCES[::-1], "7 + 8 = "], strict=True)
    held = [told(tiny_model, base, source) for base, source in pairs]
    held += [Swap(base=s.source, source=s.base, answer=s.answer[:1], group=(1,)) for s in held]
    fitted = [Swap(base=(1, 2), source=(1, 3), answer=(5,), group=(2,))]
    found = search(tiny_model, fitted, held, range(4), (1,), steps=1, draws=1, shuffles=0)
    for at, swap in enumerate(held):
        state = mx.array(last_states(tiny_model, [swap.source])[0])
        for layer in range(4):
            edit = Patch(layer=layer, position=len(swap.base) - 1, state=state[layer])
            with edited(tiny_model.model, tiny_model.anatomy, (edit,)):
                given = greedy(tiny_model, [swap.base], len(swap.answer))[0]
            assert found.whole[at, layer] == (tuple(given) == swap.answer), (at, layer)
        for said, prompt in ((found.plain, swap.base), (found.answered, swap.source)):
            own = greedy(tiny_model, [prompt], len(swap.answer))[0]
            assert said[at] == (tuple(own) == swap.answer)
    assert found.answered[:4].all()
    assert len(set(found.whole.ravel())) == 2


def test_swaps_are_all_pairs_of_operations_on_the_same_operands(tiny_model):
    ops = (Operation.MULTIPLY, Operation.ADD, Operation.SUBTRACT)
    problems = [Problem(a=a, operation=o, b=b) for a, b in ((7, 3), (2, 2)) for o in ops]
    found = swaps_of(tiny_model, problems, "right")
    assert len(found) == 6 + 4  # 2 + 2 and 2 * 2 have one answer
    assert {swap.group for swap in found} == {(3, 7), (2, 2)}
    assert found[0].texts == ("7 * 3 = ", "7 + 3 = ", "10")
    own = swaps_of(tiny_model, problems, "own")
    assert [len(swap.answer) for swap in own] == [1] * len(own)


def test_operand_pairs_of_one_side_are_never_on_the_other(tiny_model):
    fitted, held = operand_pairs(60, 1, held=False), operand_pairs(60, 1, held=True)
    assert all(map(is_held_out, held))
    assert not any(map(is_held_out, fitted))
    sides = [{swap.group for swap in swaps_of(tiny_model, s, "right")} for s in (fitted, held)]
    assert not sides[0] & sides[1]
    assert fitted == operand_pairs(60, 1, held=False) != operand_pairs(60, 2, held=False)
    found = interchange(tiny_model, held[:4], fitted[:8], [1], (1,), **SHORT)
    assert found.found.shape == (len(found.held), 1, 1)
    assert len(found.clusters) == len(found.held)
    with pytest.raises(UserError, match="9999 operand pairs are not there"):
        operand_pairs(9999, 0, held=True)


def test_pairs_that_share_a_prompt_are_held_out_together(tiny_model):
    bases = ["1 * 2 = ", "1 + 2 = ", "3 * 4 = ", "3 + 4 = ", "5 * 6 = "]
    sources = ["1 + 2 = ", "1 - 2 = ", "3 + 4 = ", "3 * 4 = ", "5 + 6 = "]
    for seed in range(4):
        found = interchanges(tiny_model, bases, sources, [0], (1,), seed=seed, **SHORT)
        apart = {swap.texts[0] for swap in found.held} | {swap.texts[1] for swap in found.held}
        left = set(bases + sources) - apart
        assert len(apart) in (2, 3)
        assert not any(
            {one, other} & apart and {one, other} & left
            for one, other in zip(bases, sources, strict=True)
        )
        assert found.fitted + len(found.held) == len(bases)


def asked(model, more=(), **changed):
    one = Swap(base=(1, 2), source=(1, 3), answer=(5,), group=(0,))
    other = Swap(base=(4, 2), source=(4, 3), answer=(6,), group=(1,))
    given = {"fitted": [one], "held": [other], "layers": [0], "sizes": (1,), **changed}
    return search(model, **given, **{**SHORT, **dict(more)})


REFUSED = {
    "needs swaps to fit and swaps to judge": {"fitted": []},
    "1 groups of operands are both fitted and judged": {
        "fitted": [Swap(base=(1,), source=(2,), answer=(3,), group=(1,))]
    },
    "layer 4 is not in this model: choose 0 to 3": {"layers": [4]},
    "subspaces of 1, 49 dimensions are not all in": {"sizes": (1, 49)},
    "subspaces of 0 dimensions": {"sizes": (0,)},
    "position -3 is not in every prompt": {"position": -3},
    "position 0 is not in every prompt": {"position": 0},
    "needs draws of 1 or more, not 0": {"more": {"draws": 0}},
    "needs shuffles of 0 or more, not -1": {"more": {"shuffles": -1}},
    "no token 99999": {"held": [Swap(base=(99999, 1), source=(1, 2), answer=(3,), group=(9,))]},
}


@pytest.mark.parametrize(("sentence", "changed"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_searched_is_refused(tiny_model, sentence, changed):
    with pytest.raises(UserError, match=sentence):
        asked(tiny_model, **changed)


def test_a_model_that_is_not_finite_is_refused(tiny):
    loaded = load(tiny)
    loaded.model.model.norm.weight = loaded.model.model.norm.weight * np.nan
    with pytest.raises(UserError, match="its logits are not finite"):
        asked(loaded)
