"""Which places of the lists hold a test item: what every ranking metric is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recpress.data.interactions import UserItems
from recpress.serve._jit import kernel


@dataclass(frozen=True)
class Hits:
    """Hits by user and place.

    Attributes
    ----------
    at : float64 array of shape (n, depth)
        1 where the list of a user holds one of the user's test items, else 0.
    n_test : int64 array of shape (n,)
        Test items of each user, each at least 1.
    """

    at: NDArray[np.float64]
    n_test: NDArray[np.int64]

    @cached_property
    def found(self) -> NDArray[np.float64]:
        """Hits up to and including each place, shape (n, depth)."""
        return np.cumsum(self.at, axis=1)

    def reachable(self, k: int) -> NDArray[np.int64]:
        """Return the most hits that a list of length k can have, min(k, |test|), by user."""
        return np.minimum(self.n_test, k)


@kernel
def _mark(
    topk: NDArray[np.int32],
    users: NDArray[np.int64],
    indptr: NDArray[np.int64],
    items: NDArray[np.int32],
    n_items: int,
    at: NDArray[np.float64],
) -> None:
    owner = np.full(n_items, -1, np.int64)
    for row in range(len(users)):
        for index in range(indptr[users[row]], indptr[users[row] + 1]):
            owner[items[index]] = row
        for place in range(topk.shape[1]):
            item = topk[row, place]
            if item >= 0 and owner[item] == row:
                at[row, place] = 1.0


def find(topk: NDArray[np.int32], users: NDArray[np.int64], test: UserItems) -> Hits:
    """Look the lists up in the test items.

    Raises
    ------
    ValueError
        When sizes or ids don't fit, or a list holds an item twice.
    """
    if topk.ndim != 2 or len(topk) != len(users):
        raise ValueError(f"{len(users)} users, but lists of shape {topk.shape}")
    if len(users) and (users.min() < 0 or users.max() >= test.n_users):
        raise ValueError(f"user ids must lie in [0, {test.n_users})")
    if topk.size and (topk.min() < -1 or topk.max() >= test.n_items):
        raise ValueError(f"items must lie in [0, {test.n_items}), or be -1 for an empty place")
    n_test = test.counts[users]
    if (n_test == 0).any():
        raise ValueError("users without test items have no metrics; leave them out and count them")
    at = np.zeros(topk.shape)
    _mark(topk, users, test.indptr, test.items, test.n_items, at)
    hits = Hits(at, n_test)
    if topk.shape[1] and (hits.found[:, -1] > n_test).any():
        raise ValueError("a list holds the same item twice")
    return hits
