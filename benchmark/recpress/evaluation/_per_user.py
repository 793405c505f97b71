"""All ranking metrics at all cut-offs, by user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recpress.data.interactions import UserItems
from recpress.evaluation import _hits
from recpress.metrics import CUTOFFS as KS
from recpress.metrics import METRICS


def evaluable(test: UserItems) -> NDArray[np.int64]:
    """Return the users that have test items, ascending. The others are left out of every mean."""
    return np.flatnonzero(test.counts)


def per_user(
    topk: NDArray[np.int32], users: NDArray[np.int64], test: UserItems, ks: Sequence[int] = KS
) -> dict[str, NDArray[np.float64]]:
    """Score ranked lists against test items, user by user.

    Definitions are those of benchmark/docs/reference/metrics.md.

    Parameters
    ----------
    topk : int32 array of shape (n, depth)
        Items, best first; -1 fills the places that a short list leaves empty, and counts as a miss.
    users : int64 array of shape (n,)
        The user of each list; each must have a test item (`evaluable`).
    test : UserItems
    ks : sequence of int
        Cut-offs, from 1 to `depth`.

    Returns
    -------
    dict of str to float64 array of shape (n,)
        Keyed ``recall@20``; values in [0, 1].

    Raises
    ------
    ValueError
        When a user has no test items, a list holds a test item twice, a cut-off is outside the lists, or sizes
        and ids don't fit together.
    """
    for k in ks:
        if not 1 <= k <= topk.shape[1]:
            raise ValueError(f"cut-off {k} is outside 1 … {topk.shape[1]}, the length of the lists")
    hits = _hits.find(topk, users, test)
    return {f"{name}@{k}": metric(hits, k) for name, metric in METRICS.items() for k in ks}


def means(metrics: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return the mean of each metric over users.

    Raises
    ------
    ValueError
        When there are no users.
    """
    if any(len(values) == 0 for values in metrics.values()):
        raise ValueError("no user has test items, so there is nothing to average")
    return {name: float(np.mean(values)) for name, values in metrics.items()}
