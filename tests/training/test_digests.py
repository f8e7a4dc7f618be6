"""Digests of the first version's trainings: what it left in a store is found, not made again."""

import json
from pathlib import Path

import pytest

from lazarus_bench import training
from lazarus_bench.jobs.spec import Job
from lazarus_bench.tasks.labelled_data import DataSource
from lazarus_bench.tasks.text_rows import TextSource

PINNED = json.loads(Path(__file__).with_name("digests.json").read_text(encoding="utf-8"))
"""The first digits of the digest of each recipe from scratch with seed 0, as that version had it.

They are the default profile's, and some in which every field has another value than usual.
"""

KNOWN = {name: getattr(training, name) for name in training.__all__}
KNOWN |= {"DataSource": DataSource, "TextSource": TextSource}


@pytest.mark.parametrize("written", PINNED)
def test_a_recipe_has_the_digest_it_always_had(written):
    recipe = eval(written, KNOWN)
    assert Job(recipe=recipe, base=None, seed=0).digest.startswith(PINNED[written])


def test_every_recipe_is_pinned():
    kinds = {eval(written, KNOWN).kind for written in PINNED}
    assert kinds == set(training.known_recipes())


def test_a_job_has_the_digest_it_always_had():
    base = Job(recipe=training.Pretrain(), base=None, seed=3)
    adapter = Job(recipe=training.Sft(), base=base, seed=3)
    fused = Job(recipe=training.Fuse(), base=adapter, seed=3)
    job = Job(recipe=training.DualReward(), base=fused, seed=3, ranks=2)
    assert job.digest.startswith("35d25b633015d7e9")
