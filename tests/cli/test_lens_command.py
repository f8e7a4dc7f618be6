"""`lazarus-bench lens`: the numbers are the instrument's, and no flag is passed over."""

import io
import json
import re
import shutil
import threading
import time

import numpy as np
import pytest
from commandcases import program
from families import small_llama
from safetensors.numpy import load_file, save_file

from lazarus_bench import cli
from lazarus_bench.analysis.lens import read_lens, read_phrases, total_variation
from lazarus_bench.cli import terminal
from lazarus_bench.models.files import fingerprint
from lazarus_bench.models.lenses import read_fitted
from lazarus_bench.models.load import load, with_lens
from lazarus_bench.tasks.text_rows import TextRow
from lazarus_bench.training import JacobianLens, lens_texts

PROMPTS = ["7 * 8 = ", "What is 7 times 8?"]


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def by_hand(loaded, texts, words=(), top=5):
    ids = [loaded.tokenizer.encode(word, add_special_tokens=False)[0] for word in words]
    encoded = [loaded.encode(text) for text in texts]
    return read_lens(loaded, encoded, np.tile(np.array(ids, dtype=np.int64), (len(texts), 1)), top)


def test_the_document_has_the_readings(result, tiny, tiny_model):
    words = ("multiply", "add")
    asked = ["--targets", "multiply,add", "--layer", 3, "--layer", 1, "--top-k", 4]
    read, expected = result(tiny, "|".join(PROMPTS), *asked), by_hand(tiny_model, PROMPTS, words, 4)
    assert (read["prompts"], read["targets"], read["layers"]) == (PROMPTS, list(words), [1, 3])
    chosen = expected.probability[:, [1, 3]]
    np.testing.assert_allclose(read["lens"]["target_probability"], chosen, rtol=1e-5)
    np.testing.assert_array_equal(read["lens"]["top_ids"], expected.top_ids[:, [1, 3]])
    spelt = tiny_model.tokenizer.decode([int(expected.top_ids[1, 3, 0])])
    assert read["lens"]["top_tokens"][1][1][0] == spelt


def test_a_word_of_several_tokens_is_read_as_it_is_asked(result, tiny, tiny_model):
    ids = tiny_model.tokenizer.encode("unbelievable", add_special_tokens=False)
    assert len(ids) > 1

    def read(word, *how):
        return result(tiny, PROMPTS[0], "--all-layers", "--targets", word, *how)["lens"]

    first, chosen, phrase = (
        np.array(found["target_probability"])[0, :, 0]
        for found in (
            read("unbelievable", "--token", "first"),
            read(f"token:{ids[0]}"),
            read("unbelievable", "--token", "phrase"),
        )
    )
    np.testing.assert_array_equal(first, chosen)
    expected = read_phrases(tiny_model, [tiny_model.encode(PROMPTS[0])], [ids]).probability
    np.testing.assert_allclose(phrase, expected[0, :, 0], rtol=1e-6)
    assert (phrase < first).all()


def test_the_table_has_the_classifier_layer_and_the_targets(told, tiny, tiny_model):
    _, out, _ = told(tiny, PROMPTS[0], "--targets", "multiply", "--top-k", 1)
    reading = by_hand(tiny_model, PROMPTS[:1], ["multiply"], 1)
    _, _, header, row = out.splitlines()
    _, every, _ = told(tiny, PROMPTS[0], "--all-layers")
    assert [line.split("L")[1][0] for line in every.splitlines()[3:]] == list("0123")
    assert header.split() == ["prompt", "layer", "multiply", "top", "1"]
    assert row.startswith("7 * 8 =␣  L2 ")
    shown = row.split("L2")[1].split()
    assert float(shown[0]) == pytest.approx(reading.probability[0, 2, 0], rel=0.05)
    assert float(shown[-1]) == pytest.approx(reading.top_probability[0, 2, 0], rel=0.05)


