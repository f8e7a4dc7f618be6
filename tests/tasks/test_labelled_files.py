"""SST-2 and AG News from their files: every form, and one sentence for everything wrong in one."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.labelled_files import hub_splits, read_splits

SST2 = 'sentence\tlabel\nit \'s "fine" \t1\ndull , dull\t0\n'
TOPICS = "A vote\tWorld\nA goal\tSports\nA sale\tBusiness\nA star\tSci/Tech\n"
CSV = '"1","A vote","in ""Rome"", today"\n"2","A goal","again"\n'


def write(folder, **files):
    for name, text in files.items():
        data = text if isinstance(text, bytes) else text.encode()
        (folder / name.replace("_", ".")).write_bytes(data)
    return folder


def texts(split):
    return [(example.text, example.label) for example in split]


READ = {
    "GLUE's header; quotation marks are text": (
        *("sst2", {"train_tsv": SST2, "test_tsv": SST2}),
        [('it \'s "fine"', 1), ("dull , dull", 0)],
    ),
    "a byte order mark, blank and Windows lines": (
        "sst2",
        {"train_tsv": b"\xef\xbb\xbf" + SST2.replace("\n", "\r\n\r\n").encode(), "test_tsv": SST2},
        [('it \'s "fine"', 1), ("dull , dull", 0)],
    ),
    "text and label without a header": (
        *("ag_news", {"dev_tsv": TOPICS, "test_tsv": TOPICS}),
        [("A vote", 0), ("A goal", 1), ("A sale", 2), ("A star", 3)],
    ),
    "classes from one, title and description": (
        *("ag_news", {"train_csv": CSV, "test_csv": CSV}),
        [('A vote in "Rome", today', 0), ("A goal again", 1)],
    ),
    "the same with a header": (
        *("ag_news", {"train_csv": f"Class Index,Title,Description\n{CSV}", "test_csv": CSV}),
        [('A vote in "Rome", today', 0), ("A goal again", 1)],
    ),
}


@pytest.mark.parametrize(("name", "files", "expected"), READ.values(), ids=READ)
def test_every_form_is_read(tmp_path, name, files, expected):
    assert [*map(texts, read_splits(name, write(tmp_path, **files)))] == [expected, expected]


def test_an_example_knows_its_line(tmp_path):
    train, _ = read_splits("sst2", write(tmp_path, train_tsv=SST2, test_tsv=SST2))
    assert train[1].place == f"{tmp_path / 'train.tsv'}, line 3"


SLOW = SST2.replace("dull", "slow")
GLUE_HIDDEN = "index\tsentence\n0\ta film\n"


@pytest.mark.parametrize(
    ("test", "learnt", "judged"),
    [(SST2, ["dull", "slow"], "dull"), (GLUE_HIDDEN, ["dull"], "slow")],
    ids=["labelled", "without labels"],
)
def test_dev_is_learnt_from_unless_test_has_no_labels(tmp_path, test, learnt, judged):
    folder = write(tmp_path, train_tsv=SST2, dev_tsv=SLOW, test_tsv=test)
    assert [[e.text for e in split][1::2] for split in read_splits("sst2", folder)] == [
        [f"{word} , {word}" for word in learnt],
        [f"{judged} , {judged}"],
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_not_utf8_are_in_the_line_that_is_named(tmp_path, mark, end):
    """A byte order mark once moved the line, and a lone carriage return ended none."""
    data = mark + SST2.replace("\n", end).encode() + b"\xe9t\xe9\t1\n"
    with pytest.raises(UserError, match=r"train\.tsv, line 4 is not UTF-8"):
        read_splits("sst2", write(tmp_path, train_tsv=data, test_tsv=SST2))


UNCLOSED = '"1","A star,in the sky\n'
WRONG_TSV = {
    "columns": ("a\tb\t1\n", r"line 4 has 3 columns: write each line as text<TAB>label"),
    "one column": ("alone\n", r"line 4 has 1 columns"),
    "label": ("a film\t2\n", r"line 4 has the label '2': the labels are 0, 1"),
    "empty": (" \t1\n", r"line 4 has an empty text"),
    "bytes": (b"caf\xe9\t1\n", r"line 4 is not UTF-8"),
    "field": ("a" * 200_000 + "\t1\n", r"line 4 cannot be read: field larger"),
}
WRONG_CSV = {
    "quotation": ('"1","a"b,"c"\n', r"line 3 cannot be read"),
    "columns": ("1,no description\n", r"line 3 has 2 columns: write each line as class,title,"),
    "unclosed": (UNCLOSED + "1,A vote,in Rome\n" * 10, r"line 3 cannot be read"),
    "long unclosed": (UNCLOSED + "1,A vote,in Rome\n" * 20_000, r"line 3 cannot be read"),
}
WRONG = [
    *(("sst2", "train.tsv", SST2, *case) for case in WRONG_TSV.values()),
    *(("ag_news", "train.csv", CSV, *case) for case in WRONG_CSV.values()),
]


@pytest.mark.parametrize(
    ("name", "file", "good", "line", "reason"),
    WRONG,
    ids=[*WRONG_TSV, *(f"csv {k}" for k in WRONG_CSV)],
)
def test_what_is_wrong_in_a_line_is_said_with_its_number(tmp_path, name, file, good, line, reason):
    line = line if isinstance(line, bytes) else line.encode()
    write(tmp_path, **{file.replace(".", "_"): good.encode() + line}, test_tsv=SST2)
    with pytest.raises(UserError, match=rf"^{tmp_path}/{re.escape(file)}, {reason}[^\n]*$"):
        read_splits(name, tmp_path)


def test_a_folder_or_a_split_that_cannot_be_used_is_named(tmp_path):
    def refused(reason: str, folder: Path = tmp_path) -> None:
        with pytest.raises(UserError, match=reason):
            read_splits("sst2", folder)

    refused("is not a folder: name the one that has the files of sst2", tmp_path / "nowhere")
    refused("is not a folder: name the one", tmp_path / ("a" * 300))
    write(tmp_path, dev_tsv=SST2)
    refused("no split for training: it needs train")
    write(tmp_path, train_tsv=SST2)
    (tmp_path / "test.tsv").symlink_to("nowhere")
    refused(r"test\.tsv is a link to nothing: put the split there")
    (tmp_path / "test.tsv").unlink()
    (tmp_path / "test.tsv").mkdir()
    refused(r"test\.tsv is not a file: put the split there")
    (tmp_path / "test.tsv").rmdir()
    (tmp_path / "dev.tsv").unlink()
    refused("no split for evaluation: it needs test or dev")
    write(tmp_path, train_csv=CSV)
    refused(r"has train\.tsv and train\.csv, the same split in two formats")


def test_links_to_files_are_read(tmp_path):
    real = write(tmp_path, train_tsv=SST2, test_tsv=SST2)
    folder = tmp_path / "a folder of links"
    folder.mkdir()
    for name in ("train.tsv", "test.tsv"):
        (folder / name).symlink_to(real / name)
    assert read_splits("sst2", folder) == read_splits("sst2", real)


HUB = """
from lazarus_bench.errors import UserError
from lazarus_bench.tasks.labelled_files import hub_splits
try:
    hub_splits("sst2")
