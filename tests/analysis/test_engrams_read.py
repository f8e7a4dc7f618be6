"""Engram readings: each text alone, in its order, whatever else is read beside it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, adjusted_rand_score, silhouette_score
from sklearn.metrics.pairwise import cosine_similarity

from lazarus_bench.analysis import engrams
from lazarus_bench.analysis.engrams import bootstrap, cluster, cosines, read_engrams, silhouettes
from lazarus_bench.analysis.geometry import cluster_separation
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.engram import TrainedEngram, load_engram, read_texts
from lazarus_bench.models.texts import collate_texts, encode_texts
from lazarus_bench.tasks.labelled import Labelled
from lazarus_bench.tasks.labelled_data import DataSource, read_data
from lazarus_bench.training import Engram

DATA = DataSource(name="topics", train=32, validation=30)
TEXTS = read_data(DATA).validation
LABELS = st.lists(st.integers(0, 2), min_size=4, max_size=25).map(
    lambda some: [0, 0, 1, 1, 2, 2, *some]
)
VALUES = st.floats(-1, 1).map(lambda x: round(x, 3))


def trained(base: Path, out: Path, **settings: object) -> TrainedEngram:
    spec = Engram(data=DATA, epochs=2, batch=8, rank=2, learning_rate=1e-2, **settings)
    spec.train(base, out, 0, show=False)
    return load_engram(base, out)


@pytest.fixture(scope="module")
def fed_back(tiny, tmp_path_factory) -> TrainedEngram:
    return trained(tiny, tmp_path_factory.mktemp("engram"))


@pytest.fixture(scope="module")
def dual(tiny, tmp_path_factory) -> TrainedEngram:
    return trained(tiny, tmp_path_factory.mktemp("dual"), engram=False, max_length=7)


def alone(found: TrainedEngram, text: Labelled, prefix: mx.array | None) -> tuple[mx.array, ...]:
    encoded = encode_texts(found.loaded, [text], "text", found.settings.max_length)
    read = read_texts(found.model, found.loaded.anatomy, collate_texts(encoded), prefix)
    return np.array(read.logits)[0], np.array(read.engrams)[0], read.engrams


@pytest.mark.parametrize("limit", [1, 40, 4096])
def test_a_text_is_read_as_it_is_alone_and_with_a_zero_engram(fed_back, monkeypatch, limit):
    monkeypatch.setattr(engrams, "MAX_TOKENS", limit)
    reading = read_engrams(fed_back, TEXTS)
    assert reading.engram.shape == (30, 128)
    assert reading.label.tolist() == [text.label for text in TEXTS]
    for row in (0, 7, 29):
        logits, made, _ = alone(fed_back, TEXTS[row], mx.zeros((1, 128)))
        np.testing.assert_allclose(reading.engram[row], made, atol=1e-5)
        assert reading.predicted[row] == logits.argmax()


def test_its_own_engram_is_fed_back_on_demand(tiny, tmp_path):
    loud = trained(tiny, tmp_path)
    # So that what is fed decides what is predicted.
    loud.model.heads.project.weight = 100 * loud.model.heads.project.weight
    zero, own = read_engrams(loud, TEXTS), read_engrams(loud, TEXTS, fed="own")
    assert np.array_equal(zero.engram, own.engram)
    assert not np.array_equal(zero.predicted, own.predicted)
    for text, predicted in zip(TEXTS, own.predicted, strict=True):
        _, _, made = alone(loud, text, mx.zeros((1, 128)))
        logits, _, _ = alone(loud, text, made)
        assert predicted == logits.argmax()


def test_a_model_without_an_engram_has_no_prefix(dual):
    reading = read_engrams(dual, TEXTS)
    for row, text in enumerate(TEXTS):
        logits, made, _ = alone(dual, text, None)
        np.testing.assert_allclose(reading.engram[row], made, atol=1e-5)
        assert reading.predicted[row] == logits.argmax()
    with pytest.raises(UserError, match="trained without an engram"):
        read_engrams(dual, TEXTS, fed="own")


def test_texts_are_cut_as_in_training_and_marked(dual):
    own = [len(dual.loaded.encode(text.text)) - 1 for text in TEXTS]
    reading = read_engrams(dual, TEXTS)
    assert reading.cut.tolist() == [length > 7 for length in own]
    assert 0 < reading.cut.sum() < 30


def test_no_text_is_one_sentence(fed_back):
    with pytest.raises(UserError, match="engrams need one text or more"):
        read_engrams(fed_back, [])
    with pytest.raises(UserError, match="text 2 is empty"):
        read_engrams(fed_back, [TEXTS[0], Labelled(text="", label=0)])


def blobs(sizes, apart=4.0, width=6, seed=0):
    """Gaussian classes of these sizes, `apart` along an axis of their own each."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return apart * np.eye(len(sizes), width)[labels] + rng.normal(size=(len(labels), width)), labels


