"""`lazarus-bench erase`: the numbers are the instrument's, and no flag is passed over."""

import numpy as np
import pytest

from lazarus_bench.analysis.erasure import erasures

PROMPTS = ["9 * 9 = ", "What is 7 times 8?"]
CLASSES = {
    "multiply": ["7 * 8 = ", "12 * 5 = ", "3 * 9 = ", "6 * 7 = ", "4 * 9 = "],
    "add": ["23 + 45 = ", "17 + 38 = ", "11 + 22 = ", "5 + 9 = ", "8 + 6 = "],
}
GIVEN = [word for c, own in CLASSES.items() for word in ("--classes", f"{c}:{'|'.join(own)}")]
ASKED = [*PROMPTS, *GIVEN, "--draws", "3"]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"method": "mean", "positions": "all"},
        {"method": "lens", "rank": 1},
    ],
)
def test_the_document_has_the_readings(result, tiny, tiny_model, how):
    flags = [word for name, value in how.items() for word in (f"--{name}", value)]
    read = result(tiny, *ASKED, *flags, "--layer", 3, "--layer", 1, "--answers", "81|56")
    found = erasures(tiny_model, PROMPTS, CLASSES, [1, 3], draws=3, answers=["81", "56"], **how)
    assert (read["classes"], read["prompts"], read["answers"]) == (CLASSES, PROMPTS, ["81", "56"])
    assert (read["method"], read["positions"]) == (found.method, found.positions)
    for told, each in zip(read["layers"], found.layers, strict=True):
        assert (told["layer"], told["rank"], told["p"]) == (each.layer, each.rank, each.p_value)
        log_p = told["log_probability_of_random_subspaces"]
        np.testing.assert_allclose(log_p, each.random_log_probability, rtol=1e-4)
        np.testing.assert_allclose(told["log_probability"], each.log_probability, rtol=1e-4)
        assert told["correct_before"] == each.correct_before.tolist()
        assert told["probe_accuracy_before"] == each.probed_before.mean()
        assert each.rank == how.get("rank", 1)


def test_the_tables_say_the_same(told, result, tiny):
    read = result(tiny, *ASKED, "--layer", 2)["layers"][0]
    code, out, _ = told(tiny, *ASKED, "--layer", 2)
    header, row = out.splitlines()[2:4]
    assert (code, header.split()[:4]) == (0, ["layer", "lost", "random", "p"])
    lost = np.subtract(read["log_probability_before"], read["log_probability"]).mean()
    assert float(row.split()[1].replace("−", "-")) == pytest.approx(lost, abs=0.006)
    assert row.split()[3] == f"{read['p']:.3f}"
    assert "9 * 9 =␣" in out


def test_the_picture_has_a_mark_for_every_layer_and_the_null(drawn, tiny):
    texts, _ = drawn(tiny, *ASKED)
    assert any("random subspaces" in (text or "") for text in texts)
    assert {"L0", "L3"} <= set(texts)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*GIVEN, "--draws", "0"], "--draws 0 is not possible: choose 1 to"),
        ([*GIVEN, "--rank", "2"], "rank 2 cannot be erased: choose 1 to 1"),
        ([*GIVEN, "--layer", "9"], "--layer 9 is not in"),
        (GIVEN[:2], "give --classes for at least two"),
        ([*GIVEN[:2], "--classes", "few:1|2"], "5 folds need 5 different prompts of a class"),
        (
            [*GIVEN[:2], "--classes", "unbelievable:1|2|3|4|5", "--method", "lens"],
            "name each class by a word of",
        ),
        ([*GIVEN[:2], "--classes", "more:9 * 9 = |2|3|4|5"], "is also a prompt of a class: ask"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, tiny, arguments, sentence):
    assert sentence in refused(tiny, PROMPTS[0], *arguments)
