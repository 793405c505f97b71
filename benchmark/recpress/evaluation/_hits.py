"""Hits of the lists: the places that hold a test item, from which every ranking metric is computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recpress.core.jit import kernel
from recpress.data.interactions import UserItems
from recpress.metrics import Hits


@kernel
def _mark(
    topk: NDArray[np.int32],
    users: NDArray[np.int64],
    indptr: NDArray[np.int64],
    items: NDArray[np.int32],
    n_items: int,
    at: NDArray[np.bool_],
) -> None:
    owner = np.full(n_items, -1, np.int32)
    for row in range(len(users)):
        for index in range(indptr[users[row]], indptr[users[row] + 1]):
            owner[items[index]] = row
        for place in range(topk.shape[1]):
            item = topk[row, place]
            at[row, place] = item >= 0 and owner[item] == row


def find(topk: NDArray[np.int32], users: NDArray[np.int64], test: UserItems) -> Hits:
    """Look the lists up in the test items.

    Raises
    ------
    ValueError
        When sizes or ids don't fit, a user has no test items, or a list has a test item twice.
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
    at = np.empty(topk.shape, np.bool_)
    _mark(topk, users, test.indptr, test.items, test.n_items, at)
    rows, columns = np.nonzero(at)
    found = np.bincount(rows, minlength=len(users))
    _refuse_repeats(topk[rows, columns], rows, test.n_items)
    before = np.cumsum(found) - found
    return Hits(rows, columns + 1, np.arange(1, len(rows) + 1) - before[rows], n_test)


def _refuse_repeats(items: NDArray[np.int32], rows: NDArray[np.int64], n_items: int) -> None:
    if len(np.unique(rows * n_items + items)) < len(items):
        raise ValueError("a list holds the same item twice, which would count one hit twice")
