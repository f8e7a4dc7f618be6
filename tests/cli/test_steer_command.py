"""`lazarus-bench steer`: the numbers are the instrument's, and no flag is passed over."""

import numpy as np
import pytest

from lazarus_bench.analysis.prompts import last_states
from lazarus_bench.analysis.steering import moved_at_random, read_steered

PROMPTS = ["7 * 8 = ", "What is 7 times 8?"]
TOWARD, AWAY = ["23 + 45 = ", "17 + 38 = "], ["12 * 5 = ", "3 * 9 = "]
SIDES = ["--toward", "|".join(TOWARD), "--away", "|".join(AWAY)]


def by_hand(loaded, layer, strength, words=(), top=5, length=8):
    toward, away, prompts = ([loaded.encode(t) for t in side] for side in (TOWARD, AWAY, PROMPTS))
    means = (last_states(loaded, side).astype(float).mean(axis=0) for side in (toward, away))
    direction = np.subtract(*means)[layer]
    ids = [loaded.tokenizer.encode(word, add_special_tokens=False)[0] for word in words]
    asked = {"targets": np.array(ids, dtype=np.int64), "top": top, "length": length}
    return direction, read_steered(loaded, prompts, layer, direction, strength, **asked)


def agree(told, steered, loaded):
    reading = steered.reading
    assert told["top_ids"] == reading.top_ids[:, -1].tolist()
    np.testing.assert_allclose(told["top_probability"], reading.top_probability[:, -1], rtol=1e-4)
    np.testing.assert_allclose(
        told["lens_target_probability"], reading.probability, rtol=1e-4, atol=1e-12
    )
    texts = [loaded.tokenizer.decode(list(ids)) for ids in steered.continuations]
    assert told["continuations"] == texts


def test_the_document_has_the_readings(result, tiny, tiny_model):
    asked = ["--layer", 3, "--layer", 1, "--strength", 2, "--strength", -20]
    more = ["--targets", "multiply,add", "--top-k", 3, "--tokens", 4]
    read = result(tiny, *PROMPTS, *SIDES, *asked, *more)
    how = {"words": ("multiply", "add"), "top": 3, "length": 4}
    assert (read["toward"], read["away"], read["layers"]) == (TOWARD, AWAY, [1, 3])
    agree(read["as_it_is"], by_hand(tiny_model, 1, 0.0, **how)[1], tiny_model)
    order = [(one["layer"], one["strength"]) for one in read["steered"]]
    assert order == [(1, 2), (1, -20), (3, 2), (3, -20)]
    for one in read["steered"]:
        _, steered = by_hand(tiny_model, one["layer"], one["strength"], **how)
        agree(one, steered, tiny_model)
        np.testing.assert_allclose(one["total_variation"], steered.moved, atol=1e-5)
    lengths = [np.linalg.norm(by_hand(tiny_model, layer, 1.0)[0]) for layer in (1, 3)]
    np.testing.assert_allclose(read["direction_lengths"], lengths, rtol=1e-5)


def test_random_directions_stand_beside(result, tiny, tiny_model):
    read = result(tiny, *PROMPTS, *SIDES, "--strength", 5, "--draws", 3)
    (one,) = read["steered"]
    direction, _ = by_hand(tiny_model, 2, 5.0)
    prompts = [tiny_model.encode(prompt) for prompt in PROMPTS]
    expected = moved_at_random(tiny_model, prompts, 2, direction, 5.0, 3).mean(axis=0)
    np.testing.assert_allclose(one["total_variation_of_random_directions"], expected, atol=1e-6)


def test_the_table_has_each_prompt_as_it_is_and_steered(told, result, tiny):
    asked = [*PROMPTS, *SIDES, "--strength", 9, "--targets", "add", "--top-k", 1]
    read = result(tiny, *asked)
    _, out, _ = told(tiny, *asked)
    header, plain, steered, other, _ = out.splitlines()[2:7]
    assert header.split() == [
        *("prompt", "steered", "continued", "by", "add", "moved", "random", "top", "1")
    ]
    assert plain.startswith("7 * 8 =␣")
    assert "as it is" in plain
    assert steered.split()[:3] == ["L2", "×", "9"]
    assert f"{read['steered'][0]['total_variation'][0]:.3f}"[:4] in steered
    assert other.startswith("What is 7 times 8?")


def test_the_map_shows_the_lens_of_every_arm(drawn, tiny):
    texts, cells = drawn(tiny, *PROMPTS, *SIDES, "--targets", "add,multiply", "--layer", 1)
    assert {"as it is: add", "L1 × 1: multiply"} <= set(texts)
    assert len(cells) == 2 * 2 * 2 * 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*SIDES, "--strength", "0"], "--strength 0 must be a finite number other than 0"),
        ([*SIDES, "--strength", "nan"], "--strength nan must be a finite number other than 0"),
        ([*SIDES, "--tokens", "0"], "--tokens 0 is not possible: choose 1 to"),
        ([*SIDES, "--tokens", "999"], "reads 128 tokens"),
        ([*SIDES, "--draws", "0"], "--draws 0 is not possible: choose 1 to"),
        ([*SIDES, "--draws", "9" * 20], "is not possible: choose 1 to 100000"),
        ([*SIDES, "--layer", "9"], "--layer 9 is not in"),
        ([*SIDES, "--top-k", "0"], "--top-k 0 is not possible"),
        ([*SIDES, "--targets", "unbelievable"], "tokens in this tokenizer"),
        (["--toward", "a|b", "--away", "b|a"], "the direction would be zero"),
        (["--toward", "a||b", "--away", "b"], "has an empty prompt"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, tiny, arguments, sentence):
    assert sentence in refused(tiny, PROMPTS[0], *arguments)
