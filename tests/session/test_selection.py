"""Claims chosen by name, and what is asked of which model, as pytest collects it."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_bench.errors import UserError
from lazarus_bench.session.judging import matches, put_to_models, select

WORD = st.text("ab/[]-*.", min_size=1, max_size=6)


@dataclass
class Named:
    """The part of a claim that choosing reads."""

    id: str
    subjects: tuple[str, ...] = ("lab:llama",)

    @property
    def family(self):
        return self.id.partition("/")[0]


CLAIMS = [
    Named("dual/loss-falls"),
    Named("grpo-dual/loss-falls", ("lab:llama", "lab:granite")),
    Named("grpo-dual/collapses[balanced]"),
    Named("audit/d0", ()),
]


def ids(*wanted):
    return [claim.id for claim in select(CLAIMS, wanted)]


def test_a_name_means_an_id_a_family_or_a_pattern():
    assert ids("dual") == ids("dual/loss-falls") == ["dual/loss-falls"]
    assert ids("*/loss-falls") == ["dual/loss-falls", "grpo-dual/loss-falls"]
    assert ids("grpo-dual/collapses") == ids("grpo-dual/*[balanced]")
    assert ids("grpo-dual/*[balanced]") == ["grpo-dual/collapses[balanced]"]
    assert ids() == [claim.id for claim in CLAIMS]
    assert ids("audit", "dual") == ["dual/loss-falls", "audit/d0"]


@given(WORD)
def test_an_id_means_itself_whatever_is_in_it(name):
    assert matches(name, name)


@given(WORD.filter(lambda word: "*" not in word), WORD)
def test_without_a_star_only_the_id_its_beginning_or_its_family_is_meant(wanted, name):
    meant = {name, *(name.partition(mark)[0] for mark in "/[")}
    assert matches(name, wanted) == (wanted in meant)


def test_a_name_that_means_nothing_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="is called dual/los-falls; the nearest are dual/loss-fal"):
        select(CLAIMS, ["dual/los-falls"])
    with pytest.raises(UserError, match="no claim and no family is called duel; the nearest are d"):
        select(CLAIMS, ["duel"])


def asked(models=(), profile="default"):
    return [
        (one.claim.id, one.subject, one.family_size)
        for one in put_to_models(select(CLAIMS, ["*falls", "audit"]), CLAIMS, models, profile)
    ]


def test_a_claim_is_put_to_what_the_profile_asks_or_to_the_models_named():
    both = [("grpo-dual/loss-falls", "lab:llama", 3), ("grpo-dual/loss-falls", "lab:granite", 3)]
    assert asked() == [("dual/loss-falls", "lab:llama", 1), *both]
    assert asked(profile="smoke") == [("dual/loss-falls", "lab:llama", 1), both[0]]
    assert asked(models=("mine", "mine")) == [
        ("dual/loss-falls", "mine", 1),
        ("grpo-dual/loss-falls", "mine", 3),
    ]
