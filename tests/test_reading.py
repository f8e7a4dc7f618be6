"""What others wrote is read within bounds of size and time, and JSON of it is strict."""

import json
import os
import threading
from pathlib import Path

import pytest

from lazarus_bench import reading
from lazarus_bench.cli import main
from lazarus_bench.models.files import read_config
from lazarus_bench.report.files import read_versioned
from lazarus_bench.tasks.text_rows import source_of

NESTED = "[" * 100_000
WRONG = {
    "nested": NESTED,
    "nested_whole": "[" * 500 + "]" * 500,
    "surrogate": '{"model_type": "\\ud800"}',
    "too_large": '{"model_type": "llama", "rope_theta": 1e400}',
    "twice": '{"rows": [{"item": 1, "value": 0, "value": 1}]}',
    "digits": '{"schema": ' + "9" * 5000 + "}",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_json_that_is_none_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"nested|surrogate|larger|digits|'value' twice"):
        reading.parse_json(text)


def test_whole_json_is_read():
    text = '{"a": [1, 2.5, "\\ud83d\\ude00", null], "b": Infinity}'
    assert reading.parse_json(text) == {"a": [1, 2.5, "😀", None], "b": float("inf")}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "PATIENCE", 0.2)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


NO_FILES = {"pipe": "nothing came out of this pipe", "folder": "folder", "/dev/zero": "device"}


@pytest.mark.parametrize(("name", "why"), NO_FILES.items())
def test_what_is_no_file_is_refused_and_never_waited_for(place, name, why):
    with pytest.raises(OSError, match=why):
        reading.read_bytes(Path(name))


@pytest.mark.parametrize("name", NO_FILES)
@pytest.mark.parametrize(
    "words",
    [
        ["report", "FILE"],
        ["diff", "FILE", "FILE"],
        ["train", "sft", "lab:llama", "--output", "x", "--data", "FILE"],
        ["train", "sft", "lab:llama", "--output", "x", "--config", "FILE"],
        ["generate", "lab:llama", "@FILE"],
        ["classifier", "lab:llama", "--classes", "a:@FILE", "--classes", "b:c|d"],
        ["experiment", "list", "--hypotheses", "FILE/x"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_command_says_so_in_one_sentence(place, capsys, words, name):
    assert main([word.replace("FILE", name) for word in words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


ABSURD = str(10**20)


@pytest.mark.parametrize(
    "line",
    [
        f"data arithmetic --output a.jsonl --count {ABSURD}",
        "data words --output a.jsonl --count 1000000000",
        f"data sentiment --output a.jsonl --count {ABSURD}",
        f"data topics --output a.jsonl --validation {ABSURD}",
        f"lab build llama --seeds {ABSURD}",
        f"run --plan --seeds {ABSURD}",
        f"run --plan --workers {'9' * 5000}",
        f"benchmark --rounds {ABSURD}",
        f"classifier x --permutations {ABSURD} --classes a:a|b --classes b:c|d",
    ],
)
def test_absurd_sizes_end_at_once_in_one_sentence(place, capsys, line):
    assert main(line.split()) == 2
    assert capsys.readouterr().err.strip().count("\n") == 0


def test_a_training_of_absurd_size_is_no_spec():
    from lazarus_bench.errors import UserError
    from lazarus_bench.training import Sft

    with pytest.raises(UserError, match=r"Sft\.examples .* of at most 10000000"):
        Sft(examples=10**20)


def test_a_pipe_with_a_writer_is_read(place):
    written = b"7 * 8 = " * 50_000
    writer = threading.Thread(target=(place / "pipe").write_bytes, args=(written,))
    writer.start()
    assert reading.read_bytes(place / "pipe") == written
    writer.join()


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(tmp_path):
    file = tmp_path / "large"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(OSError, match="larger than 1074 MB"):
        reading.read_bytes(file)


def test_json_lines_end_at_line_feeds_only(tmp_path):
    file = tmp_path / "own.jsonl"
    text = "one\u2028two\u0085three"
    lines = (json.dumps({"text": each}, ensure_ascii=False) for each in (text, "five"))
    file.write_bytes("\r\n".join(lines).encode())
    _, rows = source_of(str(file))
    assert [row.text for row in rows.train] == [text, "five"]


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_each_reader_of_json_says_so_in_one_sentence(tmp_path, text):
    from lazarus_bench.errors import UserError

    file = tmp_path / "config.json"
    file.write_text(text)
    as_report = {"kind": "report", "key": "schema", "versions": (6,), "remedy": "r", "again": "a"}
    for read in (
        lambda: read_config(tmp_path),
        lambda: source_of(str(file)),
        lambda: read_versioned(file, **as_report),
    ):
        with pytest.raises(UserError, match=str(file)):
            read()


def test_yaml_with_aliases_of_aliases_or_deep_lists_is_refused(place, capsys):
    bomb = "a0: &a0 [x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
    )
    for text, why in ((bomb, "more than 20 aliases"), (NESTED, "nested too deeply")):
        Path("c.yaml").write_text(text)
        assert main(["train", "sft", "lab:llama", "--output", "x", "--config", "c.yaml"]) == 2
        assert why in capsys.readouterr().err
