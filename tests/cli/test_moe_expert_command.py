"""`lazarus-bench moe-expert`: its numbers are the instruments', and no flag is passed over."""

import json
import shutil

import numpy as np
import pytest
from commandcases import random_adapter
from safetensors.numpy import load_file, save_file

from lazarus_bench.analysis.expert_use import (
    by_class,
    entropy_bits,
    expert_use,
    specialisation_null,
)
from lazarus_bench.analysis.expert_weights import read_weights
from lazarus_bench.analysis.router import project_gates, project_random
from lazarus_bench.analysis.routing import read_routing
from lazarus_bench.analysis.vocabulary import known_words
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import Operation

TIMES = ["7 * 8 = ", "12 * 5 = ", "3 * 9 = "]
PLUS = ["23 + 45 = ", "17 + 38 = ", "11 + 22 = "]
CLASSES = ["--classes", f"times:{'|'.join(TIMES)}", "--classes", f"plus:{'|'.join(PLUS)}"]
QUICK = ["--permutations", "19"]


@pytest.fixture(scope="module")
def adapter(tiny_mixture, tmp_path_factory):
    """A LoRA on the routers and experts of `tiny_mixture`, which mlx-lm's own trainer may leave."""
    keys = ("mlp.gate", "mlp.switch_mlp.up_proj")
    return random_adapter(tiny_mixture, tmp_path_factory.mktemp("mixture-adapter"), *keys)


def routed(loaded, prompts):
    return read_routing(loaded, [loaded.encode(prompt) for prompt in prompts])


@pytest.mark.parametrize("position", ["all", "last"])
def test_analyze_has_the_instruments_numbers(result, tiny_mixture, tiny_mixture_model, position):
    asked = [*CLASSES, *QUICK, "--position", position, "--layer", 2, "--layer", 0]
    read = result("analyze", tiny_mixture, *asked)
    use = expert_use(routed(tiny_mixture_model, [*TIMES, *PLUS]), last=position == "last")
    null = specialisation_null(use.share, [0] * 3 + [1] * 3, 19)
    places = [0, 2]
    assert (read["layers"], read["experts"], read["chosen"]) == (places, 6, 2)
    assert read["classes"] == {"times": TIMES, "plus": PLUS}
    times, plus = by_class(use.share, np.repeat([0, 1], 3))
    np.testing.assert_allclose(read["share"]["times"], times[places])
    np.testing.assert_allclose(read["share"]["plus"], plus[places])
    np.testing.assert_allclose(np.sum(read["load"], axis=1), 1)
    np.testing.assert_allclose(read["entropy_bits"], entropy_bits(use.share.mean(axis=0))[places])
    assert read["even_entropy_bits"] == pytest.approx(np.log2(6))
    np.testing.assert_allclose(read["told_bits"], null.observed[places])
    np.testing.assert_allclose(read["p"], null.layer_p_values[places])
    np.testing.assert_allclose(read["null"]["mean_bits"], null.permuted.mean(axis=0)[places])


def test_the_table_of_analyze_names_the_busiest_experts_of_each_class(told, result, tiny_mixture):
    read = result("analyze", tiny_mixture, *CLASSES, *QUICK)
    _, out, _ = told("analyze", tiny_mixture, *CLASSES, *QUICK)
    header, *rows = out.splitlines()[2:6]
    assert header.split() == [
        *("layer", "told", "null", "p", "entropy", "busiest", "idle"),
        *("times", "plus"),
    ]
    for at, row in enumerate(rows):
        share = read["share"]["plus"][at]
        first = int(np.argmax(share))
        assert row.startswith(f"L{at}  ")
        assert f"e{first} {share[first]:.2f}" in row
        assert f"{read['told_bits'][at]:.2f}" in row.split()
    assert "2 of 6 experts serve a token" in out


def test_without_classes_the_four_operations_are_read(result, tiny_mixture):
    read = result("analyze", tiny_mixture, *QUICK)
    assert [*read["classes"]] == ["multiply", "add", "subtract", "divide"]
    assert [len(prompts) for prompts in read["classes"].values()] == [10] * 4
    assert all(" / " in prompt for prompt in read["classes"]["divide"])


def test_the_map_of_analyze_has_a_cell_for_every_class_expert_and_chosen_layer(drawn, tiny_mixture):
    texts, cells = drawn("analyze", tiny_mixture, *CLASSES, *QUICK, "--layer", 0, "--layer", 2)
    assert {"times", "plus", "expert 5", "L2"} <= set(texts)
    assert len(cells) == 2 * 6 * 2


