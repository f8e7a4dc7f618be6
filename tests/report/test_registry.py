"""The registry file: which claims are amended, which files are refused, and its listing."""

import json
from dataclasses import replace

import pytest
from sample_registry import CLAIMS, registered

from lazarus_bench.errors import UserError
from lazarus_bench.judge import AtLeast, AtMost
from lazarus_bench.report.registry import (
    against,
    differences,
    list_claims,
    load_registry,
    tally,
    to_text,
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, r"cannot read the registry .*registry\.json.*claims export"),
        ("not json", "is not JSON"),
        ("[]", "is not a registry"),
        ('{"schema": 5}', "is not a registry"),
        ('{"registry": 3, "claims": []}', "has registry version 3, this lazarus-bench reads"),
        ('{"registry": 1}', "is damaged"),
        ('{"registry": 1, "claims": [{"id": "a/b", "trainings": []}]}', "is damaged"),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "registry.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=sentence) as error:
        load_registry(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"region": {"type": "Somewhere"}}, r"dual/vo-36, region is 'Somewhere'"),
        ({"region": {"type": "Control"}}, r"dual/vo-36, region is 'Control'"),
        ({"region": "≥ 0.3"}, r"dual/vo-36, region is '≥ 0.3'"),
        ({"id": "dual/other"}, "what decides dual/vo-36 is of another claim"),
    ],
)
def test_a_claim_that_cannot_be_judged_is_refused(tmp_path, change, sentence):
    data = json.loads(to_text(CLAIMS))
    data["claims"][0]["decides"] |= change
    path = tmp_path / "registry.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UserError, match=rf"is damaged \({sentence}.*export it again, or fix it"):
        load_registry(path)


OLD = registered("fam/a", AtLeast(0.3))
OTHER = "fedcba9876543210"


@pytest.mark.parametrize(
    ("change", "phrases"),
    [
        ({"says": "x"}, ("what it says",)),
        ({"estimand": "x"}, ("estimand",)),
        ({"needs": [{"on": "subject", "recipes": []}]}, ("its trainings",)),
        ({"subjects": []}, ("subjects lab:llama → none",)),
        ({"family_size": 3, "level": 0.9667}, ("family size 2 → 3",)),
        ({"level": 0.9}, ("level 0.95 → 0.9",)),
        ({"test": "x"}, ("the test that reads and judges",)),
        ({"rule": "x", "profiles": {}}, ("the judge's rule", "the profiles' sizes")),
        ({"something_new": 1}, ("something new",)),
        ({"region": AtMost(0.4)}, ("region ≥ 0.3 → ≤ 0.4",)),
        ({}, ("what decides it is written differently",)),
    ],
)
def test_each_difference_has_its_phrase(change, phrases):
    new = registered("fam/a", **{"region": AtLeast(0.3), "digest": OTHER} | change)
    assert differences(OLD, new) == phrases
    assert differences(OLD, OLD) == ()


def test_claims_are_kept_amended_new_or_gone():
    now = (OLD, registered("fam/b", AtLeast(0.1), digest=OTHER), registered("fam/c", AtLeast(0)))
    then = (registered("fam/d", AtLeast(0)), OLD, registered("fam/b", AtLeast(0)))
    found = against(then, now)
    assert {name: status.what for name, status in found.items()} == {
        "fam/a": "as registered",
        "fam/b": "amended",
        "fam/c": "new",
        "fam/d": "gone",
    }
    assert tally(found) == "1 as registered, 1 amended, 1 new, 1 gone"
    lines = list_claims(now, 60, found).splitlines()
    assert [line.split()[0] for line in lines] == ["fam/a", "fam/b", "region", "fam/c", "fam/d"]


@pytest.mark.parametrize("width", [20, 40, 80, 120, 400])
def test_a_listing_fits_the_terminal_and_names_every_claim(width):
    lines = list_claims(CLAIMS, width).splitlines()
    assert len(lines) == len(CLAIMS)
    assert all(len(line) <= width for line in lines)
    if width >= 80:
        assert all(c.digest[:12] in line for c, line in zip(CLAIMS, lines, strict=True))
    if width >= 120:
        assert all("36%" in line for line in lines)


def test_a_listing_of_nothing_is_empty():
    assert list_claims((), 80) == ""
    assert list_claims((), 80, against((replace(OLD),), ())) == "fam/a   gone"
