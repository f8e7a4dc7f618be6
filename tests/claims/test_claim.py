"""`@claim`: a record in the registry, and on the test for the plugin to find."""

from dataclasses import replace

import pytest

from lazarus_bench import OnInstruct, Stages
from lazarus_bench.claims import claim, claim_of
from lazarus_bench.claims.claim import REGISTRY, recipes_of
from lazarus_bench.claims.finding import Finding
from lazarus_bench.errors import UserError
from lazarus_bench.judge import AtLeast, Means
from lazarus_bench.training import DualReward, Fuse, Instruct, Sft

FINDING = Finding(claim="fam/one", source="A", evidence=Means(values=((0.1, 0.2),)), note="printed")


@pytest.fixture(autouse=True)
def registry():
    """An empty registry, so that no claim of this process is touched."""
    with REGISTRY.set_apart():
        yield REGISTRY


def declare(claim_id, module="test_fam", **more):
    def test(judge):
        """The test's own docstring."""

    test.__module__ = module
    about = {"says": "It is so.", "estimand": "a number", "region": AtLeast(0.3)}
    finding = FINDING if claim_id == FINDING.claim else replace(FINDING, claim=claim_id)
    return claim.claim(claim_id, **about, **({"finding": finding} | more))(test)


def test_another_claims_finding_is_refused(registry):
    with pytest.raises(UserError, match=r"fam/two: its finding is that of fam/one"):
        declare("fam/two", finding=FINDING)
    assert registry.claims == {}


def test_the_record_is_on_the_test_and_in_the_registry(registry):
    test = declare("fam/one", binary=True, words=("add",))
    record = claim_of(test)
    assert registry.claims["fam/one"] is record
    assert claim_of(lambda judge: None) is None
    assert (record.test, record.words, record.finding) == (test, ("add",), FINDING)
    assert (record.source, record.published) == (FINDING.source, FINDING.evidence)
    assert record.published_note == "printed"
    assert record.binary
    assert test.__doc__ == "The test's own docstring."


@pytest.mark.parametrize(
    ("needs", "kept"),
    [
        ((), ()),
        (Sft(), (Sft(),)),
        ((Sft(), None), (Sft(), None)),
        (None, (None,)),
        (Stages(recipes=(Sft(), Fuse())), (Stages(recipes=(Sft(), Fuse())),)),
    ],
)
def test_needs_are_a_tuple(registry, needs, kept):
    declare("fam/one", needs=needs)
    assert registry.claims["fam/one"].needs == kept


def test_a_family_grows_with_its_claims(registry):
    for name in ("one", "two", "three"):
        declare(f"fam/{name}")
    declare("other/one")
    assert (registry.size("fam"), registry.size("other")) == (3, 1)


@pytest.mark.parametrize(
    ("claim_id", "module", "sentence"),
    [
        ("fam/one", "test_fam", r"fam/one is registered twice"),
        ("fam/two", "test_other", r"family fam lives in test_fam"),
    ],
)
def test_a_second_home_or_a_taken_id_is_refused(claim_id, module, sentence):
    declare("fam/one")
    with pytest.raises(UserError, match=sentence):
        declare(claim_id, module)
    assert list(REGISTRY.claims) == ["fam/one"]


@pytest.mark.parametrize(
    ("need", "recipes"),
    [
        (None, ()),
        (Sft(), (Sft(),)),
        (OnInstruct(recipe=None), ()),
        (OnInstruct(recipe=Sft()), (Sft(),)),
        (Stages(recipes=(Sft(), Fuse(), DualReward())), (Sft(), Fuse(), DualReward())),
        (Stages(recipes=(Instruct(), Sft())), (Instruct(), Sft())),
    ],
)
def test_the_recipes_of_a_need_from_the_bottom_up(need, recipes):
    assert recipes_of(need) == recipes


@pytest.mark.parametrize(
    ("recipes", "sentence"),
    [
        ((), r"Stages\(recipes=\(\)\) has no stage"),
        ((Sft(), DualReward()), r"SFT LoRA all leaves an adapter: put Fuse\(\) between them"),
        ((Fuse(),), r"fuse starts from a training that leaves an adapter, not from a bare model"),
        ((Sft(), Fuse(), Fuse()), r"leaves an adapter, not from fuse: put it on one"),
    ],
)
def test_a_stage_that_cannot_start_is_refused_at_once(recipes, sentence):
    with pytest.raises(UserError, match=sentence):
        Stages(recipes=recipes)


def test_a_quirk_in_what_a_claim_needs_has_to_be_said(registry):
    odd = DualReward(quirks=("sgd",))
    for need in (odd, OnInstruct(recipe=odd), Stages(recipes=(Sft(), Fuse(), odd))):
        with pytest.raises(UserError) as refusal:
            declare("fam/one", needs=(Sft(), need))
        assert str(refusal.value) == (
            "fam/one needs 'dual reward vo, QUIRK sgd': say quirk='sgd', so that its report names "
            "the defect, or leave the quirk off"
        )
    with pytest.raises(UserError, match="say quirk='sgd'"):
        declare("fam/one", needs=odd, quirk="unbounded-kl")
    assert registry.claims == {}
    declare("fam/one", needs=(Sft(), odd), quirk="sgd")
    assert registry.claims["fam/one"].quirk == "sgd"


@pytest.mark.parametrize("name", ["dual", "/a", "dual/", ""])
def test_an_id_names_its_family(name):
    with pytest.raises(UserError, match="family/name"):
        declare(name)


def test_a_family_of_no_claim_has_no_size(registry):
    with pytest.raises(ValueError, match="no claim of family sft"):
        registry.size("sft")
