"""Prompt files: what is read, and one sentence for each way in which one can be wrong."""

import numpy as np
import pytest

from lazarus_bench.analysis.probe import permutation_null, probe
from lazarus_bench.analysis.prompt_file import read_prompt_file
from lazarus_bench.analysis.splits import by_pair
from lazarus_bench.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes):
        file = tmp_path / "prompts.tsv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


def lines(each: int, labels=("warm", "cold")) -> str:
    return "".join(f"{label}\tprompt {label} {i}\n" for i in range(each) for label in labels)


def test_labels_and_texts_are_read(write):
    prompts = read_prompt_file(write("warm\tIt is hot. \r\n\ncold\tIt\tfreezes.\nwarm\tSun.\n"))
    assert prompts.texts == ("It is hot. ", "It\tfreezes.", "Sun.")
    assert prompts.classes == ("cold", "warm")
    assert prompts.labels == (1, 0, 1)


def test_a_byte_order_mark_belongs_to_no_label(write):
    assert read_prompt_file(write("\ufeffa\tx\nb\ty\n")).classes == ("a", "b")


def test_a_text_that_comes_twice_stays_on_one_side(write):
    prompts = read_prompt_file(write(lines(6) + "warm\tprompt warm 0\n"))
    folds = by_pair(prompts).folds
    assert folds[0] == folds[-1]


def test_a_probe_reads_them(write):
    prompts = read_prompt_file(write(lines(20)))
    states = np.random.default_rng(0).normal(size=(40, 3, 6)).astype(np.float32)
    states[:, 2, 0] += 6 * np.array(prompts.labels)
    assert probe(states, prompts).accuracy[2] > 0.9
    assert permutation_null(states, prompts, permutations=19).layer_p_values[2] == 0.05


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "has no prompts: give it a line label<TAB>text"),
        (" \n\n", "has no prompts"),
        (b"warm\tna\xefve\n", r"is not UTF-8 \(byte 7 is not\): save it again"),
        ("warm\tone\ncold two\n", "line 2 of .* is 'cold two': write it as label<TAB>text"),
        ("warm\tone\ncold\t \n", "line 2 of .* write it as"),
        (
            "warm\tone\nwarm\ttwo\n",
            "prompts of 'warm' alone: a probe needs those of a second class",
        ),
    ],
    ids=["empty", "blank", "not UTF-8", "no tab", "no text", "one class"],
)
def test_a_file_that_is_wrong_gets_one_sentence(write, content, says):
    with pytest.raises(UserError, match=says) as caught:
        read_prompt_file(write(content))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_gets_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read .*: check its name"):
        read_prompt_file(tmp_path / "none.tsv")


def test_fewer_prompts_than_folds_get_one_sentence(write):
    prompts = read_prompt_file(write(lines(4)))
    states = np.zeros((8, 1, 2), dtype=np.float32)
    with pytest.raises(UserError, match="at least 5 pairs a class, and one class has 4: ask for"):
        probe(states, prompts)
    few = read_prompt_file(write(lines(3)))
    with pytest.raises(UserError, match="need 4 prompts a class, and 'cold' has 3"):
        probe(states[:6], few, "in-order")
    with pytest.raises(UserError, match="at least two of them"):
        probe(states, prompts, "templates")
