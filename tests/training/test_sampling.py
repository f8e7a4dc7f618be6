"""Sampling: answers follow the model's own distribution, and every policy scores them as itself."""

import numpy as np
import pytest
from families import made
from scipy.stats import chisquare
from trainings import log_probs_by_hand

from lazarus_bench.backend import mx
from lazarus_bench.models.anatomy import part
from lazarus_bench.models.untrained import randomise
from lazarus_bench.training.sampling import label_log_probs, sample, scorings

PROMPTS = [(0, 5, 6, 7), (0, 9), (0, 9, 40, 41, 42, 43), (0, 9), (0, 3, 60, 2)]
ENDS = tuple(range(0, 61, 3))
"""So many ends that answers of every length occur."""


def drawn(loaded, prompts=PROMPTS, group=6, tokens=5, seed=(1,), ends=ENDS):
    return sample(
        loaded.model, loaded.anatomy, prompts, group=group, tokens=tokens, ends=ends, seed=seed
    )


def flat(family: str):
    """A model of `family` whose distributions are flat enough for many different answers."""
    loaded = made(family)
    embedding = part(loaded.model, loaded.anatomy.embedding)
    embedding.weight = 0.1 * embedding.weight
    return loaded


# One of every kind of cache, of position and of head.
KINDS = ("gemma2", "gemma3", "gpt2", "gpt_oss", "granite", "llama", "llama4", "olmoe", "phi3")


@pytest.fixture(scope="module", params=KINDS)
def family(request):
    return flat(request.param)


def test_the_sampling_policys_log_probs_are_those_of_a_whole_forward(family):
    samples = drawn(family)
    assert len(set(samples.mask.sum(axis=2).ravel().tolist())) >= 4
    expected = log_probs_by_hand(family.model, samples)
    np.testing.assert_allclose(samples.log_probs, expected, atol=2e-4)


def test_another_policy_scores_every_distinct_answer_as_a_whole_forward_does(family):
    samples, other = drawn(family), randomise(family)
    expected = log_probs_by_hand(other.model, samples)
    seen = np.zeros_like(samples.mask)
    for scoring in scorings(samples):
        found, _ = label_log_probs(other.model, other.anatomy, scoring)
        places = tuple(scoring.places.T)
        np.testing.assert_allclose(np.array(found), expected[places], atol=2e-4)
        assert np.array_equal(np.array(scoring.targets), samples.tokens[places])
        seen[places] = True
    for row, group in enumerate(samples.tokens):
        unique = {tuple(a[m]) for a, m in zip(group, samples.mask[row], strict=True)}
        kept = {tuple(a[m]) for a, m in zip(group, seen[row], strict=True)} - {()}
        assert kept == unique


def test_counts_add_up_to_every_sampled_token():
    samples = drawn(flat("llama"), group=40)
    laid = scorings(samples)
    assert sum(int(scoring.counts.sum()) for scoring in laid) == samples.mask.sum()
    assert sum(len(scoring.counts) for scoring in laid) < samples.mask.sum()


def test_an_answer_ends_with_its_first_end_or_at_the_limit():
    samples = drawn(flat("llama"), group=50)
    lengths = samples.mask.sum(axis=2)
    for index in np.ndindex(lengths.shape):
        answer = samples.tokens[index][: lengths[index]]
        assert samples.mask[index][: lengths[index]].all()
        assert not np.isin(answer[:-1], ENDS).any()
        assert answer[-1] in ENDS or lengths[index] == 5
        assert np.isin(samples.text_tokens(*index, ENDS), ENDS).sum() == 0
    assert (samples.log_probs[~samples.mask] == 0).all()


def test_answers_follow_the_models_distribution():
    loaded = flat("llama")
    samples = drawn(loaded, prompts=PROMPTS[:1], group=20000, tokens=2, ends=())
    logits = np.array(loaded.model(mx.array([PROMPTS[0]])))[0, -1].astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum()
    counts = np.bincount(samples.tokens[0, :, 0], minlength=61)
    assert (expected * 20000 >= 5).all()
    assert chisquare(counts, expected * 20000).pvalue > 1e-3
    first = int(counts.argmax())
    after = np.array(loaded.model(mx.array([[*PROMPTS[0], first]])))[0, -1].astype(np.float64)
    second = np.exp(after) / np.exp(after).sum()
    given = samples.tokens[0, samples.tokens[0, :, 0] == first, 1]
    share = np.bincount(given, minlength=61) / len(given)
    assert np.abs(share - second).max() < 5 * np.sqrt(0.25 / len(given))


def test_draws_repeat_for_a_seed_only():
    loaded = flat("llama")
    first, again, other = (drawn(loaded, seed=seed) for seed in ((1, 2), (1, 2), (1, 3)))
    assert np.array_equal(first.tokens, again.tokens)
    assert np.array_equal(first.log_probs, again.log_probs)
    assert not np.array_equal(first.tokens, other.tokens)
