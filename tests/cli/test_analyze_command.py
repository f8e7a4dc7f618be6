"""`lazarus-bench analyze`: entropy, divergences and the answer, as the instrument reads them."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from lazarus_bench.analysis.emergence import read_emergence
from lazarus_bench.models.prompts import answer_tokens
from lazarus_bench.report.markup import visible


def test_the_document_has_the_readings(result, tiny, tiny_model):
    whole = result(tiny, "7 * 8 = ", "--top-k", 3)
    (read,) = whole["prompts"]
    expected = read_emergence(tiny_model, tiny_model.encode("7 * 8 = "))
    assert whole["layers"] == [0, 1, 2, 3]
    assert read["answer_id"] == expected.answer == read["top_ids"][-1][0]
    assert read["answer"] == tiny_model.tokenizer.decode([expected.answer])
    assert read["crystallised_at"] == expected.crystallised
    assert read["jensen_shannon_from_layer_before_bits"][0] is None
    for key, values in {
        "answer_probability": expected.probability,
        "answer_rank": expected.rank,
        "entropy_bits": expected.entropy,
        "kl_of_last_layer_from_layer_bits": expected.to_last,
    }.items():
        np.testing.assert_allclose(read[key], values, atol=1e-9)


def test_the_table_tells_the_course_of_a_given_answer(told, tiny, tiny_model):
    code, out, _ = told(tiny, "7 * 8 = ", "--answer", "56", "--layer", 1)
    rows = out.splitlines()
    first = tiny_model.tokenizer.decode([answer_tokens(tiny_model.tokenizer, "7 * 8 = ", "56")[0]])
    assert code == 0
    assert rows[2] == "7 * 8 =␣"
    assert rows[3].split()[-8:-6] == ["top", "2"]
    assert [row[:2] for row in rows[4:5]] == ["L1"]
    assert rows[5].startswith(f"answer {first}: never the most probable token; at the last layer")
    out = told(tiny, "7 * 8 = ", "--answer", "56 and more", "--layer", 1)[1]
    assert f"answer {first} (the first token of 56␣and␣more): never" in out


def test_an_answer_that_is_lost_is_placed_where_it_led_before(told, result, tiny):
    (found,) = result(tiny, "7 * 8 = ")["prompts"]
    top = [ids[0] for ids in found["top_ids"]]
    lost = next(layer for layer, token in enumerate(top) if token != top[-1])
    text = found["top_tokens"][lost][0]
    (read,) = result(tiny, "7 * 8 = ", "--answer", text)["prompts"]
    assert read["answer"] == text
    assert read["crystallised_at"] is None
    said = told(tiny, "7 * 8 = ", "--answer", text)[1].splitlines()
    leads = [f"L{layer}" for layer, rank in enumerate(read["answer_rank"]) if rank == 1]
    assert f"L{lost}" in leads
    assert any(
        line.startswith(
            f"answer {visible(text)}: the most probable token at {', '.join(leads)}, but"
        )
        and line.endswith(f"at the last layer, where its rank is {read['answer_rank'][-1]}")
        for line in said
    )


def test_each_prompt_has_its_block_and_its_part_of_the_picture(told, tiny, tmp_path):
    file = tmp_path / "answer.svg"
    _, out, _ = told(tiny, "7 * 8 = |5 + 6 = ", "--plot", file)
    assert [line for line in out.splitlines() if line.endswith("=␣")] == ["7 * 8 =␣", "5 + 6 =␣"]
    assert sum("crystallises at L" in line for line in out.splitlines()) == 2
    names = {e.text for e in ET.parse(file).getroot().iter() if e.tag.endswith("text")}
    assert {"7 * 8 =␣", "5 + 6 =␣", "L3"} <= names


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--answer", ""], "--answer is empty"),
        (["--layer", "9"], "--layer 9 is not in"),
        (["--top-k", "-2"], "--top-k -2 is not possible"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, tiny, arguments, sentence):
    assert sentence in refused(tiny, "7 * 8 = ", *arguments)
