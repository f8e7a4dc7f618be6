"""`lazarus-bench interchange`: the numbers are the instrument's, and no flag is passed over."""

import numpy as np
import pytest

from lazarus_bench.analysis.interchange import interchanges

BASES = ["7 * 8 = ", "6 * 4 = ", "9 * 3 = ", "2 * 5 = "]
SOURCES = ["7 + 8 = ", "6 + 4 = ", "9 + 3 = ", "2 + 5 = "]
SIDES = ["|".join(BASES), "|".join(SOURCES)]
ASKED = ["--answers", "15|10|12|7", "--k", 2, "--k", 1, "--steps", 3, "--draws", 2, "--seed", 4]


def test_the_document_has_the_readings(result, tiny, tiny_model):
    more = ["--position", -2, "--held-out", 0.5, "--shuffles", 2, "--layer", 3, "--layer", 1]
    read = result(tiny, *SIDES, *ASKED, *more)
    expected = interchanges(
        tiny_model,
        BASES,
        SOURCES,
        [1, 3],
        [1, 2],
        ["15", "10", "12", "7"],
        held_out=0.5,
        position=-2,
        steps=3,
        draws=2,
        shuffles=2,
        seed=4,
    )
    assert (read["layers"], read["dimensions"], read["position"]) == ([1, 3], [1, 2], -2)
    assert read["fitted_on"] == len(read["held_out"]) == 2
    np.testing.assert_allclose(read["accuracy"], expected.accuracy)
    assert np.shape(read["accuracy_with_permuted_sources"]) == (2, 2, 2)
    assert read["p_value"] == expected.p_value
    for one, swap in zip(read["held_out"], expected.held, strict=True):
        assert (one["base"], one["source"], one["answer"]) == swap.texts
        assert tuple(one["answer_ids"]) == swap.answer
    for ours, theirs in zip(read["subspaces"], expected.subspaces, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_table_and_the_curves_have_a_row_a_layer(told, tiny, tmp_path):
    file = tmp_path / "drawn.svg"
    code, out, _ = told(tiny, *SIDES, *ASKED, "--shuffles", 0, "--plot", file)
    assert code == 0
    header = next(line for line in out.splitlines() if line.startswith("layer"))
    assert header.split() == ["layer", "k", "=", "1", "random", "k", "=", "2", "random", "whole"]
    assert [line.split()[0] for line in out.splitlines() if line.startswith("L")][-4:] == [
        *("L0", "L1", "L2", "L3")
    ]
    assert "permuted" not in out
    drawn = file.read_text()
    assert "random subspaces, k = 2" in drawn
    assert "whole residual" in drawn


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a|b", "c"], "there are 2 prompts in BASE and 1 in SOURCE: give the same number"),
        (["a|b", "a|c"], "'a' is its own source: give a source that differs"),
        (["a|b", "b|c"], "hang together by the prompts they share, so none can be held out"),
        ([*SIDES, "--k", "49"], "subspaces of 49 dimensions are not all in this model's"),
        ([*SIDES, "--position", "-9"], "position -9 is not in every prompt"),
        ([*SIDES, "--position", "0"], "position 0 is not in every prompt"),
        ([*SIDES, "--held-out", "1"], "a share of 1.0 cannot be held out: give one between"),
        ([*SIDES, "--held-out", "nan"], "a share of nan cannot be held out: give one between"),
        ([*SIDES, "--steps", "0"], "--steps 0 is not possible: choose 1 to"),
        ([*SIDES, "--draws", "0"], "--draws 0 is not possible: choose 1 to"),
        ([*SIDES, "--shuffles", "-1"], "--shuffles -1 is not possible: choose 1 to"),
        ([*SIDES, "--seed", "-1"], "--seed -1 is negative: give 0 or more"),
        ([*SIDES, "--layer", "7"], "--layer 7 is not in"),
        ([*SIDES, "--answers", "1|2"], "answers in --answers: 2, prompts: 4; give one for all"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, tiny, arguments, sentence):
    assert sentence in refused(tiny, *arguments)
