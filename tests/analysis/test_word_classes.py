"""Classes of tokens: what falls where, and what a list has in common."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.analysis.word_classes import (
    CLASSES,
    GENERAL,
    category,
    classes_of,
    foreign_script,
)


@pytest.mark.parametrize(
    ("token", "classes"),
    [
        (" multiply", ("operation words",)),
        ("Plus", ("operation words",)),
        (" 127", ("numbers",)),
        ("3.5", ("numbers",)),
        ("42", ("numbers", "short tokens")),
        ("getName", ("code",)),
        ("my_var", ("code",)),
        ("_init", ("code",)),
        (".append", ("code",)),
        ("print(", ("code",)),
        (" struct", ("code",)),
        ("--;\r\n", ("punctuation",)),
        ("=", ("punctuation", "short tokens")),
        ("银河", ("single-script", "short tokens")),
        ("привет", ("single-script",)),
        (" at", ("short tokens",)),
        (" galaxy", ()),
        (" return", ()),
        ("CONST", ()),
        ("Galaxyя", ()),
        ("\ufffd", ()),
        ("  ", ()),
        ("", ()),
    ],
)
def test_a_token_falls_into_its_classes(token, classes):
    assert classes_of(token) == classes


def test_half_of_the_tokens_make_a_category_and_fewer_do_not():
    others = [" galaxy", " stellar", " orbit"]
    assert category(["127", "358", "999", *others]) == "numbers"
    assert category(["127", "358", *others]) == GENERAL
    assert category([]) == GENERAL


def test_single_script_means_one_script():
    assert category(["привет", "мира", "galaxy", "stellar"]) == "single-script"
    assert category(["привет", "galaxy", "سلام", "stellar"]) == GENERAL
    assert foreign_script("naïve") is None


def test_the_fuller_class_wins_and_of_equals_the_more_specific():
    assert category(["给", "京", "制作"]) == "single-script"
    assert category(["1", "2", "a", "b"]) == "short tokens"
    assert category(["1", "2"]) == "numbers"


@given(st.lists(st.text("a1+ я给_\n\ufffd\x00", max_size=5), max_size=12))
def test_every_list_of_texts_has_one_of_the_declared_categories(tokens):
    assert category(tokens) in {GENERAL, *CLASSES}
