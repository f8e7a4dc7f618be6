"""`lazarus-bench classifier`: accuracy, null and predictions are the probe's own."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from lazarus_bench.analysis.nonlinear_probe import nonlinear_null, nonlinear_probe
from lazarus_bench.analysis.probe import permutation_null, probe, transfer
from lazarus_bench.analysis.probe_prompts import ProbePrompts
from lazarus_bench.analysis.prompts import read_states

TIMES = ["7 * 8 = ", "12 * 5 = ", "3 * 9 = ", "6 * 7 = ", "4 * 9 = "]
PLUS = ["23 + 45 = ", "17 + 38 = ", "11 + 22 = ", "5 + 9 = ", "8 + 6 = "]
CLASSES = ["--classes", f"times:{'|'.join(TIMES)}", "--classes", f"plus:{'|'.join(PLUS)}"]
QUICK = ["--permutations", "19"]


@pytest.fixture(scope="module")
def asked():
    return ProbePrompts(
        texts=(*TIMES, *PLUS),
        labels=(0,) * 5 + (1,) * 5,
        classes=("times", "plus"),
        pairs=tuple(("text", at, at) for at in range(10)),
        templates=(-1,) * 10,
    )


@pytest.mark.parametrize(
    ("protocol", "held_out", "folds"), [("held-out", "pairs", 5), ("in-order", "in-order", 4)]
)
def test_the_document_has_the_readings(result, tiny, tiny_model, asked, protocol, held_out, folds):
    test = ["9 * 9 = ", "30 + 12 = "]
    read = result(tiny, *CLASSES, *QUICK, "--test", *test, "--protocol", protocol)
    states, others = read_states(tiny_model, asked.texts), read_states(tiny_model, test)
    expected, null = probe(states, asked, held_out), permutation_null(states, asked, held_out, 19)
    assert (read["folds"], read["classes"]) == (folds, {"times": TIMES, "plus": PLUS})
    assert read["accuracy"] == expected.accuracy.tolist()
    assert read["best_layer"] == expected.best_layer
    np.testing.assert_allclose(read["p"], null.layer_p_values)
    np.testing.assert_allclose(read["null"]["mean"], null.permuted.mean(axis=0))
    assert read["null"]["best_layer_upper95"] == pytest.approx(np.quantile(null.maxima, 0.95))
    predicted = transfer(states, asked.labels, others, held_out)
    for item, prompt, layers in zip(read["test"], test, predicted, strict=True):
        assert item == {"prompt": prompt, "predicted": [asked.classes[at] for at in layers]}


def test_the_tables_say_the_same(told, result, tiny):
    arguments = [tiny, *CLASSES, *QUICK, "--test", "9 * 9 = |30 + 12 = "]
    read = result(*arguments)
    code, shown, _ = told(*arguments)
    lines = shown.splitlines()
    assert code == 0
    assert [float(line.split()[-3]) for line in lines[3:7]] == pytest.approx(
        read["accuracy"], abs=0.006
    )
    assert lines[3 + read["best_layer"]].startswith(f"L{read['best_layer']} best")
    assert "chance 0.50" in shown
    first = next(line for line in lines if line.startswith("9 * 9 =␣"))
    assert first.split("␣")[1].split()[0] == read["test"][0]["predicted"][read["best_layer"]]


def test_a_nonlinear_probe_stands_beside_the_linear_one(
    told, result, drawn, tiny, tiny_model, asked
):
    read = result(tiny, *CLASSES, *QUICK, "--nonlinear")
    states = read_states(tiny_model, asked.texts)
    found, null = nonlinear_probe(states, asked), nonlinear_null(states, asked, permutations=19)
    assert read["linear"]["accuracy"] == found.linear.mean(axis=0).tolist()
    assert read["nonlinear"]["accuracy"] == found.nonlinear.mean(axis=0).tolist()
    assert read["selectivity_added"] == found.added.mean(axis=0).tolist()
    assert read["nonlinear"]["p"] == null.layer_p_values.tolist()
    _, out, _ = told(tiny, *CLASSES, *QUICK, "--nonlinear")
    assert [line.split()[0] for line in out.splitlines()[3:7]] == ["L0", "L1", "L2", "L3"]
    assert "permuted labels, nonlinear" in " ".join(
        map(str, drawn(tiny, *CLASSES, *QUICK, "--nonlinear")[0])
    )


def test_classes_from_files(result, tiny, tmp_path):
    (tmp_path / "plus.txt").write_text("\n".join(PLUS))
    given = [CLASSES[0], CLASSES[1], "--classes", f"plus:@{tmp_path / 'plus.txt'}"]
    assert result(tiny, *given, *QUICK)["classes"]["plus"] == PLUS


def test_classes_from_rows_that_name_them(result, tiny, tmp_path):
    rows = [{"prompt": p, "class": c} for c, own in (("times", TIMES), ("plus", PLUS)) for p in own]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    read = result(tiny, "--classes", f"@{tmp_path / 'own.jsonl'}", *QUICK)
    assert read == result(tiny, *CLASSES, *QUICK)


def test_the_picture_has_a_dot_for_every_layer_and_the_null(told, tiny, tmp_path):
    file = tmp_path / "classifier.svg"
    assert told(tiny, *CLASSES, *QUICK, "--plot", file)[0] == 0
    drawn = ET.parse(file).getroot()
    tags = [e.tag.rpartition("}")[2] for e in drawn.iter()]
    assert tags.count("path") == 4 + 1, "and the key's"
    assert tags.count("polyline") == 2
    assert any("permuted labels" in (e.text or "") for e in drawn.iter())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--classes", "@none.jsonl", *CLASSES], "cannot be read"),
        (CLASSES[:2], "give --classes for at least two"),
        (["--classes", "7 * 8 = ", *CLASSES], "names no class"),
        (["--classes", f"again:{TIMES[0]}", *CLASSES], "leave it in one"),
        (["--classes", "few:1|2|3|4", *CLASSES], "or --protocol in-order (4 folds)"),
        (
            ["--classes", "few:1|1|1|1|1", *CLASSES],
            "5 folds need 5 different prompts of a class, and few has 1: give more",
        ),
        ([*CLASSES, "--permutations", "0"], "--permutations 0 must be at least 1"),
        ([*CLASSES, "--test", "a|"], "has an empty prompt"),
        ([*CLASSES, "--test", "a", "--nonlinear"], "--test is classified by linear probes"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, tiny, arguments, sentence):
    assert sentence in refused(tiny, *arguments)
