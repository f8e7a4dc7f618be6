"""`lazarus-bench ablate`: the numbers are the instrument's, and no flag is passed over."""

import numpy as np
import pytest

from lazarus_bench.analysis.ablation import Removal, means_of, read_without
from lazarus_bench.analysis.answers import read_next
from lazarus_bench.models.prompts import answer_tokens

PROMPTS = ["7 * 8 = ", "23 + 45 = "]


def by_hand(loaded, removals, answers=None, means_over=None):
    """What is read before and without each of `removals`, and the answers' tokens."""
    encoded = [loaded.encode(prompt) for prompt in PROMPTS]
    wanted = read_next(loaded, encoded, [0, 0]).top.tolist()
    if answers is not None:
        pairs = zip(PROMPTS, answers, strict=True)
        wanted = [answer_tokens(loaded.tokenizer, p, a)[0] for p, a in pairs]
    means = None
    if means_over is not None:
        means = means_of(loaded, [loaded.encode(p) for p in means_over], removals)
    after = [read_without(loaded, encoded, wanted, [one], means) for one in removals]
    return wanted, read_next(loaded, encoded, wanted), after


def agree(read, wanted, before, after):
    assert read["answer_ids"] == wanted
    np.testing.assert_allclose(read["probability"], before.probability, rtol=1e-5)
    for one, expected in zip(read["removals"], after, strict=True):
        np.testing.assert_allclose(one["probability"], expected.probability, rtol=1e-5)
        np.testing.assert_allclose(
            one["change"], expected.probability - before.probability, atol=1e-7
        )
        assert one["top_ids"] == expected.top.tolist()


def test_every_layer_is_taken_out_in_turn(result, tiny, tiny_model):
    read = result(tiny, "|".join(PROMPTS))
    agree(read, *by_hand(tiny_model, [Removal(layer=layer) for layer in range(4)]))
    assert read["prompts"] == PROMPTS
    assert read["answer_ids"] == read["top_ids"]
    assert [one["removed"] for one in read["removals"]] == [
        [{"layer": layer, "part": "layer"}] for layer in range(4)
    ]


def test_given_answers_and_parts(result, tiny, tiny_model):
    asked = ["--answers", "56|68", "--component", "mlp", "--layer", 3, "--layer", 1]
    read = result(tiny, *PROMPTS, *asked)
    removals = [Removal(layer=layer, part="mlp") for layer in (1, 3)]
    agree(read, *by_hand(tiny_model, removals, ["56", "68"]))
    assert read["component"] == "mlp"
    same = result(tiny, *PROMPTS, "--answers", "5")
    assert len(set(same["answer_ids"])) == 1


def test_heads_in_turn_or_those_asked_for(result, tiny, tiny_model):
    read = result(tiny, *PROMPTS, "--component", "heads", "--layer", 2)
    agree(read, *by_hand(tiny_model, [Removal(layer=2, head=head) for head in range(3)]))
    asked = ["--component", "heads", "--layer", 2, "--head", 2, "--head", 0]
    chosen = result(tiny, *PROMPTS, *asked)
    assert [one["removed"] for one in chosen["removals"]] == [
        [{"layer": 2, "head": 0}],
        [{"layer": 2, "head": 2}],
    ]


def test_a_mean_over_reference_prompts(result, tiny, tiny_model):
    asked = ["--component", "attention", "--mean", "--reference", "5 + 6 = |8 - 3 = "]
    read = result(tiny, *PROMPTS, *asked)
    removals = [Removal(layer=layer, part="attention") for layer in range(4)]
    agree(read, *by_hand(tiny_model, removals, means_over=["5 + 6 = ", "8 - 3 = "]))
    assert read["in_its_place"] == "mean"
    own = result(tiny, *PROMPTS, "--component", "attention", "--mean")
    agree(own, *by_hand(tiny_model, removals, means_over=PROMPTS))


def test_together_is_one_removal(result, tiny, tiny_model):
    read = result(tiny, *PROMPTS, "--layer", 1, "--layer", 2, "--together")
    (one,) = read["removals"]
    encoded = [tiny_model.encode(prompt) for prompt in PROMPTS]
    both = [Removal(layer=1), Removal(layer=2)]
    expected = read_without(tiny_model, encoded, read["answer_ids"], both)
    assert one["removed"] == [{"layer": 1, "part": "layer"}, {"layer": 2, "part": "layer"}]
    np.testing.assert_allclose(one["probability"], expected.probability, rtol=1e-5)


def test_the_tables_have_the_numbers(told, result, tiny):
    read = result(tiny, *PROMPTS, "--layer", 1)
    _, out, _ = told(tiny, *PROMPTS, "--layer", 1)
    (one,) = read["removals"]
    lines = out.splitlines()
    means = next(line for line in lines if line.startswith("L1"))
    assert float(means.split()[1]) == pytest.approx(np.mean(one["probability"]), rel=0.06)
    change = float(means.split()[2].replace("−", "-"))
    assert change == pytest.approx(np.mean(one["change"]), rel=0.06)
    kept = sum(a == b for a, b in zip(one["top_ids"], read["answer_ids"], strict=True))
    assert means.endswith(f"{kept}/2")
    assert next(line for line in lines if line.startswith("nothing")).endswith("2/2")
    at = next(i for i, line in enumerate(lines) if line.startswith("23 + 45 =␣ answer "))
    assert lines[at].split(" answer ")[1].startswith(read["answers"][1].replace(" ", "␣"))
    row = lines[at + 2].split()
    assert row[0] == "L1"
    assert float(row[1]) == pytest.approx(one["probability"][1], rel=0.06)


def test_the_map_has_a_cell_for_every_head_and_layer(drawn, tiny):
    texts, cells = drawn(tiny, *PROMPTS, "--component", "heads", "--layer", 1, "--layer", 2)
    assert {"the whole model", "without head 2"} <= set(texts)
    assert len(cells) == 2 * (4 + 3 * 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--layer", "4"], "--layer 4 is not in"),
        (["--component", "heads", "--head", "3"], "--head 3 is not in"),
        (["--head", "0"], "--head needs --component heads, not layer"),
        (["--reference", "a b"], "give --mean as well"),
        (["--together", "--plot", "x.svg"], "leave one out"),
        (
            ["--answers", "1|2|3"],
            "answers in --answers: 3, prompts: 2; give one for all, or one per prompt",
        ),
        (["--answers", "1|"], "has an empty prompt"),
        (["--answers", ""], "--answers is empty"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, tiny, arguments, sentence):
    assert sentence in refused(tiny, "|".join(PROMPTS), *arguments)
