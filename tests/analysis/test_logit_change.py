"""What is left of a change of the logits: all of it, none of it, and what a shift adds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lazarus_bench.analysis.logit_change import change_kept, change_size

LOGITS = arrays.arrays(np.float64, (3, 5), elements=st.floats(-5, 5))
CHANGE = np.array([[1.0, -1, 0, 0], [0, 2, -2, 0]])
BASE = np.array([[0.5, 0.25, 0, 1], [2, 1, 0, 3]])


@given(base=LOGITS, share=st.floats(-2, 2), shift=st.floats(-9, 9))
def test_a_share_of_the_change_is_what_is_kept_whatever_all_tokens_share(base, share, shift):
    change = np.arange(15.0).reshape(3, 5) ** 2
    found = change_kept(base + share * change + shift, base + change - shift, base)
    np.testing.assert_allclose(found, share, atol=1e-9)


def test_a_change_across_the_whole_is_no_share_of_it():
    across = np.array([[0.0, 0, 1, -1], [1, 0, 0, -1]])
    assert change_kept(BASE + across, BASE + CHANGE, BASE).tolist() == [0, 0]
    half = change_kept(BASE + CHANGE / 2 + across, BASE + CHANGE, BASE)
    assert half.tolist() == [0.5, 0.5]


def test_without_a_change_there_is_no_share():
    with pytest.raises(ValueError, match="no change of which a share"):
        change_kept(BASE, BASE + 3, BASE)


def test_the_size_of_a_change_is_over_tokens():
    assert change_size(BASE + CHANGE + 7, BASE).tolist() == [np.sqrt(0.5), np.sqrt(2)]


@given(base=LOGITS, kept=LOGITS)
def test_no_share_exceeds_the_ratio_of_sizes(base, kept):
    whole = base + np.arange(15.0).reshape(3, 5) ** 2
    ratio = change_size(kept, base) / change_size(whole, base)
    assert (np.abs(change_kept(kept, whole, base)) <= ratio + 1e-9).all()
