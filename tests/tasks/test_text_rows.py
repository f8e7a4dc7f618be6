"""One's own rows: the three forms, the split, and one sentence for a line that is none."""

import json

import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.text_rows import TextSource, read_rows, source_of

CHAT = {"messages": [{"role": "user", "content": "7 * 8"}, {"role": "assistant", "content": "56"}]}


@pytest.fixture
def written(tmp_path):
    """A file of the given rows, or lines."""

    def write(*rows, name="own.jsonl"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file

    return write


def test_a_file_has_the_forms_and_splits_of_its_rows(written):
    file = written(
        {"prompt": "7 * 8 = ", "completion": "56"},
        "",
        {"text": "1 + 1 = 2", "split": "valid", "class": "add"},
        CHAT,
    )
    source, rows = source_of(str(file))
    assert [(row.prompt, row.text, len(row.messages)) for row in rows.train] == [
        ("7 * 8 = ", "56", 0),
        ("", "", 2),
    ]
    assert rows.valid[0].text == "1 + 1 = 2"
    assert rows.valid[0].place.endswith("own.jsonl, line 3")
    assert read_rows(source) == rows


def test_a_folder_has_a_file_a_split(written, tmp_path):
    written({"text": "a b"}, name="set/train.jsonl")
    assert source_of(str(tmp_path / "set"))[1].valid == ()
    written({"text": "c d"}, {"text": "a b"}, name="set/valid.jsonl")
    rows = source_of(str(tmp_path / "set"))[1]
    assert [row.text for row in rows.valid] == ["c d", "a b"]
    assert rows.shared == 1


def test_the_digest_is_of_the_content_wherever_it_lies(written):
    first, _ = source_of(str(written({"text": "a b"}, name="one.jsonl")))
    same, _ = source_of(str(written({"text": "a b", "other": 1}, name="two.jsonl")))
    other, _ = source_of(str(written({"text": "a c"}, name="three.jsonl")))
    assert first == same
    assert first != other


def test_rows_that_have_changed_are_refused(written):
    source, _ = source_of(str(written({"text": "a b"})))
    written({"text": "a c"})
    with pytest.raises(UserError, match="has changed since"):
        read_rows(source)


def test_a_source_that_names_nothing_is_refused():
    with pytest.raises(UserError, match="there are no rows to train on"):
        read_rows(TextSource(digest=""))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "line 1 is not JSON"),
        ("[1]", "line 1 is not a JSON object"),
        ({"question": "7"}, "has the keys question: give prompt and completion, or text"),
        ({"text": ""}, "text is '' and must be text"),
        ({"prompt": "7", "completion": 56}, "completion is 56 and must be text"),
        ({"messages": [{"role": "user", "content": "7"}]}, "the last an assistant's"),
        ({"text": "a", "split": "test"}, "has the split 'test'"),
        ({"text": "a", "split": "valid"}, "no row to train on"),
    ],
)
def test_a_line_that_is_no_row_is_named(written, line, sentence):
    with pytest.raises(UserError, match=sentence):
        source_of(str(written(line)))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read \(No such file or directory\)"):
        source_of(str(tmp_path / "none.jsonl"))
