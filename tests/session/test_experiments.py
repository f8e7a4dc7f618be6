"""The writeups' experiments against the registered claims, and settings against recipes."""

from dataclasses import replace
from pathlib import Path

import pytest

from lazarus_bench.claims.claim import Stages
from lazarus_bench.claims.claim_files import read_records
from lazarus_bench.errors import UserError
from lazarus_bench.judge import AtLeast, Claim
from lazarus_bench.published.experiments import EXPERIMENTS, PAGES
from lazarus_bench.session.experiments import experiment_named, having, keys_of, settings_of, trains
from lazarus_bench.session.selection import matches
from lazarus_bench.training import DualReward, Fuse, Sft

HYPOTHESES = Path(__file__).resolve().parents[2] / "hypotheses"
ELSEWHERE = ("audit", "explain", "intervention", "parts", "passages")
"""Families on the writeups' numbers, on defects of their source, on what they left open, and on
passages, or parts of them, that no list of theirs has."""

TWO = experiment_named("two_stage_classifier")


@pytest.fixture(scope="module")
def claims():
    return read_records(HYPOTHESES)


def test_every_claim_of_the_writeups_belongs_to_an_experiment(claims):
    patterns = [pattern for experiment in EXPERIMENTS for pattern in experiment.claims]
    for pattern in patterns:
        assert any(matches(claim.id, pattern) for claim in claims), pattern
    lost = [c.id for c in claims if not any(matches(c.id, pattern) for pattern in patterns)]
    assert {name.partition("/")[0] for name in lost} <= set(ELSEWHERE)


def test_an_experiments_claims_cite_its_writeup(claims):
    for experiment in EXPERIMENTS:
        assert experiment.writeup in PAGES
        own = [c for c in claims if any(matches(c.id, p) for p in experiment.claims)]
        for claim in own:
            letters = {part.strip().partition(",")[0] for part in claim.source.split(";")}
            assert experiment.writeup in letters, (experiment.name, claim.id, claim.source)


def test_names_and_aliases_mean_one_experiment():
    names = [name for e in EXPERIMENTS for name in (e.name, *e.aliases)]
    assert len(names) == len(set(names))
    assert experiment_named("experiment_agnews_7b").name == "engram_agnews"
    with pytest.raises(UserError, match="no experiment is called engrams; the nearest are engram"):
        experiment_named("engrams")


def test_every_section_has_keys():
    for experiment in EXPERIMENTS:
        for kind in experiment.sections.values():
            assert "learning_rate" in keys_of(kind)


def claim(name, *needs):
    return Claim(
        id=f"two-stage/{name}",
        says="",
        estimand="",
        source="D",
        region=AtLeast(0),
        subjects=("lab:llama",),
        needs=needs,
    )


FIRST = Sft(rank=16, scale=2.0, checkpoints=(0, 500))
LIGHT = DualReward(rank=8, weight=0.5, learning_rate=5e-5)
HEAVY = replace(LIGHT, weight=0.8, steps=200)
ALONE = claim("alone", Stages(recipes=(FIRST, Fuse())))
FIFTY = claim("fifty", Stages(recipes=(FIRST, Fuse(), LIGHT)))
TWENTY = claim("twenty", Stages(recipes=(FIRST, Fuse(), HEAVY)))
BOTH = claim("both", *FIFTY.needs, *TWENTY.needs)
BARE = claim("bare")
CLAIMS = (ALONE, FIFTY, TWENTY, BOTH, BARE)


def chosen(config):
    found = having(CLAIMS, settings_of(TWO, config))
    return [c.id.partition("/")[2] for c in found]


def test_settings_keep_the_claims_whose_trainings_have_them():
    assert chosen({}) == ["alone", "fifty", "twenty", "both", "bare"]
    assert chosen({"stage1": {"max_steps": 500, "lora": {"rank": 16, "alpha": 32}}}) == chosen({})
    assert chosen({"stage2": {"classifier_weight": 0.5}}) == ["alone", "fifty", "both", "bare"]
    assert chosen({"stage2": {"max_steps": 200}}) == ["alone", "twenty", "both", "bare"]
    assert chosen({"stage2": {"lora": {"alpha": 16.0}, "learning_rate": 0.00005}}) == chosen({})


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"stage2": {"max_steps": 200, "classifier_weight": 0.5}}, "no registered training has"),
        ({"stage2": {"max_steps": "500"}}, "stage2.max_steps 500 is not what the claims regist"),
        ({"stage1": {"lora": {"rank": 8}}}, "stage1.lora.rank 8 is not .* which is 16: a train"),
        ({"stage1": {"lora": {"dropout": 8}}}, "stage1.lora.dropout is no setting here: choose"),
        ({"stage1": 500}, "two_stage_classifier has no section 'stage1' with settings"),
    ],
)
def test_settings_that_nothing_has_are_refused(config, sentence):
    with pytest.raises(UserError, match=sentence):
        chosen(config)


def test_a_claim_trains_or_only_reads():
    assert trains(ALONE)
    assert not trains(BARE)
