"""Logits after the prompt, and the relative difference of two models' logits."""

import numpy as np
import pytest
from families import made

from lazarus_bench.analysis import lens, logits
from lazarus_bench.analysis.logits import last_logits, relative_difference
from lazarus_bench.backend import mx
from lazarus_bench.errors import NotApplicable
from lazarus_bench.models.load import load
from lazarus_bench.tasks.arithmetic import held_out

PROBLEMS = held_out(12, 0)


def test_they_are_the_models_own_in_the_order_of_the_prompts(tiny_model, monkeypatch):
    found = last_logits(tiny_model, PROBLEMS)
    for row, problem in zip(found, PROBLEMS, strict=True):
        own = tiny_model.model(mx.array([tiny_model.encode(problem.symbols)]))[0, -1]
        np.testing.assert_allclose(row, np.array(own), atol=1e-5)
    monkeypatch.setattr(lens, "MAX_LOGITS", 1)
    np.testing.assert_allclose(last_logits(tiny_model, PROBLEMS), found, atol=1e-5)


def test_half_precision_does_not_apply(tiny):
    loaded = load(tiny)
    loaded.model.set_dtype(mx.bfloat16)
    with pytest.raises(NotApplicable, match="holds bfloat16 weights"):
        last_logits(loaded, PROBLEMS)


def test_another_family_is_accepted_in_float32_and_in_half_precision_is_not():
    loaded = made("granite")
    logits.require_float32(loaded)
    loaded.model.set_dtype(mx.float16)
    with pytest.raises(NotApplicable, match="holds float16 weights"):
        logits.require_float32(loaded)


def test_the_difference_is_relative_to_each_prompts_largest_logit():
    second = np.array([[1.0, -4.0], [10.0, 0.0]])
    first = second + np.array([[0.5, -1.0], [0.1, 0.0]])
    assert relative_difference(first, second).tolist() == pytest.approx([0.25, 0.01])
