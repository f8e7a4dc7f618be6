"""Engrams: what the bottleneck keeps of each text, and how well it sets the classes apart.

The clusters' functions take vectors `[text, d]` and labels `[text]`, the classes counted from 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, silhouette_samples
from sklearn.metrics.cluster import contingency_matrix

from lazarus_bench.analysis.geometry import unit
from lazarus_bench.analysis.measured import Bools, EvaluatedHits, Floats, Ints, Measured
from lazarus_bench.backend import mx
from lazarus_bench.errors import UserError
from lazarus_bench.models.engram import TrainedEngram, load_engram, read_texts
from lazarus_bench.models.texts import EncodedText, collate_texts, encode_texts
from lazarus_bench.tasks.labelled import Labelled
from lazarus_bench.tasks.labelled_data import read_data

Fed = Literal["zero", "own"]

MAX_TOKENS = 4096
"""Most positions of one forward, padding included."""

STARTS = 4
"""k-means++ starts, of which the closest fit counts; a resample is fitted with as many."""

DRAWS = 1999
"""Bootstrap samples: the sixth from either end is a limit at a tail of 0.003, which a family of
fifteen claims asks, and the first at 0.00067, which five conditions at once ask there."""

LEAST_TO_RESAMPLE = 10
"""Texts of a class below which a resample could be one text over and over."""

SILHOUETTES = 2000
"""Texts whose silhouettes are taken: their distances to one another then fit 32 MB."""


@dataclass(frozen=True, kw_only=True)
class EngramReading:
    """What one model says of texts, in their order.

    `label` and `predicted` `[text]` are classes, `engram` `[text, width]` the bottleneck's values
    in (−1, 1), and `cut` `[text]` whether the text was longer than the training's `max_length`.
    """

    label: Ints
    predicted: Ints
    engram: Floats
    cut: Bools

    @property
    def correct(self) -> EvaluatedHits:
        """Whether each prediction is right `[text]`."""
        return np.asarray(self.predicted == self.label)


def read_engrams(
    trained: TrainedEngram, texts: Sequence[Labelled], fed: Fed = "zero"
) -> EngramReading:
    """Read `texts` with a trained model, without dropout.

    A model with an engram (3) is read as the first half of every training batch was, with a zero
    engram as prefix. Neither the methods nor the source say what is fed at evaluation. Zero is the
    only prefix that the training knows for a text on its own: engrams were fed to other texts than
    theirs. It is also how the engrams that were fed were made, and it leaves each reading a
    function of its text alone. With `fed="own"` the classifier reads each text a second time behind
    its own engram, which no training does; `engram` is what was fed.

    Raises:
        UserError: there is no text, one is empty or does not fit the context, or the model feeds no
            engram.
    """
    if not texts:
        raise UserError(f"{trained.loaded.name}: engrams need one text or more")
    if fed == "own" and not trained.settings.engram:
        raise UserError(f"{trained.loaded.name} was trained without an engram: read it without one")
    settings, model, anatomy = trained.settings, trained.model, trained.loaded.anatomy
    encoded = encode_texts(trained.loaded, texts, "text", settings.max_length)
    logits = np.empty((len(texts), len(settings.classes)))
    engrams = np.empty((len(texts), settings.engram_width))
    for rows in _chunks(encoded):
        batch = collate_texts([encoded[row] for row in rows])
        zero = model.heads.no_engrams(batch.last.size) if settings.engram else None
        first = last = read_texts(model, anatomy, batch, zero)
        if fed == "own":
            last = read_texts(model, anatomy, batch, first.engrams)
        mx.eval(last.logits, first.engrams)
        logits[rows] = np.array(last.logits, dtype=np.float64)
        engrams[rows] = np.array(first.engrams, dtype=np.float64)
    return EngramReading(
        label=np.array([text.label for text in texts], dtype=np.int64),
        predicted=logits.argmax(axis=1),
        engram=engrams,
        cut=np.array([text.cut for text in encoded]),
    )


def _chunks(texts: Sequence[EncodedText]) -> Iterator[list[int]]:
    """Indices of texts of similar length, as many as fit a forward."""
    rows: list[int] = []
    for row in sorted(range(len(texts)), key=lambda i: len(texts[i].tokens)):
        if rows and (len(rows) + 1) * len(texts[row].tokens) > MAX_TOKENS:
            yield rows
            rows = []
        rows.append(row)
    yield rows


def engrams(run: Measured, fed: Fed = "zero") -> EngramReading:
    """`read_engrams` of the evaluation examples of what the run was trained on."""
    texts = read_data(run.data_source).validation
    return read_engrams(load_engram(run.directory, run.made), texts, fed)


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """As many clusters as classes, each matched to a class of its own.

    Attributes:
        label: the texts' classes `[text]`.
        found: the class that each text's cluster is matched to `[text]`.
        rand_index: adjusted Rand index of clusters and classes.
    """

    label: Ints
    found: Ints
    rand_index: float

    @property
    def hits(self) -> Bools:
        """Whether a text lies in its own class's cluster `[text]`; its mean is the accuracy."""
        return np.asarray(self.found == self.label)

    @property
    def purity(self) -> Floats:
        """Share of the texts in each class's cluster that are of the class `[class]`.

        0 where there is no such cluster: a resample may have fewer different vectors than classes.
        """
        classes = int(self.label.max()) + 1
        sizes = np.bincount(self.found, minlength=classes)
        right = np.bincount(self.found[self.hits], minlength=classes)
        return np.asarray(right / np.maximum(sizes, 1))


