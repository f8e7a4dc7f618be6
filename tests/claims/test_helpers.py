"""What a test uses of its own project is part of its claim's digest: helpers, fixtures, data."""

from textwrap import dedent

import pytest

from lazarus_bench.claims.claim_files import read_claims
from lazarus_bench.errors import UserError
from lazarus_bench.report.registry import KEPT, against, drawn_up, render_claim

FILES = {
    "pyproject.toml": "",
    "src/lib/__init__.py": "from .deep import FLOOR as FLOOR\n",
    "src/lib/deep.py": "FLOOR = 0.3\nUNUSED = 1\n",
    "src/lib/rows.py": """
        def rows():
            '''Rows.'''
            return ROWS

        ROWS = (0.5, 0.6)
        OTHER = 1
    """,
    "src/lib/inner.py": "LATE = 4\n",
    "src/lib/stars.py": "STAR = 5\n",
    "conftest.py": """
        import pytest
        from lib.deep import FLOOR

        @pytest.fixture
        def limit(base_limit):
            return base_limit

        @pytest.fixture
        def base_limit():
            return 2

        @pytest.fixture
        def idle():
            return 3
    """,
    "claims/near.py": "NEAR = 1\n",
    "claims/limits.json": "{}",
    "claims/test_it.py": """
        import near
        from lib import FLOOR, rows
        from lib.stars import *

        from lazarus_bench import AtLeast, Means, claim

        @claim("fam/it", AtLeast(0.3), source="A", subjects=(), data=("limits.json",))
        def test_it(limit, own):
            '''It is so.

            a number.
            '''
            from lib.inner import LATE

            assert near.NEAR and limit and LATE and STAR
            return Means(values=(tuple(r + FLOOR for r in rows.rows()),))

        @claim("fam/alone", AtLeast(0.3), source="A", subjects=())
        def test_alone():
            '''It is alone.

            a number.
            '''
            return Means(values=((0.5, 0.6),))

        import pytest

        @pytest.fixture
        def own():
            return 7
    """,
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The registry's entries by id, with FILES where `change` is made in one of them."""
    monkeypatch.syspath_prepend(tmp_path / "src")

    def of(file=None, old="", new=""):
        for name, text in FILES.items():
            place = tmp_path / name
            place.parent.mkdir(parents=True, exist_ok=True)
            text = dedent(text)
            if name == file:
                assert old in text
                text = text.replace(old, new)
            place.write_text(text)
        return {claim.id: claim for claim in drawn_up(read_claims(tmp_path / "claims"))}

    return of


@pytest.mark.parametrize(
    ("file", "old", "new", "seen"),
    [
        ("src/lib/deep.py", "FLOOR = 0.3", "FLOOR = 0.2", "../src/lib/deep.py"),
        ("src/lib/rows.py", "0.5", "0.4", "../src/lib/rows.py"),
        ("src/lib/rows.py", "return ROWS", "return ROWS[:1]", "../src/lib/rows.py"),
        ("src/lib/inner.py", "4", "5", "../src/lib/inner.py"),
        ("src/lib/stars.py", "5", "6", "../src/lib/stars.py"),
        ("claims/near.py", "1", "2", "near.py"),
        ("conftest.py", "return 2", "return 1", "../conftest.py"),
        ("claims/test_it.py", "return 7", "return 8", "test_it.py"),
    ],
)
def test_an_edit_of_what_is_used_shows_against_the_registry(project, file, old, new, seen):
    then, now = project(), project(file, old, new)
    status = against(then.values(), now.values())
    assert status["fam/it"].differences == (f"code that its test uses ({seen})",)
    assert status["fam/alone"].what == KEPT


def test_a_data_file_counts_by_its_content(project):
    then, now = project(), project("claims/limits.json", "{}", "[]")
    [how] = against(then.values(), now.values())["fam/it"].differences
    assert how == "data that its test reads (limits.json)"
    assert "`limits.json`" in render_claim(now["fam/it"])


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("src/lib/deep.py", "UNUSED = 1", "UNUSED = 2"),
        ("src/lib/rows.py", "OTHER = 1", "OTHER = 2"),
        ("src/lib/rows.py", "'''Rows.'''", "'''More.'''"),
        ("conftest.py", "return 3", "return 4"),
    ],
)
def test_an_edit_of_what_is_not_used_does_not(project, file, old, new):
    assert project(file, old, new) == project()


def test_a_claim_that_uses_its_file_alone_has_no_more_to_it(project):
    assert not {"helpers", "data"} & set(project()["fam/alone"].decides)


def test_a_data_file_that_is_missing_is_named(project, tmp_path):
    project()
    (tmp_path / "claims" / "limits.json").unlink()
    with pytest.raises(UserError, match=r"fam/it: its data file .*limits\.json is not there"):
        drawn_up(read_claims(tmp_path / "claims"))


def test_an_installed_pack_counts_its_own_modules_alone(tmp_path, monkeypatch):
    place = tmp_path / "site-packages"
    for name, text in {
        "pack/__init__.py": "",
        "pack/limits.py": "FLOOR = 1\n",
        "other.py": "FLOOR = 1\n",
        "pack/test_it.py": """
        from other import FLOOR as OTHERS
        from pack.limits import FLOOR

        from lazarus_bench import AtLeast, Means, claim

        @claim("fam/it", AtLeast(0.3), source="A", subjects=())
        def test_it():
            '''It is so.

            a number.
            '''
            return Means(values=((FLOOR, OTHERS),))
        """,
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(dedent(text))
    monkeypatch.syspath_prepend(place)
    [entry] = drawn_up(read_claims(place / "pack"))
    assert list(entry.decides["helpers"]) == ["limits.py"]
