"""Groups of users and items whose quality is measured separately ("who pays")."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recpress.data.interactions import UserItems

COLD = 5
"""A user with at most this many training interactions is cold."""


def deciles(values: NDArray[np.integer]) -> NDArray[np.int8]:
    """Cut into ten groups of equal size by value, 0 the lowest.

    Equal values are ordered by position, so that groups differ in size by at most one and are the same
    every time. Fewer than ten values leave some groups empty.
    """
    order = np.argsort(values, kind="stable")
    group = np.empty(len(values), np.int8)
    group[order] = np.arange(len(values)) * 10 // max(len(values), 1)
    return group


def activity_deciles(users: NDArray[np.int64], train: UserItems) -> NDArray[np.int8]:
    """Return each user's decile by number of training interactions, among `users`; shape (n,)."""
    return deciles(train.counts[users])


def popularity_deciles(train: UserItems) -> NDArray[np.int8]:
    """Return each item's decile by number of training interactions, shape (n_items,).

    Each decile has a tenth of the catalogue, and so the lowest have few of the interactions.
    """
    return deciles(np.bincount(train.items, minlength=train.n_items))


def cold_users(users: NDArray[np.int64], train: UserItems, at_most: int = COLD) -> NDArray[np.bool_]:
    """Return whether each user has at most that many training interactions, shape (n,)."""
    return train.counts[users] <= at_most


def recall_by_item_group(
    topk: NDArray[np.int32],
    users: NDArray[np.int64],
    test: UserItems,
    groups: NDArray[np.int8],
    k: int,
    n_groups: int = 10,
) -> NDArray[np.float64]:
    """Return each user's recall@k over the test items of each group alone.

    Parameters
    ----------
    topk : int32 array of shape (n, depth)
    users : int64 array of shape (n,)
    test : UserItems
    groups : int8 array of shape (n_items,)
        The group of each item, in [0, n_groups).
    k : int
        From 1 to `depth`.

    Returns
    -------
    float64 array of shape (n, n_groups)
        NaN where the user has no test items in the group.
    """
    topk = topk[:, :k]
    n = len(users)
    counts = test.counts[users]
    rows = np.repeat(np.arange(n), counts)
    starts = np.repeat(test.indptr[users] - np.cumsum(counts) + counts, counts)
    wanted = test.items[starts + np.arange(len(rows))]
    keys = rows * test.n_items + wanted
    listed_rows, places = np.nonzero(topk >= 0)
    listed = listed_rows * test.n_items + topk[listed_rows, places]
    hit = np.isin(keys, listed, assume_unique=True)
    cell = rows * n_groups + groups[wanted]
    held = np.bincount(cell, minlength=n * n_groups).reshape(n, n_groups)
    found = np.bincount(cell[hit], minlength=n * n_groups).reshape(n, n_groups)
    recall = np.full(held.shape, np.nan)
    np.divide(found, held, out=recall, where=held > 0)
    return recall
