"""`lazarus-bench data`: the rows it writes, and what it says of them."""

import json

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)


def read(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("kind", ["arithmetic", "words", "sentiment", "topics"])
def test_a_file_has_the_splits_that_are_told(told, tmp_path, kind):
    code, out, err = told(
        kind, "--count", 40, "--validation", 12, "--seed", 3, "--output", "made.jsonl"
    )
    rows = read(tmp_path / "made.jsonl")
    assert (code, err) == (0, "")
    assert [row["split"] for row in rows] == ["train"] * 40 + ["valid"] * 12
    shown = {line.split()[0]: line.split()[1:] for line in out.splitlines()[2:] if line}
    counted = [sum(r["split"] == s for r in rows) for s in ("train", "valid")]
    assert shown["all"] == [str(c) for c in counted]
    for name in {row["class"] for row in rows}:
        of_class = [r["split"] for r in rows if r["class"] == name]
        assert shown[name] == [str(of_class.count("train")), str(of_class.count("valid"))]
    assert "both splits have: none" in out


def test_answers_are_right(told, tmp_path):
    told("arithmetic", "--count", 60, "--output", "made.jsonl")
    for row in read(tmp_path / "made.jsonl"):
        expression = row["prompt"].removesuffix(" = ").replace("/", "//")
        assert eval(expression) == int(row["completion"])


def test_a_folder_has_mlx_lms_files(told, tmp_path):
    code, out, _ = told(
        "arithmetic", "--count", 9, "--format", "text", "--output", "set/", "--json"
    )
    result = json.loads(out)["result"]
    assert code == 0
    assert result["files"] == ["set/train.jsonl", "set/valid.jsonl"]
    assert (result["train"], result["valid"], result["overlap"]) == (9, 200, 0)
    assert result["balance"]["multiply"] == {"train": 3, "valid": 50}
    assert len(read(tmp_path / "set" / "train.jsonl")) == 9
    prompt, _, answer = read(tmp_path / "set" / "valid.jsonl")[0]["text"].partition("= ")
    assert int(answer) == eval(prompt.replace("/", "//"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["arithmetic", "--output", "made.csv"], "end its name in .jsonl, or in / for a folder"),
        (["topics", "--format", "messages", "--output", "made.jsonl"], "sentences have no prompt"),
        (["arithmetic", "--validation", "9999", "--output", "made.jsonl"], "give fewer"),
        (["arithmetic", "--output", "/proc/made.jsonl"], "cannot write the data to /proc/made"),
        (["arithmetic", "--output", "/proc/new/"], "cannot write the data to /proc/new"),
        (["arithmetic", "--count", "0", "--output", "made.jsonl"], "--count 0"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(refused, tmp_path, arguments, sentence):
    assert sentence in refused(*arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("output", ["made.csv", "/proc/made.jsonl"])
def test_where_nothing_can_be_written_nothing_is_drawn(told, monkeypatch, output):
    drawn = []
    monkeypatch.setattr(
        "lazarus_bench.tasks.example_rows.generate", lambda *given: drawn.append(given)
    )
    code, _, err = told("arithmetic", "--count", 10**9, "--output", output)
    assert (code, drawn) == (2, [])
    assert len(err.splitlines()) == 1
