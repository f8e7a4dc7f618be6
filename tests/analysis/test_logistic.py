"""Many labellings at once: the minimum that scikit-learn finds one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from lazarus_bench.analysis import logistic
from lazarus_bench.analysis.logistic import Rows, fit_labellings, predict_labellings
from lazarus_bench.errors import UserError


def oracle(states, labels) -> LogisticRegression:
    return LogisticRegression(C=1.0, tol=1e-7, max_iter=100_000).fit(states, labels)


def ours(states, labels, classes) -> np.ndarray:
    """Centred weights `[labelling, class, d]`."""
    rows = Rows.of(states)
    weights = fit_labellings(rows, labels, classes)[:-1]
    back = np.einsum("rcl,rd->lcd", weights, rows.axes)
    return back - back.mean(axis=1, keepdims=True)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(12, 60),
    width=st.integers(1, 80),
    classes=st.integers(2, 5),
)
def test_weights_and_predictions_are_scikit_learns(seed, rows, width, classes):
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(rows, width))
    labels = np.stack([rng.permutation(np.arange(rows) % classes) for _ in range(3)])
    new = rng.normal(size=(20, width))
    found = ours(states, labels, classes)
    fitted = Rows.of(states)
    predicted = predict_labellings(fit_labellings(fitted, labels, classes), fitted.project(new))
    for i, given_labels in enumerate(labels):
        expected = oracle(states, given_labels)
        weights = expected.coef_ if classes > 2 else np.stack([-1, 1])[:, None] * expected.coef_ / 2
        np.testing.assert_allclose(found[i], weights, atol=3e-3 * np.abs(weights).max())
        scores = np.sort(expected.predict_log_proba(new), axis=1)
        clear = scores[:, -1] - scores[:, -2] > 0.05
        assert np.array_equal(predicted[i][clear], expected.predict(new)[clear])


def test_a_labelling_is_fitted_alike_alone_and_among_others(monkeypatch):
    rng = np.random.default_rng(0)
    rows = Rows.of(rng.normal(size=(40, 10)))
    labels = np.stack([rng.permutation(np.arange(40) % 4) for _ in range(6)])
    together = fit_labellings(rows, labels, 4)
    monkeypatch.setattr(logistic, "CHUNK", 1)
    np.testing.assert_allclose(fit_labellings(rows, labels, 4), together, atol=1e-2)


def test_rows_that_span_little_lose_nothing():
    rng = np.random.default_rng(1)
    flat = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 50))
    labels = (flat[:, 0] > 0).astype(int)
    assert Rows.of(flat).coordinates.shape == (30, 4)
    expected = oracle(flat, labels).coef_[0]
    found = ours(flat, labels[None], 2)[0]
    np.testing.assert_allclose(found[1] - found[0], expected, atol=3e-3 * np.abs(expected).max())


def test_states_that_are_all_alike_predict_the_commonest_class():
    rows = Rows.of(np.ones((10, 5)))
    labels = np.array([[0] * 3 + [2] * 7])
    weights = fit_labellings(rows, labels, 3)
    assert predict_labellings(weights, rows.project(np.zeros((2, 5)))).tolist() == [[2, 2]]


def test_a_fit_that_cannot_converge_says_so(monkeypatch):
    monkeypatch.setattr(logistic, "MAX_STEPS", 3)
    rows = Rows.of(np.random.default_rng(0).normal(size=(20, 9)))
    with pytest.raises(UserError, match="did not converge in 3 steps"):
        fit_labellings(rows, np.arange(20)[None] % 3, 3)
