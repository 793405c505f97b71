"""Metrics that weigh a hit by its place in the list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recpress.evaluate._hits import Hits


def ndcg(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return DCG / ideal DCG with binary gains and the discount 1 / log2(place + 1).

    The ideal list has min(k, |test|) hits at its head (Järvelin & Kekäläinen, TOIS 2002).
    """
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(discount)
    gain: NDArray[np.float64] = hits.at[:, :k] @ discount
    return gain / ideal[hits.reachable(k) - 1]


def mrr(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return 1 / place of the first hit, or 0 where the first k places have none."""
    first = hits.at[:, :k].argmax(axis=1)
    return np.where(hits.found[:, k - 1] > 0, 1.0 / (first + 1), 0.0)


def average_precision(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return the sum over hits of the precision at their place, over min(k, |test|)."""
    places = np.arange(1, k + 1)
    at_hits: NDArray[np.float64] = np.einsum("ij,ij,j->i", hits.at[:, :k], hits.found[:, :k], 1.0 / places)
    return at_hits / hits.reachable(k)
