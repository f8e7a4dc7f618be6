"""Erasers equal those of the package `concept-erasure` of LEACE's authors."""

from __future__ import annotations

import numpy as np
import pytest

from lazarus_bench.analysis.erasure import fit

torch = pytest.importorskip("torch")
concept_erasure = pytest.importorskip("concept_erasure")

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize(("method", "theirs"), [("leace", "leace"), ("mean", "orth")])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("prompts", [200, 30])  # more and fewer than there are dimensions
@pytest.mark.parametrize("varied", [48, 20])  # all of them vary, or few
def test_the_projection_and_the_erased_states(method, theirs, classes, prompts, varied):
    rng = np.random.default_rng(prompts + varied)
    labels = np.arange(prompts) % classes
    drawn = rng.normal(size=(prompts, varied)) * np.geomspace(0.1, 10, varied)
    states = drawn @ rng.normal(size=(varied, 48)) + 5
    states += rng.normal(size=(classes, 48))[labels] if varied == 48 else 0
    other = rng.normal(size=(9, 48)) + 5
    fitter = concept_erasure.LeaceFitter(
        *(48, classes, theirs),
        dtype=torch.float64,
        shrinkage=False,
        constrain_cov_trace=False,
        svd_tol=1e-9,
    )
    fitter.update(torch.tensor(states), torch.tensor(np.eye(classes)[labels]))
    eraser = fit(states, labels, method).eraser
    projection = np.eye(48) - eraser.left[0] @ eraser.right[0]
    np.testing.assert_allclose(projection, fitter.eraser.P.numpy(), atol=1e-5)
    expected = fitter.eraser(torch.tensor(other)).numpy()
    np.testing.assert_allclose(eraser.erase(other), expected, rtol=1e-5, atol=1e-5)