def cluster(vectors: npt.ArrayLike, labels: npt.ArrayLike, seed: int = 0) -> Clusters:
    """Fit k-means with as many clusters as classes, and match each cluster to a class.

    Euclidean k-means, the best of several k-means++ starts. The adjusted Rand index is Hubert and
    Arabie's, J. Classification 2 (1985). The matching maximises the texts in their own class's
    cluster (Kuhn, Naval Research Logistics 2, 1955).

    Raises:
        UserError: fewer than two classes, a class without a text, a vector that is not finite, or
            fewer different vectors than classes.
    """
    given, classes = _checked(vectors, labels)
    fitted = _fitted(given, np.ones(len(classes)), int(classes.max()) + 1, seed)
    return _matched(fitted, classes)


def _checked(vectors: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Floats, Ints]:
    given = np.asarray(vectors, dtype=np.float64)
    classes = np.asarray(labels, dtype=np.int64)
    counts = np.bincount(classes)
    if len(counts) < 2 or counts.min() < 2:
        raise UserError("clusters need two classes of two texts each: give more examples")
    if not np.isfinite(given).all():
        raise UserError("an engram is not finite: the training diverged, so lower its rate")
    if len(np.unique(given, axis=0)) < len(counts):
        raise UserError(
            f"the engrams of all texts take fewer than {len(counts)} different values, so they "
            f"have no clusters to find: train longer, or with another seed"
        )
    return given, classes


def _fitted(vectors: Floats, weights: Floats, clusters: int, seed: int) -> Ints:
    model = KMeans(clusters, n_init=STARTS, random_state=seed)
    with warnings.catch_warnings():
        # Of fewer different vectors than clusters, which a resample may have, it makes fewer.
        warnings.filterwarnings("ignore", "Number of distinct clusters", ConvergenceWarning)
        found = model.fit(vectors, sample_weight=weights).labels_
    return np.asarray(found, dtype=np.int64)


def _matched(clusters: Ints, labels: Ints) -> Clusters:
    table = contingency_matrix(clusters, labels)
    rows, columns = linear_sum_assignment(table, maximize=True)
    match = np.empty(len(rows), dtype=np.int64)
    match[rows] = columns
    return Clusters(
        label=labels,
        found=match[np.unique(clusters, return_inverse=True)[1]],
        rand_index=float(adjusted_rand_score(labels, clusters)),
    )


@dataclass(frozen=True, kw_only=True)
class Cosines:
    """Mean cosine of pairs within each class `[class]`, and of pairs of two classes."""

    within: Floats
    between: float

    @property
    def gap(self) -> float:
        """The mean over classes of the cosines within, minus the one between."""
        return float(self.within.mean() - self.between)


def cosines(vectors: npt.ArrayLike, labels: npt.ArrayLike, centred: bool = False) -> Cosines:
    """Cosines within and between classes, of vectors as they are unless `centred`.

    Sums over pairs are squared lengths of sums of unit vectors, so no pair is formed.

    Raises:
        UserError: as `cluster`, but for equal vectors.
    """
    given = np.asarray(vectors, dtype=np.float64)
    if centred:
        given = given - given.mean(axis=0)
    return _cosines(unit(given), np.asarray(labels), np.ones(len(given)))


