"""Metrics that weigh a hit by its place in the list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recpress.evaluation._hits import Hits


def ndcg(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return DCG / ideal DCG with binary gains and the discount 1 / log2(place + 1).

    The ideal list has min(k, |test|) hits at its head (Järvelin & Kekäläinen, TOIS 2002).
    """
    ideal = np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))
    return hits.sum(1.0 / np.log2(hits.places + 1), k) / ideal[hits.reachable(k) - 1]


def mrr(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return 1 / place of the first hit, or 0 where the first k places have none."""
    return hits.sum((hits.ordinals == 1) / hits.places, k)


def average_precision(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return the sum over hits of the precision at their place, over min(k, |test|)."""
    return hits.sum(hits.ordinals / hits.places, k) / hits.reachable(k)
