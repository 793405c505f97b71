"""Pareto front of the rows: points that no other point beats on both axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def front(cost: ArrayLike, gain: ArrayLike) -> NDArray[np.bool_]:
    """Mark the points on the Pareto front: lower cost and higher gain are better.

    A point is off the front when another one costs no more, gains no less, and is strictly better in one of
    the two. Equal points are on it together; a point with a NaN is never on it.

    Parameters
    ----------
    cost, gain : array of shape (n,)
        Any units.

    Returns
    -------
    bool array of shape (n,)
    """
    costs, gains = np.asarray(cost, dtype=float), np.asarray(gain, dtype=float)
    on_front = np.zeros(costs.shape, dtype=bool)
    known = np.flatnonzero(~(np.isnan(costs) | np.isnan(gains)))
    order = known[np.lexsort((-gains[known], costs[known]))]
    last: int | None = None
    for index in order:
        # In this order only an earlier point can beat a later one.
        better = last is None or gains[index] > gains[last]
        if better or (gains[index] == gains[last] and costs[index] == costs[last]):
            on_front[index] = True
            last = index
    return on_front
