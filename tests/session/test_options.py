"""Options: declared once, read from text or values, refused in the words that the user typed."""

from pathlib import Path

import pytest

from lazarus_bench.errors import UserError
from lazarus_bench.judge import Outcome
from lazarus_bench.session.options import FAILABLE, MOVED, Options


class Typed(Options):
    """Options as pytest's user types them."""

    PREFIX = "--lb-"


def test_text_becomes_values():
    given = Options(
        model="lab:llama", data=["sst2=DIR"], seeds="3", store="here", fail_on="moved, invalid",
        workers="2", ranks="4", report="out",
    )  # fmt: skip
    assert (given.model, given.data, given.seeds) == (("lab:llama",), ("sst2=DIR",), 3)
    assert (given.store, given.report) == (Path("here"), Path("out"))
    assert (given.fail_on, given.workers, given.ranks) == (("moved", "invalid"), 2, 4)


def test_a_model_named_twice_is_one():
    assert Options(model=["a", "b", "a"]).model == ("a", "b")


@pytest.mark.parametrize(("text", "workers"), [("auto", None), (None, None), (3, 3)])
def test_workers_may_be_left_to_the_machine(text, workers):
    assert Options(workers=text).workers == workers


def test_nothing_fails_where_none_is_asked():
    assert Options(fail_on="none").fail_on == ()
    assert Options().fail_on == (MOVED, "refuted", "invalid")
    assert set(FAILABLE[1:]) <= {outcome.value for outcome in Outcome}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"profile": "nope"}, "--lb-profile 'nope' is unknown: choose smoke, default, full"),
        ({"seeds": "0"}, "--lb-seeds 0 is not a number of seeds: give 1 or more"),
        ({"first_seed": "-1"}, "--lb-first-seed -1 is no seed: give a whole number from 0 to 9999"),
        ({"first_seed": "200.5"}, "--lb-first-seed 200.5 is no seed"),
        ({"seeds": "x"}, "--lb-seeds x is not a number of seeds: give 1 or more"),
        ({"workers": "²"}, "--lb-workers ² is not a number of processes: give 1 or more, or auto"),
        ({"ranks": 0}, "--lb-ranks 0 is not a number of processes: give 1 or more"),
        ({"fail_on": "refuted,none"}, "--lb-fail-on none stands alone"),
        ({"fail_on": "moved,nope"}, "--lb-fail-on 'nope' is unknown: choose from moved, refuted"),
        ({"workers": 1, "scheduler": "tcp://a:1"}, "--lb-scheduler names another's: give one"),
        ({"scheduler": "foo"}, "--lb-scheduler 'foo' is not an address"),
        ({"hosts": "hosts.json"}, "--lb-hosts places the ranks"),
    ],
)
def test_a_mistake_names_the_flag_as_it_was_typed(given, sentence):
    with pytest.raises(UserError) as typed:
        Typed(**given)
    assert sentence in str(typed.value)
    with pytest.raises(UserError) as plain:
        Options(**given)
    assert sentence.replace("--lb-", "--") in str(plain.value)


def test_options_travel_to_another_process_as_plain_values():
    given = Options(model=("a",), store="s", seeds=2, fail_on="none", offline=True)
    assert all(
        value is None or isinstance(value, str | int | bool | tuple)
        for value in given.plain().values()
    )
    assert Options(**given.plain()) == given


def test_the_report_has_a_place_of_its_own_for_published_numbers(tmp_path):
    assert Options().report_folder(only_published=True) == Path("lazarus-report/published")
    named = Options(report=tmp_path)
    assert named.report_folder(only_published=True) == tmp_path
    (tmp_path / "report.md").mkdir()
    with pytest.raises(UserError, match=r"--report .*: report.md is a folder there"):
        named.check_report()
