"""Metrics that count the hits in the first k places, whatever their order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recpress.evaluation._hits import Hits


def recall(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return hits / |test|: below 1 even for a perfect list where the test set is longer than k."""
    return hits.count(k) / hits.n_test


def recall_capped(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return hits / min(k, |test|): 1 for a perfect list."""
    return hits.count(k) / hits.reachable(k)


def precision(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return hits / k, also where a list has fewer than k items."""
    return hits.count(k) / k


def hit_rate(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return 1 where there is a hit, else 0."""
    return (hits.count(k) > 0).astype(np.float64)
