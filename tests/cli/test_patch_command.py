"""`lazarus-bench patch`: the numbers are the instrument's, and no flag is passed over."""

import json

import numpy as np
import pytest

from lazarus_bench.analysis.answers import read_next
from lazarus_bench.analysis.patching import patch_pairs
from lazarus_bench.models.prompts import answer_tokens

CLEAN, CORRUPTED = ["7 * 8 = ", "6 * 4 = "], ["7 + 8 = ", "6 + 4 = "]
ANSWERS = ["--clean-answers", "56|24", "--corrupted-answers", "15|10"]


def by_hand(loaded, layers=(0, 1, 2, 3)):
    def first(prompt, answer):
        return answer_tokens(loaded.tokenizer, prompt, answer)[0]

    wanted = [
        (first(CLEAN[0], "56"), first(CORRUPTED[0], "15")),
        (first(CLEAN[1], "24"), first(CORRUPTED[1], "10")),
    ]
    sides = ([loaded.encode(text) for text in side] for side in (CLEAN, CORRUPTED))
    return wanted, patch_pairs(loaded, *sides, wanted, layers)


def numbers(line):
    return [float(cell.replace("−", "-")) for cell in line.split()[-4:]]


def test_the_document_has_the_readings(result, tiny, tiny_model):
    asked = ["|".join(CLEAN), "|".join(CORRUPTED), *ANSWERS, "--layer", 3, "--layer", 1]
    read = result(tiny, *asked)
    wanted, expected = by_hand(tiny_model, (1, 3))
    assert read["layers"] == [1, 3]
    for at, (one, own) in enumerate(zip(read["pairs"], expected, strict=True)):
        assert (one["clean"], one["corrupted"]) == (CLEAN[at], CORRUPTED[at])
        assert tuple(one["answer_ids"]) == wanted[at]
        assert "".join(one["clean_tokens"]).endswith(CLEAN[at])
        assert "".join(one["corrupted_tokens"]).endswith(CORRUPTED[at])
        np.testing.assert_allclose(one["recovered"], own.recovered, atol=1e-5)
        np.testing.assert_allclose(one["probability"], own.probability, rtol=1e-4)
        np.testing.assert_allclose(one["clean_log_probability"], own.clean, atol=1e-6)


def test_prompts_from_files(result, tiny, tmp_path):
    for name, prompts in (("clean", CLEAN), ("corrupted", CORRUPTED)):
        (tmp_path / f"{name}.txt").write_text("\n".join(prompts))
    files = [f"@{tmp_path / name}.txt" for name in ("clean", "corrupted")]
    by_file = result(tiny, *files, *ANSWERS)
    assert by_file == result(tiny, "|".join(CLEAN), "|".join(CORRUPTED), *ANSWERS)


def test_the_table_has_a_row_a_position_and_the_mean_of_the_pairs(told, tiny, tiny_model):
    _, expected = by_hand(tiny_model)
    _, out, _ = told(tiny, "|".join(CLEAN), "|".join(CORRUPTED), *ANSWERS)
    lines = out.splitlines()
    assert "7 * 8 =␣ → 7 + 8 =␣" in lines
    differing = next(line for line in lines if "* → ␣+" in line)
    at = int(differing.split()[0])
    np.testing.assert_allclose(numbers(differing), expected[0].recovered[:, at], atol=0.006)
    mean = next(line for line in lines if line.startswith(f"position {at} "))
    both = np.mean([own.recovered[:, at] for own in expected], axis=0)
    np.testing.assert_allclose(numbers(mean), both, atol=0.006)
    assert "mean of 2 pairs" in lines


def test_the_map_has_a_cell_for_every_position_and_layer(drawn, tiny, tiny_model):
    asked = [CLEAN[0], CORRUPTED[0], *ANSWERS[:1], "56", *ANSWERS[2:3], "15"]
    texts, cells = drawn(tiny, *asked, "--layer", 0, "--layer", 3)
    assert len(cells) == 2 * len(tiny_model.encode(CLEAN[0]))
    assert "1" in texts


def test_without_answers_the_models_own_are_taken_or_refused(told, tiny, tiny_model):
    encoded = [tiny_model.encode(text) for text in (CLEAN[0], CORRUPTED[0])]
    right, wrong = read_next(tiny_model, encoded, [0, 0]).top
    code, out, err = told(tiny, CLEAN[0], CORRUPTED[0], "--json")
    if right == wrong:
        assert code == 2
        assert "are both answered by" in err
    else:
        assert json.loads(out)["result"]["pairs"][0]["answer_ids"] == [right, wrong]
    code, _, err = told(tiny, CLEAN[0], CORRUPTED[0], *ANSWERS[:1], "5", *ANSWERS[2:3], "5")
    assert code == 2
    assert "are both answered by '5': give --clean-answers and --corrupted-answers" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["7 * 8 = |6", "7 + 8 = "],
            "there are 2 prompts in CLEAN and 1 in CORRUPTED: give the same",
        ),
        (["7 * 8 = ", "7 + 8 + 1 = "], "give prompts with the same number of tokens"),
        (["7 * 8 = ", "7 * 8 = "], "is patched into itself"),
        (
            ["7 * 8 = ", "7 + 8 = ", "--clean-answers", "1|2"],
            "answers in --clean-answers: 2, prompts: 1; give one for all",
        ),
        (["7 * 8 = ", "7 + 8 = ", "--layer", "7"], "--layer 7 is not in"),
        (["7 * 8 = ", "@nowhere.txt"], "cannot be read (No such file or directory)"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, tiny, arguments, sentence):
    assert sentence in refused(tiny, *arguments)