def test_trace_has_the_models_own_routes(result, told, tiny_mixture, tiny_mixture_model):
    read = result("trace", tiny_mixture, "|".join(TIMES), "--layer", 1)
    routing = routed(tiny_mixture_model, TIMES)
    assert (read["layers"], read["experts"]) == ([1], 6)
    assert read["independent_layers_distinct"] == pytest.approx(routing.expected_distinct)
    for one, prompt, trace in zip(read["prompts"], TIMES, routing.traces, strict=True):
        assert one["prompt"] == prompt
        assert "".join(one["tokens"]).endswith(prompt)
        assert one["ids"] == tiny_mixture_model.encode(prompt)
        np.testing.assert_array_equal(one["experts"], trace.experts[:, 1:2])
        np.testing.assert_allclose(one["weights"], trace.weights[:, 1:2])
        np.testing.assert_array_equal(one["distinct"], trace.distinct)
    _, out, _ = told("trace", tiny_mixture, TIMES[0], "--layer", 1)
    row = next(line for line in out.splitlines()[4:] if line.startswith("7 "))
    trace = routing.traces[0]
    token = read["prompts"][0]["tokens"].index("7")
    experts, weights = trace.experts[token, 1], trace.weights[token, 1]
    cell = " ".join(f"e{e} {w:.2f}" for e, w in zip(experts, weights, strict=True))
    assert row.split(maxsplit=2) == ["7", str(trace.distinct[token]), cell]


def test_the_map_of_a_trace_has_a_cell_for_every_choice(drawn, result, tiny_mixture):
    tokens = result("trace", tiny_mixture, TIMES[0])["prompts"][0]["tokens"]
    texts, cells = drawn("trace", tiny_mixture, TIMES[0])
    assert len(cells) == len(tokens) * 3 * 2
    assert f"7 * 8 =␣, token {tokens.index('7')}: 7" in texts


def test_weights_have_the_instruments_numbers(result, told, tiny_mixture, tiny_mixture_model):
    read = result("weights", tiny_mixture)
    assert read["layers"] == [0, 1, 2]
    for layer in range(3):
        own = read_weights(tiny_mixture_model, layer)
        for side, likeness in (("router", own.router), ("experts", own.experts)):
            np.testing.assert_allclose(read[side]["norms"][layer], likeness.norms)
            np.testing.assert_allclose(read[side]["cosines"][layer], likeness.cosines)
    assert read["router"]["width"] == 48
    assert read["experts"]["width"] == 3 * 48 * 24
    assert read["router"]["cosine_sd_by_chance"] == pytest.approx(48**-0.5)
    _, out, _ = told("weights", tiny_mixture, "--layer", 1)
    row = out.splitlines()[3]
    assert row.startswith("L1 ")
    assert f"{np.mean(read['router']['norms'][1]):.3f}" in row.split()
    assert "3,456 numbers" in " ".join(out.split())


def test_the_map_of_weights_shows_both_sides(drawn, tiny_mixture):
    texts, cells = drawn("weights", tiny_mixture)
    assert "router: largest |cosine| with another" in texts
    assert len(cells) == 2 * 6 * 3


def test_project_has_the_claims_own_numbers(result, tiny_mixture, tiny_mixture_model):
    words = ("correct", "incorrect", *(operation.word for operation in Operation))
    read = result("project", tiny_mixture, "--draws", 2, "--layer", 1)
    gates = project_gates(tiny_mixture_model)
    random = [project_random(tiny_mixture_model, seed=seed) for seed in (0, 1)]
    known = known_words(tiny_mixture_model, words)
    own = slice(6, 12)
    assert read["words"] == [word.word for word in known]
    assert [each["expert"] for each in read["experts"]] == [*range(6)]
    assert {each["layer"] for each in read["experts"]} == {1}
    np.testing.assert_array_equal([e["ids"] for e in read["experts"]], gates.tokens[own])
    assert read["share_with_word"] == pytest.approx(gates.names(known)[own].mean())
    expected = [each.names(known)[own].mean() for each in random]
    np.testing.assert_allclose(read["random_rows"]["share_with_word"], expected)
    expected = [each.scores[own].mean() for each in random]
    np.testing.assert_allclose(read["random_rows"]["mean_largest_cosine"], expected)
    assert sum(read["random_rows"]["categories"].values()) == pytest.approx(6)