def _cosines(directions: Floats, labels: Ints, weights: Floats) -> Cosines:
    """The same of unit vectors, each `weights` times there; a vector is no pair with itself."""
    members = np.stack([(labels == c) * weights for c in range(int(labels.max()) + 1)])
    sizes, own = members.sum(axis=1), (members**2 * (directions**2).sum(axis=1)).sum(axis=1)
    pairs = sizes**2 - (members**2).sum(axis=1)
    if len(sizes) < 2 or pairs.min() <= 0:
        raise UserError("cosines need two classes of two different texts each: give more examples")
    sums = members @ directions
    inside = (sums**2).sum(axis=1)
    between = (float((sums.sum(axis=0) ** 2).sum()) - inside.sum()) / (
        sizes.sum() ** 2 - (sizes**2).sum()
    )
    return Cosines(within=(inside - own) / pairs, between=float(between))


def silhouettes(
    vectors: npt.ArrayLike, labels: npt.ArrayLike, most: int = SILHOUETTES, seed: int = 0
) -> Floats:
    """Silhouette of each text among the classes, in Euclidean distance as k-means is `[text]`.

    Of more than `most` texts so many are drawn, each class in proportion, and their silhouettes are
    taken among themselves.

    Source: P. Rousseeuw, J. Comput. Appl. Math. 20 (1987), as scikit-learn computes it.

    Raises:
        UserError: as `cluster`.
    """
    given, classes = _checked(vectors, labels)
    if len(classes) > most:
        rng = np.random.default_rng(seed)
        members = [np.flatnonzero(classes == c) for c in range(int(classes.max()) + 1)]
        chosen = [
            rng.permutation(own)[: max(2, round(most * len(own) / len(classes)))] for own in members
        ]
        drawn = np.concatenate(chosen)
        given, classes = given[drawn], classes[drawn]
    return np.asarray(silhouette_samples(given, classes), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class ClusterDraws:
    """Statistics of bootstrap samples of the texts `[draw]`, everything fitted anew in each.

    `purity` is `[draw, class]`. The same seed and labels draw the same samples, so that draws of
    two models on the same texts are paired.
    """

    rand_index: Floats
    accuracy: Floats
    purity: Floats
    gap: Floats


def bootstrap(
    vectors: npt.ArrayLike, labels: npt.ArrayLike, draws: int = DRAWS, seed: int = 0
) -> ClusterDraws:
    """Resample the texts of each class, with k-means and the matching fitted anew each time.

    A text drawn several times counts as often, but makes no pair with itself in the cosines. Class
    sizes stay as they are: they belong to the data set, and no draw loses a class.

    Source: Efron, Annals of Statistics 7 (1979); stratified as in Efron and Tibshirani, *An
    Introduction to the Bootstrap* (1993), section 8.3.

    Raises:
        UserError: as `cluster`, or a class has fewer than ten texts.
    """
    given, classes = _checked(vectors, labels)
    if np.bincount(classes).min() < LEAST_TO_RESAMPLE:
        raise UserError(
            f"an interval of clusters resamples the texts of each class, which takes "
            f"{LEAST_TO_RESAMPLE} of each: give more examples"
        )
    directions, rng = unit(given), np.random.default_rng(seed)
    members = [np.flatnonzero(classes == c) for c in range(int(classes.max()) + 1)]
    rows = []
    for draw in range(draws):
        chosen = np.concatenate([rng.choice(own, len(own)) for own in members])
        kept, place, counts = np.unique(chosen, return_inverse=True, return_counts=True)
        fitted = _fitted(given[kept], counts.astype(np.float64), len(members), draw)
        found = _matched(fitted[place], classes[chosen])
        weights = np.bincount(chosen, minlength=len(classes)).astype(np.float64)
        gap = _cosines(directions, classes, weights).gap
        rows.append([found.rand_index, float(found.hits.mean()), gap, *found.purity])
    table = np.array(rows)
    return ClusterDraws(
        rand_index=table[:, 0], accuracy=table[:, 1], gap=table[:, 2], purity=table[:, 3:]
    )


def engram_clusters(run: Measured) -> Clusters:
    """k-means on a run's engrams, matched to the classes."""
    found = run.read(engrams)
    return cluster(found.engram, found.label)


def engram_cosines(run: Measured, centred: bool = False) -> Cosines:
    """Cosines of a run's engrams within and between classes."""
    found = run.read(engrams)
    return cosines(found.engram, found.label, centred)


def engram_silhouettes(run: Measured) -> Floats:
    """Silhouettes of (up to 2,000) of a run's engrams among the classes `[text]`."""
    found = run.read(engrams)
    return silhouettes(found.engram, found.label)


def cluster_draws(run: Measured) -> ClusterDraws:
    """Cluster statistics of resampled examples, the same resamples for every run."""
    found = run.read(engrams)
    return bootstrap(found.engram, found.label)
