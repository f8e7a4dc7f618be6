"""Labelled data: splits without a common text, balance on record, and a digest of the content."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_bench.errors import UserError
from lazarus_bench.tasks.labelled import is_held_out
from lazarus_bench.tasks.labelled_data import DataSource, LabelledData, read_data, source_at
from lazarus_bench.training import Engram

LINES = [f"film {i} was {'fine' if i % 2 else 'dull'}\t{i % 2}\n" for i in range(40)]
HEADER = "sentence\tlabel\n"


def write(folder, train, test, header=HEADER):
    folder.mkdir(exist_ok=True)
    (folder / "train.tsv").write_text(header + "".join(train))
    (folder / "test.tsv").write_text(header + "".join(test))
    return folder


def source(folder, train, test, **about):
    return source_at("sst2", write(folder, train, test, **about))


@pytest.mark.parametrize("name", ["sentiment", "topics"])
def test_generated_splits_have_no_text_twice_and_no_class_too_few(name):
    data = read_data(DataSource(name=name, train=300, validation=150))
    train, judged = ([e.text for e in split] for split in (data.train, data.validation))
    assert (len(train), len(judged)) == (300, 150)
    assert len({*train, *judged}) == 450
    assert not any(map(is_held_out, data.train))
    assert all(map(is_held_out, data.validation))
    shares = [learned / 300 for learned, _ in data.balance]
    assert min(shares) > 0.6 / len(data.classes)


def test_the_same_source_gives_the_same_examples_and_a_smaller_one_fewer():
    few, again = (read_data(DataSource(train=50, validation=20)) for _ in range(2))
    many = read_data(DataSource(train=100, validation=40))
    assert few == again
    assert set(few.validation) < set(many.validation)


def test_a_generated_corpus_ends_where_it_has_no_more_sentences():
    data = read_data(DataSource(name="topics", train=100, validation=2000))
    assert len(data.train) == 100
    assert 800 < len(data.validation) < 1300


def test_texts_of_evaluation_are_left_out_of_training_and_counted(tmp_path):
    same = ["Film 1  was FINE\t1\n", LINES[2]]
    given = source(tmp_path, LINES + same, LINES[:4])
    data = read_data(given)
    assert data.shared == 6
    assert len(data.validation) == 4
    assert not {e.text for e in data.train} & {e.text for e in data.validation}
    assert data.available == (36, 4)
    assert data.balance == ((18, 2), (18, 2))
    assert "36 of 36 training and 4 of 4 evaluation examples (negative 18 and 2;" in data.summary


def test_fewer_are_drawn_from_the_whole_file_and_not_from_its_beginning(tmp_path):
    by_class = sorted(LINES, key=lambda line: line[-2])
    given = source(tmp_path, by_class[5:35], by_class[:5] + by_class[35:])
    data = read_data(replace(given, train=20, validation=6))
    assert (len(data.train), len(data.validation)) == (20, 6)
    assert all(min(pair) >= 2 for pair in data.balance)


def test_the_digest_is_of_the_examples_wherever_and_however_they_lie(tmp_path):
    one = source(tmp_path / "one", LINES[:30], LINES[30:])
    two = source(tmp_path / "two", LINES[:30], LINES[30:], header="")
    other = source(tmp_path / "three", LINES[:29], LINES[30:])
    relabelled = [line.replace("\t0", "\t1") if "10" in line else line for line in LINES[:30]]
    fourth = source(tmp_path / "four", relabelled, LINES[30:])
    assert one == two
    assert one.path != two.path
    assert len({one.digest, other.digest, fourth.digest}) == 3


def test_a_training_on_few_texts_is_not_planned_as_one_on_as_many_as_are_read(tmp_path):
    """The plan took 20,000 examples for granted: 200 seconds for one of ten."""
    given = source(tmp_path, LINES[:30], LINES[30:])
    few = replace(given, train=10)
    seconds = [Engram(data=data).lab_seconds for data in (given, few)]
    generated = [Engram(data=DataSource(train=count)).lab_seconds for count in (30, 10)]
    assert seconds == generated
    assert given == replace(given, held=0)


def test_files_that_changed_since_they_were_named_are_refused(tmp_path):
    given = source(tmp_path, LINES[:30], LINES[30:])
    write(tmp_path, LINES[:28], LINES[30:])
    with pytest.raises(UserError, match="has changed since this training was set up"):
        read_data(given)


FEW = {
    "once": (LINES[:3], LINES[30:], r"training: the class positive occurs once \(.*line 3\)"),
    "never": (LINES, LINES[1::2], r"evaluation: the class negative occurs never"),
    "none": (LINES, [], r"sst2=.*, evaluation: the class negative occurs never"),
    "limited": (
        [LINES[3], LINES[5], *LINES[4::2]],
        LINES[:2] * 2,
        "sst2 with train = 2: the class positive occurs",
    ),
    "shared": (LINES[:20], LINES[:19], "sst2 without 19 training texts that evaluation has too"),
}


@pytest.mark.parametrize(("train", "test", "reason"), FEW.values(), ids=FEW)
def test_a_class_with_too_few_examples_is_named(tmp_path, train, test, reason):
    with pytest.raises(UserError, match=reason):
        read_data(replace(source(tmp_path, train, test), train=2))


@pytest.mark.parametrize(
    ("name", "folder", "reason"),
    [
        ("sst2", "~nobody-at-all/sst2", "~nobody-at-all/sst2: there is no such user's folder"),
        ("imdb", ".", "'imdb' is unknown: choose sst2 or ag_news"),
    ],
)
def test_an_unknown_user_or_name_is_refused(name, folder, reason):
    with pytest.raises(UserError, match=reason):
        source_at(name, folder)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": "mnli"}, "unknown: choose sentiment, topics, sst2, ag_news"),
        ({"name": "sst2", "path": "a"}, "needs its files: use source_at"),
        ({"train": 1}, "train = 1 must be an integer of at least 2"),
        ({"validation": 10.5}, "validation = 10.5 must be an integer"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused_when_it_is_made(wrong, reason):
    with pytest.raises(UserError, match=reason):
        DataSource(**wrong)


LINE = st.tuples(st.text("ab \"'é", min_size=1).filter(str.strip), st.sampled_from("01"))


@settings(max_examples=40)
@given(train=st.lists(LINE, max_size=30), test=st.lists(LINE, max_size=30))
def test_whatever_was_written_is_read_and_shared_texts_never_stay(tmp_path_factory, train, test):
    ends = [("zz", "0"), ("yy", "1"), ("xx", "0"), ("ww", "1")]
    rows = [*train, *ends], [*test, *((text + "!", label) for text, label in ends)]
    folder = tmp_path_factory.mktemp("any")
    lines = [[f"{text}\t{label}\n" for text, label in split] for split in rows]
    data = read_data(source_at("sst2", write(folder, *lines)))
    assert [(e.text, str(e.label)) for e in data.validation] == [(t.strip(), y) for t, y in rows[1]]
    keys = {" ".join(text.split()) for text, _ in rows[1]}
    assert len(data.train) == sum(" ".join(text.split()) not in keys for text, _ in rows[0])
    assert len(data.train) + data.shared == len(rows[0])
    assert isinstance(data, LabelledData)
