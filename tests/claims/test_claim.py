"""`@claim`: a record in the registry, and on the test for the plugin to find."""

import inspect
from dataclasses import replace

import pytest

from lazarus_bench import trained
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


def declare(claim_id, module="test_fam", needs=(), **more):
    def test():
        """It is so.

        a number.
        """

    named = {f"need_{at}": need for at, need in enumerate(needs)}
    space = {"needs": named} | named
    exec(f"def test({', '.join(named)}): ...", space)
    space["test"].__doc__ = test.__doc__
    space["test"].__module__ = module
    finding = FINDING if claim_id == FINDING.claim else replace(FINDING, claim=claim_id)
    return claim.claim(claim_id, AtLeast(0.3), **({"finding": finding} | more))(space["test"])


def test_the_record_is_on_the_test_and_in_the_registry(registry):
    test = declare("fam/one", binary=True, words=("add",))
    record = claim_of(test)
    assert registry.claims["fam/one"] is record
    assert claim_of(lambda: None) is None
    assert (record.test, record.words, record.finding) == (test, ("add",), FINDING)
    assert record.published == FINDING.evidence
    assert record.binary
    assert (record.says, record.estimand) == ("It is so", "a number")


def test_needs_are_the_trainings_among_the_parameters(registry):
    sft, chain = trained(Sft()), trained(Sft(), Fuse())
    declare("fam/one", needs=(sft, {"a": chain, "b": sft}, trained(), trained(instruct=True)))
    assert registry.claims["fam/one"].needs == (sft, chain, trained(instruct=True))


def test_what_is_only_shown_is_trained_too_and_decides_nothing(registry):
    test = declare("fam/one", needs=(trained(Sft()),))
    space = {"other": trained(Sft(rank=4))}
    exec("def shown(other, base, tmp_path): ...", space)
    claim.beside(test)(space["shown"])
    record = registry.claims["fam/one"]
    assert record.needs == (trained(Sft()),)
    assert record.trainings == (trained(Sft()), trained(Sft(rank=4)))
    assert [*inspect.signature(test).parameters] == ["tmp_path"]
    with pytest.raises(UserError, match=r"@beside\(shown\): shown is no claim"):
        claim.beside(space["shown"])


def test_a_docstring_says_the_claim_and_its_estimand(registry):
    def test():
        """It is so."""

    declared = claim.claim("fam/two", AtLeast(0.3), source="a notebook")
    with pytest.raises(UserError, match="the docstring of test must say the claim in one sentence"):
        declared(test)
    test.__doc__ = "It is\nso.\n\nA number,\nno other.\n"
    declared(test)
    record = registry.claims["fam/two"]
    assert (record.says, record.estimand) == ("It is so", "A number, no other")
    assert (record.finding.source, record.published) == ("a notebook", None)


def test_a_family_grows_with_its_claims(registry):
    for name in ("one", "two", "three"):
        declare(f"fam/{name}")
    declare("other/one")
    assert (registry.size("fam"), registry.size("other")) == (3, 1)
    with pytest.raises(ValueError, match="no claim of family sft"):
        registry.size("sft")
    with registry.set_apart():
        assert registry.claims == {}
    assert len(registry.claims) == 4


@pytest.mark.parametrize(
    ("claim_id", "more", "sentence"),
    [
        ("fam/one", {}, "fam/one is registered twice"),
        ("fam/two", {"module": "test_other"}, "family fam lives in test_fam"),
        ("fam/two", {"finding": FINDING}, "fam/two: its finding is that of fam/one"),
        ("fam/two", {"source": "A"}, "fam/two has a finding, which names its source"),
        *((name, {}, "a claim's id reads family/name") for name in ("dual", "/a", "dual/", "")),
    ],
)
def test_a_claim_that_does_not_fit_is_refused(claim_id, more, sentence):
    declare("fam/one")
    with pytest.raises(UserError, match=sentence):
        declare(claim_id, **more)
    assert list(REGISTRY.claims) == ["fam/one"]


@pytest.mark.parametrize(
    ("need", "recipes"),
    [
        (None, ()),
        (Sft(), (Sft(),)),
        (trained(instruct=True), ()),
        (trained(Sft(), instruct=True), (Sft(),)),
        (trained(Sft(), Fuse(), DualReward()), (Sft(), Fuse(), DualReward())),
        (trained(Instruct(), Sft()), (Instruct(), Sft())),
    ],
)
def test_the_recipes_of_a_need_from_the_bottom_up(need, recipes):
    assert recipes_of(need) == recipes


@pytest.mark.parametrize(
    ("recipes", "sentence"),
    [
        ((Sft(), DualReward()), r"SFT LoRA all leaves an adapter: put Fuse\(\) between them"),
        ((Fuse(),), r"fuse starts from a training that leaves an adapter, not from a bare model"),
        ((Sft(), Fuse(), Fuse()), r"leaves an adapter, not from fuse: put it on one"),
    ],
)
def test_a_stage_that_cannot_start_is_refused_at_once(recipes, sentence):
    with pytest.raises(UserError, match=sentence):
        trained(*recipes)


def test_a_quirk_in_what_a_claim_needs_has_to_be_said(registry):
    odd = DualReward(quirks=("sgd",))
    for need in (trained(odd), trained(odd, instruct=True), trained(Sft(), Fuse(), odd)):
        with pytest.raises(UserError) as refusal:
            declare("fam/one", needs=(trained(Sft()), need))
        assert str(refusal.value) == (
            "fam/one needs 'dual reward vo, QUIRK sgd': say quirk='sgd', so that its report names "
            "the defect, or leave the quirk off"
        )
    with pytest.raises(UserError, match="say quirk='sgd'"):
        declare("fam/one", needs=(trained(odd),), quirk="unbounded-kl")
    assert registry.claims == {}
    declare("fam/one", needs=(trained(Sft()), trained(odd)), quirk="sgd")
    assert registry.claims["fam/one"].quirk == "sgd"