except UserError as error:
    print(error)
"""


def test_without_the_library_or_a_hub_one_sentence_says_so():
    done = subprocess.run(
        [sys.executable, "-c", HUB],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    installed = find_spec("datasets") is not None
    lacking = "needs the library datasets: pip install"
    said = "cannot be downloaded from the hub" if installed else lacking
    assert said in done.stdout
    assert done.stdout.rstrip().endswith("name a folder of files")


@pytest.fixture
def on_a_hub(monkeypatch):
    """Let the library return these rows of (text, label)."""

    def arrange(**splits):
        rows = {
            split: [{"sentence": text, "label": label} for text, label in found]
            for split, found in splits.items()
        }
        library = ModuleType("datasets")
        library.load_dataset = lambda name: rows if name == "stanfordnlp/sst2" else {}
        monkeypatch.setitem(sys.modules, "datasets", library)

    return arrange


def test_a_hubs_rows_are_read_as_lines_are_and_an_unknown_label_is_refused(on_a_hub):
    on_a_hub(train=[("dull ", 0), ("fine", 1)], validation=[("a film", 1)])
    train, judged = hub_splits("sst2")
    assert texts(train) == [("dull", 0), ("fine", 1)]
    assert texts(judged) == [("a film", 1)]
    assert train[1].place == "stanfordnlp/sst2, train row 1"
    for label in (-1, 2):
        on_a_hub(train=[("dull", 0)], validation=[("fine", 1), ("a film", label)])
        reason = rf"^stanfordnlp/sst2, validation row 1 has the label {label}: the labels are 0 to"
        with pytest.raises(UserError, match=reason):
            hub_splits("sst2")


def test_the_real_files_have_their_published_sizes(shared):
    sizes = {"sst2": (67_349, 872), "ag_news": (10_001, 7_600)}
    for name, expected in sizes.items():
        assert tuple(map(len, read_splits(name, shared / "data" / name))) == expected
