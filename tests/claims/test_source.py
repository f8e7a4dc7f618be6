"""The digest of what a claim's test does: what changes it, and what must not."""

import importlib.util
from textwrap import dedent

import pytest

from lazarus_bench.claims.registration import digest_of_test

FILE = '''
    """A claim file."""

    import math as maths
    from collections import Counter

    FLOOR = 0.36
    """At least."""
    OTHER = 1


    def mean(run):
        """The mean."""
        return maths.fsum(run) / OTHER


    def unused(run):
        return 2


    def test_it(runs):
        """What it judges."""
        found = [mean(run) >= FLOOR for run in runs]
        return found, Counter(found), "q"


    def shown(runs):
        yield "beside", unused(runs)
'''


@pytest.fixture
def digest(tmp_path):
    """The digest of `test_it` where FILE has each of `changes` made."""
    count = iter(range(100))

    def of(*changes, name="test_it"):
        text = dedent(FILE)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / f"claims_{next(count)}.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return digest_of_test(getattr(module, name))

    return of


DECIDES = {
    "a threshold": ("FLOOR = 0.36", "FLOOR = 0.3"),
    "a comparison": (">= FLOOR", "> FLOOR"),
    "a control": (", Counter(found)", ""),
    "a helper": ("maths.fsum(run)", "sum(run)"),
    "what a helper uses": ("OTHER = 1", "OTHER = True"),
    "where a name comes from": ("from collections import Counter", "from typing import Counter"),
    "what a module's name stands for": ("import math as maths", "import cmath as maths"),
    "what it is given": ("test_it(runs)", "test_it(runs, more=0)"),
    "a second binding": ("FLOOR = 0.36", "FLOOR = 0.36\nFLOOR = FLOOR"),
}
DECIDES_NOTHING = {
    "a comment": ("    found =", "    # why\n    found ="),
    "the test's docstring": ("What it judges.", "Something else."),
    "a helper's docstring": ("The mean.", "Something else."),
    "the file's docstring": ("A claim file.", "Something else."),
    "a constant's docstring": ('"""At least."""', ""),
    "layout": ("return found, Counter(found)", "return found, Counter(\n        found\n    )"),
    "the order of the file": ("OTHER = 1\n", "\n\n\nOTHER = 1\n"),
    "what nobody uses": ("return 2", "return 3"),
    "what is shown beside": ('yield "beside", unused(runs)', "yield OTHER"),
    "a local name of the same kind": ("A claim file.", "x"),
    "quotes": ('"q"', "'q'"),
}


@pytest.mark.parametrize("change", DECIDES.values(), ids=DECIDES)
def test_what_decides_is_in_the_digest(digest, change):
    assert digest(change) != digest()


@pytest.mark.parametrize("change", DECIDES_NOTHING.values(), ids=DECIDES_NOTHING)
def test_what_decides_nothing_is_not(digest, change):
    assert digest(change) == digest()


def test_the_tests_own_name_and_decorators_decide_nothing(digest):
    renamed = digest(("def test_it(", "@staticmethod\ndef test_that("), name="test_that")
    assert renamed == digest()


def test_the_digest_is_the_same_on_every_python(digest):
    # Computed once with 3.11, 3.12 and 3.13; a later Python's syntax tree must not move it.
    assert digest() == "8f121600fe5968c3a3cf8a1c44dc1f4263effe39cedc65c504b67f7c08fdb809"