@given(LABELS, st.data())
def test_cosines_are_those_of_every_pair(labels, data):
    vectors = data.draw(arrays(np.float64, (len(labels), 3), elements=VALUES))
    labels, found = np.array(labels), cosines(vectors, labels)
    every = cosine_similarity(vectors)
    pairs = ~np.eye(len(labels), dtype=bool)
    same = labels[:, None] == labels
    for c in range(3):
        own = every[(labels == c)[:, None] & same & pairs]
        assert found.within[c] == pytest.approx(own.mean(), abs=1e-9)
    assert found.between == pytest.approx(every[~same].mean(), abs=1e-9)


def test_centred_cosines_are_those_of_the_hidden_states_geometry():
    vectors, labels = blobs((9, 12, 15))
    separation = cluster_separation(vectors[:, None], labels)[0]
    assert cosines(vectors, labels, centred=True).gap == pytest.approx(separation, abs=1e-9)


def test_cosines_of_many_texts_need_no_table_of_pairs():
    vectors, labels = blobs((30_000, 30_000), width=4)
    assert cosines(vectors, labels).gap > 0


@settings(max_examples=10)
@given(st.floats(0, 5), st.integers(0, 100))
def test_accuracy_purity_and_rand_index_are_scikit_learns(apart, seed):
    vectors, labels = blobs((20, 30, 25), apart=apart, seed=seed)
    found = cluster(vectors, labels)
    assert found.hits.mean() == accuracy_score(labels, found.found)
    assert found.rand_index == pytest.approx(adjusted_rand_score(labels, found.found))
    for c in range(3):
        assert found.purity[c] == (labels[found.found == c] == c).mean()


def test_the_matching_is_the_best_one_even_where_one_class_fills_two_clusters():
    vectors = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [9.0], [9.1], [9.2]])
    found = cluster(vectors, [0, 0, 1, 0, 1, 2, 2, 2])
    assert sorted(set(found.found)) == [0, 1, 2]
    assert found.hits.sum() == 6
    vectors = np.array([[0.0], [0.1], [5.0], [5.1], [9.0], [9.1]])
    found = cluster(vectors, [0, 0, 0, 1, 1, 0])
    assert found.hits.sum() == 4


def test_silhouettes_are_exact_where_they_fit_and_close_where_they_are_drawn():
    vectors, labels = blobs((600, 300, 600))
    whole = silhouettes(vectors, labels)
    assert whole.mean() == pytest.approx(silhouette_score(vectors, labels))
    some = silhouettes(vectors, labels, most=500)
    assert len(some) == 500
    assert some.mean() == pytest.approx(whole.mean(), abs=0.03)
    by_class = np.argsort(labels)
    some = silhouettes(vectors[by_class], labels[by_class], most=500)
    assert some.mean() == pytest.approx(whole.mean(), abs=0.03)


def test_resamples_are_paired_by_seed_and_scatter_around_the_statistic():
    vectors, labels = blobs((40, 60), apart=2.5)
    one, again = (bootstrap(vectors, labels, draws=count, seed=3) for count in (60, 5))
    assert one.rand_index[:5].tolist() == again.rand_index.tolist()
    found = cluster(vectors, labels)
    for draws, value in (
        (one.rand_index, found.rand_index),
        (one.accuracy, found.hits.mean()),
        (one.gap, cosines(vectors, labels).gap),
    ):
        assert draws.std() > 0
        assert abs(draws.mean() - value) < 3 * draws.std()
    assert one.purity.shape == (60, 2)


def test_k_means_is_fitted_anew_in_each_resample():
    """The corners of a rectangle: its lower half is a cluster, whatever the seed of k-means.

    In a resample it may be its left half, as the corners are then of different weight. So neither
    one fit for all resamples nor another seed for each gives both.
    """
    vectors = np.repeat([[0.0, 0.0], [0.0, 1.02], [1.0, 0.0], [1.0, 1.02]], 10, axis=0)
    labels = np.repeat([0, 0, 1, 1], 10)
    assert max(cluster(vectors, labels, seed).rand_index for seed in range(40)) < 0.1
    found = bootstrap(vectors, labels, draws=40).rand_index
    assert found.max() == 1
    assert found.min() < 0.1


def test_a_resample_with_fewer_different_vectors_than_classes_has_no_cluster_for_one():
    """It was a purity of NaN, of which no interval can be made, and a warning for each."""
    vectors = np.tile([0.3, 0.2, 0.1], (40, 1))
    vectors[0] = [1.0, -1.0, 0.0]
    found = bootstrap(vectors, np.repeat([0, 1], 20), draws=40)
    assert np.isfinite(found.purity).all()
    assert (found.rand_index[(found.purity == 0).any(axis=1)] == 0).all()
    assert 0 < (found.purity == 0).any(axis=1).sum() < 40
