"""Claims drawn up for the registry: what is in a digest, and what a changed file is refused for."""

import dataclasses
import json
from dataclasses import replace

import pytest

from lazarus_bench import trained
from lazarus_bench.claims import profiles, registration
from lazarus_bench.claims.claim import REGISTRY, Claim
from lazarus_bench.claims.finding import Finding
from lazarus_bench.digests import digest_of
from lazarus_bench.errors import UserError
from lazarus_bench.judge import AtLeast, AtMost, Means
from lazarus_bench.report.registry import amended, by_id, draw_up, read_registered, to_text
from lazarus_bench.report.schema import UNREGISTERED
from lazarus_bench.training import Fuse, Sft

PUBLISHED = Means(values=((0.5, 0.6),))


def drawn_up(region=None, *, others=0, evidence=PUBLISHED, note="", source="A", **more):
    """The registry's entry of a claim "fam/one" with `others` in its family."""

    def body():
        return 1

    about = {"says": "A statement", "estimand": "a number", "subjects": ("lab:llama",)} | more
    with REGISTRY.set_apart():
        for name in ("one", *map(str, range(others))):
            finding = Finding(claim=f"fam/{name}", source=source, evidence=evidence, note=note)
            about |= {"id": f"fam/{name}", "region": region or AtLeast(0.3), "finding": finding}
            REGISTRY.register(Claim(**about, test=body))
        return draw_up(REGISTRY.claims["fam/one"], REGISTRY.size("fam"))


DECIDES = {
    "says": {"says": "Another."},
    "estimand": {"estimand": "another number"},
    "region": {"region": AtMost(0.3)},
    "edge": {"region": AtLeast(0.31)},
    "subjects": {"subjects": ()},
    "needs": {"needs": (trained(Sft()),)},
    "words": {"words": ("add",)},
    "binary": {"binary": True},
    "difference": {"difference": True},
    "exploratory": {"exploratory": True},
    "published": {"evidence": Means(values=((0.5, 0.61),))},
    "no published number": {"evidence": None},
    "family": {"others": 1},
}


@pytest.mark.parametrize("change", DECIDES.values(), ids=DECIDES)
def test_everything_that_decides_is_in_the_digest(change):
    assert drawn_up(**change).digest != drawn_up().digest


def test_needs_count_with_their_fields_and_what_they_stand_on():
    recipes = (), (Sft(),), (Sft(rank=4),), (Sft(), Fuse()), (Sft(),)
    needs = [*(trained(*chain) for chain in recipes), trained(Sft(), instruct=True)]
    digests = [drawn_up(needs=(need,)).digest for need in needs]
    assert len(set(digests)) == len(needs) - 1
    assert digests[4] == digests[1], "the same recipe"


def test_profiles_count(monkeypatch):
    before = drawn_up().digest
    more = replace(profiles.PROFILES["default"], seeds=6)
    monkeypatch.setitem(registration.PROFILES, "default", more)
    assert drawn_up().digest != before


def test_neither_notes_nor_sources_nor_the_spelling_of_an_edge_decide():
    assert drawn_up(note="doubtful", source="B").digest == drawn_up().digest
    assert drawn_up(AtLeast(0)).digest == drawn_up(AtLeast(0.0)).digest


def test_every_field_of_a_claim_is_weighed_or_known_to_decide_nothing():
    decided = set(drawn_up().decides)
    # A finding's evidence counts as "published", data where there are any.
    nothing = {"finding", "shown", "data"}
    assert {field.name for field in dataclasses.fields(Claim)} <= decided | nothing


def test_a_registry_reads_back_and_is_refused_once_changed_by_hand(tmp_path):
    entry = drawn_up(needs=(trained(Sft()), trained(Sft(learning_rate=3e-5), instruct=True)))
    assert entry.digest == digest_of(entry.decides)
    file = tmp_path / "registry.json"
    file.write_text(to_text([entry]), encoding="utf-8")
    assert read_registered(tmp_path) == {"fam/one": entry}
    data = json.loads(to_text([entry]))
    data["claims"][0]["decides"]["region"]["x"] = 0.2
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UserError, match=r"registry\.json says of fam/one what its digest"):
        by_id(file)


def test_a_claim_is_compared_with_its_registration(tmp_path):
    now = drawn_up(AtLeast(0.4))
    assert read_registered(tmp_path) is None
    assert amended(now, None) == ()
    assert amended(now, {}) == (UNREGISTERED,)
    assert amended(now, {"fam/one": now}) == ()
    assert amended(now, {"fam/one": drawn_up()}) == ("region ≥ 0.3 → ≥ 0.4",)
