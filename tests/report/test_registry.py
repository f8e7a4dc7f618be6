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
        ("not json", "is not JSON"),
        ("[]", "is not a registry"),
        ('{"schema": 5}', "is not a registry"),
        ('{"registry": 2, "claims": []}', "has registry version 2, this lazarus-bench reads"),
        ('{"registry": 1}', "is damaged"),
        ('{"registry": 1, "claims": [{"id": "a/b", "trainings": []}]}', "is damaged"),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "registry.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=sentence) as error:
        load_registry(path)
    assert "\n" not in str(error.value)


def test_a_claim_without_a_readable_region_is_refused(tmp_path):
    data = json.loads(to_text(CLAIMS))
    for region in ({"type": "Somewhere"}, {"type": "Control"}, "≥ 0.3"):
        data["claims"][0]["decides"]["region"] = region
        path = tmp_path / "registry.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        with pytest.raises(UserError, match="is damaged"):
            load_registry(path)


def test_a_missing_registry_is_named_with_the_remedy(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.json.*claims export"):
        load_registry(tmp_path / "nowhere.json")


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
    ],
)
def test_each_difference_has_its_phrase(change, phrases):
    new = registered("fam/a", AtLeast(0.3), digest=OTHER, **change)
    assert differences(OLD, new) == phrases


def test_a_difference_that_has_no_words_is_still_told():
    assert differences(OLD, replace(OLD, digest="f" * 64)) == (
        "what decides it is written differently",
    )
    assert differences(OLD, OLD) == ()


def test_a_region_is_told_before_and_after():
    new = registered("fam/a", AtMost(0.4), digest=OTHER)
    assert differences(OLD, new) == ("region ≥ 0.3 → ≤ 0.4",)


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
