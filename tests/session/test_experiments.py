"""Experiments by name, and their settings against what claims' recipes register."""

from dataclasses import replace

import pytest

from lazarus_bench import trained
from lazarus_bench.claims.claim import Claim
from lazarus_bench.claims.experiments import Experiment
from lazarus_bench.claims.finding import Finding
from lazarus_bench.errors import UserError
from lazarus_bench.judge import AtLeast
from lazarus_bench.session.experiments import experiment_named, having, settings_of, trains
from lazarus_bench.training import DualReward, Fuse, Sft

TWO = Experiment(
    name="two_stage",
    aliases=("first", "second"),
    source="a paper",
    section="Results",
    does="trains twice",
    claims=("two-stage/*",),
    sections={"stage1": "sft", "stage2": "dual_reward"},
)


def test_an_experiment_is_found_by_its_name_or_an_alias():
    other = replace(TWO, name="engram", aliases=())
    assert experiment_named("second", (other, TWO)) is TWO
    with pytest.raises(UserError, match="no experiment is called engrams; the nearest are engram"):
        experiment_named("engrams", (other, TWO))


def claim(name, *needs):
    return Claim(
        id=f"two-stage/{name}",
        says="",
        estimand="",
        region=AtLeast(0),
        finding=Finding(claim=f"two-stage/{name}", source="D", evidence=None, note=""),
        subjects=("lab:llama",),
        needs=needs,
    )


FIRST = Sft(rank=16, scale=2.0, checkpoints=(0, 500))
LIGHT = DualReward(rank=8, weight=0.5, learning_rate=5e-5)
HEAVY = replace(LIGHT, weight=0.8, steps=200)
ALONE = claim("alone", trained(FIRST, Fuse()))
FIFTY = claim("fifty", trained(FIRST, Fuse(), LIGHT))
TWENTY = claim("twenty", trained(FIRST, Fuse(), HEAVY))
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
        ({"stage1": 500}, "two_stage has no section 'stage1' with settings"),
    ],
)
def test_settings_that_nothing_has_are_refused(config, sentence):
    with pytest.raises(UserError, match=sentence):
        chosen(config)


def test_a_claim_trains_or_only_reads():
    assert trains(ALONE)
    assert not trains(BARE)
