"""Agreement of two sets of lists, by hand and by the definition of RBO."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recpress.evaluation import agreement


def test_golden():
    ours = np.array([[1, 2, 3], [1, 2, 3], [4, 5, -1], [-1, -1, -1]], np.int32)
    theirs = np.array([[1, 3, 9], [7, 8, 9], [4, -1, -1], [-1, -1, -1]], np.int32)
    got = agreement(ours, theirs, 3, 10, p=0.5)
    assert got.overlap.tolist() == pytest.approx([2 / 3, 0, 1 / 2, 1])
    assert got.jaccard.tolist() == pytest.approx([2 / 4, 0, 1 / 2, 1])
    assert got.first_changed.tolist() == [False, True, False, False]
    # Agreement 1, 1/2, 2/3 at depths 1, 2, 3: half of Σ p^(d-1) A_d, and p³ of the last.
    assert got.rbo[0] == pytest.approx(0.5 * (1 + 0.5 / 2 + 0.25 * 2 / 3) + 0.125 * 2 / 3)
    assert got.rbo[1] == 0
    assert got.rbo[3] == pytest.approx(1)
    assert got.means()["first_item_churn"] == 1 / 4


@settings(deadline=None)  # The first call compiles.
@given(st.integers(0, 2**32 - 1), st.integers(1, 15), st.floats(0.05, 0.95))
def test_against_sets(seed, k, p):
    rng = np.random.default_rng(seed)
    ours, theirs = (np.stack([rng.permutation(25)[:15] for _ in range(4)]).astype(np.int32) for _ in range(2))
    got = agreement(ours, theirs, k, 25, p)
    for row in range(4):
        a, b = ours[row].tolist(), theirs[row].tolist()
        shared = [len(set(a[:d]) & set(b[:d])) for d in range(1, k + 1)]
        assert got.overlap[row] == pytest.approx(shared[-1] / k)
        assert got.jaccard[row] == pytest.approx(shared[-1] / (2 * k - shared[-1]))
        rbo = (1 - p) * sum(p**d * shared[d] / (d + 1) for d in range(k)) + p**k * shared[-1] / k
        assert got.rbo[row] == pytest.approx(rbo)
    same = agreement(ours, ours, k, 25, p)
    assert same.means() == pytest.approx({"overlap": 1, "jaccard": 1, "rbo": 1, "first_item_churn": 0})


@pytest.mark.parametrize(
    ("rows", "k", "p", "message"),
    [(1, 1, 0.9, "can't be compared"), (2, 0, 0.9, "outside the lists"), (2, 3, 0.9, "outside"), (2, 1, 1.0, "p")],
)
def test_what_does_not_fit_is_refused(rows, k, p, message):
    lists = np.array([[0, 1], [1, 0]], np.int32)
    with pytest.raises(ValueError, match=message):
        agreement(lists, lists[:rows], k, 2, p)