def test_a_file_and_arguments_mix(result, tiny, tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_text("\ufeffa|b = \r\n\n7 * 8 = \n", encoding="utf-8")
    assert result(tiny, f"@{file}", "5 + 5 =")["prompts"] == ["a|b = ", "7 * 8 = ", "5 + 5 ="]


TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@pytest.fixture
def chatty(tiny, tmp_path):
    """`tiny` with a chat template."""
    directory = shutil.copytree(tiny, tmp_path / "chatty")
    (directory / "chat_template.jinja").write_text(TEMPLATE)
    return directory


def test_prompts_of_json_lines_have_newlines_and_the_models_template(result, chatty, tiny, empty):
    asked = [{"role": "user", "content": "7 * 8"}]
    lines = ["a|b\nc", {"prompt": "7 * 8 =\n"}, {"messages": asked}]
    (empty / "own.jsonl").write_text("\n\n".join(map(json.dumps, lines)))
    read = result(chatty, "@own.jsonl", "7 * 8 = ")
    texts = ["a|b\nc", "7 * 8 =\n", "user: 7 * 8\nassistant: ", "7 * 8 = "]
    assert read["prompts"] == texts
    loaded = load(chatty)
    ids = loaded.tokenizer.apply_chat_template(asked, add_generation_prompt=True)
    assert loaded.encode(texts[2]) == list(ids)
    assert ids.count(loaded.tokenizer.bos_token_id) == 1
    np.testing.assert_array_equal(
        read["lens"]["top_ids"], by_hand(loaded, texts).top_ids[:, [loaded.classifier_layer]]
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"messages": [{"role": "user", "content": "a"}]}', "has no chat template: give prompts"),
        ('{"messages": []}', "own.jsonl, line 2 is no prompt: write a text"),
        ('{"prompt": ""}', "own.jsonl, line 2 is no prompt"),
        ('{"text": "a"}', "own.jsonl, line 2 is no prompt"),
        ("7", "own.jsonl, line 2 is not a JSON object"),
        ("7 * 8 = ", "own.jsonl, line 2 is not JSON"),
    ],
)
def test_a_line_that_is_no_prompt_is_named(refused, tiny, empty, line, sentence):
    (empty / "own.jsonl").write_text(f'"a"\n{line}\n')
    assert sentence in refused(tiny, "@own.jsonl")


def test_prompts_from_standard_input(result, tiny, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"7 * 8 = \n5 + 6 = \n")))
    assert result(tiny, "@-")["prompts"] == ["7 * 8 = ", "5 + 6 = "]


def test_a_result_file_says_what_it_comes_from(told, tiny, tmp_path):
    file = tmp_path / "new" / "lens.json"
    code, out, _ = told(tiny, PROMPTS[0], "--output", file)
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert code == 0
    assert out.startswith(str(tiny))
    assert (kept["schema"], kept["kind"]) == (1, "lens")
    assert kept["command"] == f"lazarus-bench lens {tiny} '7 * 8 = ' --output {file}"
    assert kept["model"]["digest"] == fingerprint(tiny)
    assert {"mlx", "revision", "device", "blas", "exp"} <= set(kept["manifest"])


def test_a_lab_name_is_seed_0_of_the_store(told, lab, tiny):
    _, ours, _ = told("lab:llama", PROMPTS[0], "--json")
    _, direct, _ = told(tiny, PROMPTS[0], "--json")
    assert json.loads(ours)["result"] == json.loads(direct)["result"]
    assert json.loads(ours)["model"]["name"] == "lab:llama"


def test_a_difference_is_of_the_two_models(told, result, tiny, tiny_model, adapter):
    read = result(tiny, PROMPTS[0], "--adapter", adapter, "--diff", "--all-layers")
    encoded = [tiny_model.encode(PROMPTS[0])]
    moved = total_variation(tiny_model, load(tiny, adapter), encoded)
    np.testing.assert_allclose(read["total_variation"], moved, atol=1e-6)
    assert moved[0, -1] > 0.01
    before = by_hand(tiny_model, PROMPTS[:1])
    np.testing.assert_array_equal(read["before"]["top_ids"], before.top_ids)
    _, table, _ = told(tiny, PROMPTS[0], "--adapter", adapter, "--diff", "--targets", "add")
    assert table.splitlines()[2].split() == ["prompt", "layer", "moved", "add", "before", "after"]
    assert " → " in table.splitlines()[3]


def test_a_picture_has_a_cell_for_every_prompt_and_layer(drawn, tiny):
    texts, cells = drawn(tiny, "|".join(PROMPTS), "--targets", "multiply,add")
    assert len(cells) == 2 * 2 * 4
    assert {"multiply", "add", "What is 7 times 8?"} <= set(texts)


