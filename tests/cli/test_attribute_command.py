"""`lazarus-bench attribute`: the numbers are the instrument's, and no flag is passed over."""

import numpy as np
import pytest

from lazarus_bench.analysis.attribution import COMPONENTS, attribution

CLEAN, CORRUPTED = ["7 * 8 = ", "6 * 4 = "], ["7 + 8 = ", "6 + 4 = "]
SIDES = ["|".join(CLEAN), "|".join(CORRUPTED)]
ANSWERS = ["--clean-answers", "56|24", "--corrupted-answers", "15|10"]


def by_hand(loaded, **more):
    return attribution(loaded, CLEAN, CORRUPTED, None, ["56", "24"], ["15", "10"], **more)


def test_the_document_has_the_readings(result, tiny, tiny_model):
    layers = ["--layer", 3, "--layer", 1]
    read = result(tiny, *SIDES, *ANSWERS, *layers, "--sample", 9, "--direct")
    expected = by_hand(tiny_model, sample=9, direct=True)
    assert read["layers"] == [1, 3]
    for one, pair in zip(read["pairs"], expected.pairs, strict=True):
        own = pair.attribution
        assert (one["clean"], one["corrupted"]) == (pair.clean, pair.corrupted)
        assert one["answer_ids"] == list(pair.answer_ids)
        for at, part in enumerate(COMPONENTS):
            np.testing.assert_allclose(one["effect"][part], own.estimate[at, [1, 3]], atol=1e-5)
        assert len(one["checked"]) == 9
        np.testing.assert_allclose([c["exact"] for c in one["checked"]], own.exact, atol=1e-5)
        assert one["spearman"] == pytest.approx(own.spearman, abs=1e-3)
        assert one["direct"]["logit_difference"] == pytest.approx(own.clean, abs=1e-4)
    assert "direct" not in result(tiny, *SIDES, *ANSWERS)["pairs"][0]


def test_the_table_has_every_component_and_its_error(told, tiny, tiny_model):
    _, out, _ = told(tiny, *SIDES, *ANSWERS, "--sample", 9, "--direct")
    lines = out.splitlines()
    assert "7 * 8 =␣ → 7 + 8 =␣" in lines
    for name in ("attention", "MLP", "residual after the layer"):
        assert lines.count(name) == 2
    assert "checked on 9 components: Spearman" in " ".join(out.split())
    sums = by_hand(tiny_model).pairs[0].attribution.clean
    assert f"sum to {sums:.2f}".replace("-", "−") in " ".join(out.split())


def test_the_map_has_a_cell_for_every_component_position_and_layer(drawn, tiny, tiny_model):
    one = [SIDES[0].split("|")[0], SIDES[1].split("|")[0]]
    answers = ["--clean-answers", "56", "--corrupted-answers", "15"]
    _, cells = drawn(tiny, *one, *answers, "--layer", 0, "--layer", 3, "--sample", 1)
    assert len(cells) == 3 * 2 * len(tiny_model.encode(one[0]))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["7 * 8 = |6", "7 + 8 = "], "there are 2 prompts in CLEAN and 1 in CORRUPTED: give the"),
        (["7 * 8 = ", "7 + 8 + 1 = "], "give prompts with the same number of tokens"),
        (["7 * 8 = ", "7 + 8 = ", "--sample", "0"], "--sample 0 is not possible: choose 1 to"),
        (["7 * 8 = ", "7 + 8 = ", "--layer", "7"], "--layer 7 is not in"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, tiny, arguments, sentence):
    assert sentence in refused(tiny, *arguments)
