"""The writeups' experiments against the registered claims."""

from pathlib import Path

import pytest

from hypotheses.experiments import EXPERIMENTS, PAGES
from lazarus_bench.claims.claim_files import read_claims
from lazarus_bench.claims.experiments import read_experiments
from lazarus_bench.session.experiments import experiment_named, keys_of
from lazarus_bench.session.judging import matches

HYPOTHESES = Path(__file__).resolve().parents[2] / "hypotheses"
LETTERS = {page: letter for letter, page in PAGES.items()}
ELSEWHERE = ("audit", "beyond", "explain", "intervention", "parts", "passages")
"""Families on the writeups' numbers, on what they did not ask, on defects of their source, on what
they left open, and on passages, or parts of them, that no list of theirs has."""


@pytest.fixture(scope="module")
def claims():
    return read_claims(HYPOTHESES)


def test_every_claim_of_the_writeups_belongs_to_an_experiment(claims):
    patterns = [pattern for experiment in EXPERIMENTS for pattern in experiment.claims]
    for pattern in patterns:
        assert any(matches(claim.id, pattern) for claim in claims), pattern
    lost = [c.id for c in claims if not any(matches(c.id, pattern) for pattern in patterns)]
    assert {name.partition("/")[0] for name in lost} <= set(ELSEWHERE)


def test_an_experiments_claims_cite_its_writeup(claims):
    for experiment in EXPERIMENTS:
        assert experiment.source in LETTERS
        own = [c for c in claims if any(matches(c.id, p) for p in experiment.claims)]
        for claim in own:
            letters = {part.strip().partition(",")[0] for part in claim.finding.source.split(";")}
            assert LETTERS[experiment.source] in letters, (experiment.name, claim.id)


def test_names_and_aliases_mean_one_experiment():
    names = [name for e in EXPERIMENTS for name in (e.name, *e.aliases)]
    assert len(names) == len(set(names))
    assert experiment_named("experiment_agnews_7b", EXPERIMENTS).name == "engram_agnews"


def test_every_section_has_keys():
    for experiment in EXPERIMENTS:
        for kind in experiment.sections.values():
            assert "learning_rate" in keys_of(kind)


def test_they_are_found_beside_the_claims():
    assert [one.name for one in read_experiments(HYPOTHESES)] == [one.name for one in EXPERIMENTS]