def test_a_picture_as_png(told, tiny, tmp_path):
    pytest.importorskip("resvg_py", reason="PNG needs the extra `png`")
    file = tmp_path / "lens.png"
    assert told(tiny, "|".join(PROMPTS), "--plot", file)[0] == 0
    assert file.read_bytes().startswith(b"\x89PNG\r\n")


def test_png_without_resvg_is_one_sentence(told, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("lazarus_bench.figures.draw.find_spec", lambda _: None)
    code, _, err = told(tiny, PROMPTS[0], "--plot", tmp_path / "lens.png")
    assert code == 2
    assert "pip install 'lazarus-bench[png]'" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["7 * 8 = ", "--layer", "4"], "--layer 4 is not in"),
        (["7 * 8 = ", "--layer", "-1"], "choose 0 to 3"),
        (["7 * 8 = ", "--top-k", "0"], "--top-k 0 is not possible"),
        (["7 * 8 = ", "--top-k", "99999"], "--top-k 99999 is not possible"),
        (["7 * 8 = ", "--targets", "multiply,"], "has an empty word"),
        (["7 * 8 = ", "--targets", "unbelievable"], "or give --token first"),
        (["7 * 8 = ", "--targets", "token:99999"], "there is no token 99999: choose 0 to"),
        (
            ["7 * 8 = ", "--targets", "unbelievable " * 30, "--token", "phrase"],
            "of a phrase: shorten",
        ),
        (["7 * 8 = ", "--diff"], "give --adapter DIR"),
        (["7 * 8 = ", "--adapter", "."], "is not an adapter (it has no adapter_config.json)"),
        (["a||b"], "has an empty prompt"),
        ([""], "a prompt is empty: write what the model should read"),
        (["7 * 8 = \udcff"], "is not UTF-8: write it with that encoding"),
        (["7 * 8 = ", "--targets", "\udcff"], "is not UTF-8"),
        (["@nowhere.txt"], "cannot be read (No such file or directory)"),
        (["7 * 8 = " * 60], "reads 128 tokens"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, tiny, empty, arguments, sentence):
    assert sentence in refused(tiny, *arguments)
    assert not list(empty.iterdir())


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda name, w: (name.replace("layers.3", "layers.7"), w),
        lambda name, w: (name, np.concatenate([w, w])),
    ],
    ids=["another depth", "another width"],
)
def test_an_adapter_of_another_model_is_refused(told, tiny, adapter, tmp_path, spoilt):
    other = tmp_path / "adapter"
    shutil.copytree(adapter, other)
    weights = load_file(other / "adapters.safetensors")
    changed = dict(spoilt(name, weight) for name, weight in weights.items())
    save_file(changed, other / "adapters.safetensors")
    code, _, err = told(tiny, PROMPTS[0], "--adapter", other)
    assert code == 2
    assert f"{tiny} with the adapter {other} could not be loaded by mlx-lm: " in err
    assert "incompatible" in err
    assert len(err.splitlines()) == 1


def test_one_layer_and_all_of_them_exclude_each_other(told, tiny):
    code, out, err = told(tiny, PROMPTS[0], "--layer", "1", "--all-layers")
    assert (code, out) == (2, "")
    assert err == "lazarus-bench: --layer and --all-layers exclude each other: give one of them\n"


def test_progress_is_told_on_a_terminal_alone(monkeypatch, capsys):
    threads = threading.active_count()
    monkeypatch.setattr(terminal, "PATIENCE", 0.02)
    with terminal.busy("reading"):
        assert threading.active_count() == threads
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    said = ""
    with terminal.busy("reading"):
        while "reading" not in said:
            said += capsys.readouterr().err
            time.sleep(0.01)
    said += capsys.readouterr().err
    assert "reading: 0 s" in said
    assert said.endswith("\r")


def test_an_interrupt_is_no_trace(told, tiny, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("lazarus_bench.cli.inputs.find", interrupted)
    code, out, err = told(tiny, PROMPTS[0])
    assert (code, out, err) == (130, "", "lazarus-bench: interrupted\n")


def test_a_whole_process_in_a_pipe_of_another_encoding(tiny):
    ours = program("lens", tiny, PROMPTS[0], PYTHONIOENCODING="ascii")
    assert (ours.returncode, ours.stderr) == (0, "")
    assert r"7 * 8 =\u2423  L2" in ours.stdout


def test_a_home_directory_is_where_the_shell_would_say(told, tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert told(tiny, PROMPTS[0], "--plot", "~/new/lens.svg", "--output", "~/new/lens.json")[0] == 0
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"lens.svg", "lens.json"}


@pytest.fixture(scope="module")
def kept(tiny, tmp_path_factory):
    """A store with the default Jacobian lens of `tiny` in it, its text cut short."""
    store = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lens_texts, "_from_corpus", lambda *_: [TextRow(text="7 * 8 = 56")] * 12)
        assert cli.main(["train", "jacobian-lens", str(tiny), "--store", str(store)]) == 0
    return store