def test_a_row_that_points_at_a_word_is_told(result, told, tiny_mixture, tmp_path):
    planted = tmp_path / "planted"
    shutil.copytree(tiny_mixture, planted)
    weights = load_file(planted / "model.safetensors")
    token = load(tiny_mixture).tokenizer.encode("multiply", add_special_tokens=False)[0]
    weights["model.layers.2.mlp.gate.weight"][4] = weights["model.embed_tokens.weight"][token]
    save_file(weights, planted / "model.safetensors", metadata={"format": "mlx"})
    asked = [planted, "--layer", 2, "--top-k", 1, "--draws", 1, "--targets", "multiply"]
    read = result("project", *asked)
    assert [each["has_word"] for each in read["experts"]].index(True) == 4
    assert read["experts"][4]["tokens"] == ["multiply"]
    assert read["experts"][4]["category"] == "operation words"
    assert read["share_with_word"] == pytest.approx(1 / 6)
    _, out, _ = told("project", *asked)
    row = next(line for line in out.splitlines() if line.startswith("L2     e4"))
    assert row.split()[2:] == ["operation", "words", "yes", "multiply", "1"]


@pytest.mark.parametrize("action", ["analyze", "trace", "weights", "project"])
def test_an_adapter_on_routers_and_experts_counts(told, tiny_mixture, adapter, action):
    asked = [tiny_mixture, *([TIMES[0]] if action == "trace" else []), "--json"]
    asked += QUICK if action == "analyze" else []
    code, with_it, err = told(action, *asked, "--adapter", adapter)
    assert (code, err) == (0, "")
    _, without, _ = told(action, *asked)
    assert json.loads(with_it)["result"] != json.loads(without)["result"]
    assert json.loads(with_it)["model"]["adapter"]["directory"] == str(adapter)


def test_an_adapted_router_is_read_with_its_adapter(result, tiny_mixture, adapter):
    read = result("weights", tiny_mixture, "--adapter", adapter)
    base = load_file(tiny_mixture / "model.safetensors")["model.layers.1.mlp.gate.weight"]
    added = load_file(adapter / "adapters.safetensors")
    a, b = (added[f"model.layers.1.mlp.gate.lora_{side}"] for side in "ab")
    lengths = np.linalg.norm(base + 8 * (a @ b).T, axis=1)
    np.testing.assert_allclose(read["router"]["norms"][1], lengths, rtol=1e-4)


def test_a_result_file_says_which_action_left_it(told, tiny_mixture, tmp_path):
    file = tmp_path / "experts.json"
    code, out, _ = told("weights", tiny_mixture, "--output", file)
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert code == 0
    assert out.startswith(str(tiny_mixture))
    assert kept["kind"] == "moe-expert weights"
    assert kept["command"] == f"lazarus-bench moe-expert weights {tiny_mixture} --output {file}"


@pytest.mark.parametrize("action", ["analyze", "trace", "weights", "project"])
def test_a_dense_model_is_one_sentence(refused, tiny, action, tmp_path):
    prompts = [TIMES[0]] if action == "trace" else []
    assert "has no router, its 'llama' blocks are dense: name a mixture of experts" in refused(
        action, tiny, *prompts, "--output", tmp_path / "never.json"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("action", "arguments", "sentence"),
    [
        ("analyze", CLASSES[:2], "give --classes for at least two"),
        ("analyze", [*CLASSES, "--classes", "one:9 / 3 = "], "the class one has one prompt"),
        (
            "analyze",
            [*CLASSES, "--permutations", "0"],
            "--permutations 0 must be at least 1",
        ),
        ("analyze", [*CLASSES, "--layer", "3"], "has no router: choose 0, 1, 2"),
        ("trace", ["a||b"], "has an empty prompt"),
        ("trace", ["7 * 8 = " * 60], "reads 128 tokens"),
        ("weights", ["--layer", "-1"], "--layer -1 of"),
        ("project", ["--top-k", "0"], "--top-k 0 is not possible"),
        ("project", ["--draws", "9" * 20], "is not possible: choose 1 to 100000"),
        ("project", ["--draws", "0"], "--draws 0 is not possible: choose 1 to"),
        ("project", ["--targets", "unbelievable"], "tokens in this tokenizer"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, tiny_mixture, action, arguments, sentence):
    assert sentence in refused(action, tiny_mixture, *arguments)