def test_the_default_fit_is_found_in_the_store_and_read_through(result, told, kept, tiny):
    (folder,) = kept.glob("jacobian_lens-*")
    asked = [tiny, PROMPTS[0], "--all-layers", "--targets", "multiply", "--store", kept]
    read = result(*asked, "--lens", "jacobian")
    loaded = with_lens(load(tiny), read_fitted(folder, tiny))
    expected = by_hand(loaded, PROMPTS[:1], ["multiply"]).probability
    np.testing.assert_allclose(read["lens"]["target_probability"], expected, rtol=1e-5)
    assert read["through"]["kind"] == "jacobian"
    assert read["through"]["text"]["texts"] == 12
    assert result(*asked, "--fitted", folder) == read
    assert "through" not in result(*asked, "--lens", "logit")
    _, out, _ = told(*asked, "--lens", "jacobian")
    assert "Jacobian lens fitted on 12 texts" in out


def test_every_position_of_one_prompt_is_read(result, told, kept, tiny, tiny_model, empty):
    read = result(tiny, PROMPTS[0], "--positions", "--plot", "positions.svg")
    tokens = tiny_model.encode(PROMPTS[0])
    last = by_hand(tiny_model, PROMPTS[:1], top=1)
    assert np.shape(read["top_tokens"]) == (len(tokens), 4)
    np.testing.assert_allclose(
        read["top_probability"][-1], last.top_probability[0, :, 0], rtol=1e-5
    )
    at_seven = by_hand(tiny_model, ["7"], top=1).top_probability[0, :, 0]
    np.testing.assert_allclose(read["top_probability"][1], at_seven, rtol=1e-4)
    assert read["read"][1] == "7"
    drawn = (empty / "positions.svg").read_text()
    assert "Lens at every position" in drawn
    assert len(re.findall(r"<title>L\d", drawn)) == 4 * len(tokens)
    through = ["--lens", "jacobian", "--store", kept, "--layer", 1]
    fitted = result(tiny, PROMPTS[0], "--positions", *through)
    assert fitted["layers"] == [1]
    assert fitted["top_probability"] != [row[1:2] for row in read["top_probability"]]
    _, out, _ = told(tiny, PROMPTS[0], "--positions", *through)
    assert out.splitlines()[2].split() == ["after", "L1"]


def test_a_fitted_lens_is_refused_where_it_is_none_of_the_models(refused, kept, tiny, tmp_path):
    (folder,) = kept.glob("jacobian_lens-*")
    asked, store = [tiny, PROMPTS[0]], ["--store", kept]
    missing = refused(*asked, "--lens", "tuned", *store)
    assert f"has no tuned lens in the store {kept}: fit one with" in missing
    assert f"`lazarus-bench train tuned-lens {tiny} --store {kept}`" in missing
    assert "is a jacobian lens: give --lens jacobian" in refused(
        *asked, "--lens", "tuned", "--fitted", folder
    )
    assert "leave one out" in refused(*asked, "--lens", "logit", "--fitted", folder)
    assert "no fitted lens" in refused(*asked, "--fitted", tmp_path)
    assert "lazarus-bench fuse" in refused(*asked, "--lens", "jacobian", "--adapter", tmp_path)
    (tmp_path / "other").mkdir()
    other = small_llama(tmp_path / "other", width=32, layers=4, heads=2)
    assert "fitted for another model" in refused(other, PROMPTS[0], "--fitted", folder)
    some = tmp_path / "some"
    spec = JacobianLens(examples=2, batch=2, layers=(1,))
    some.mkdir()
    spec.train(tiny, some, 0, show=False)
    assert "--layer 2 was not fitted in this lens: choose 1, 3" in refused(
        *asked, "--fitted", some, "--layer", 2
    )
    assert "of one prompt" in refused(tiny, *PROMPTS, "--positions")
