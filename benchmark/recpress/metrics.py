"""The ranking metrics, each defined once: a function of hits, registered with its name, label and meaning.

`recpress.evaluation` computes them; the board reads their labels here. Importing this imports numpy alone.

A metric that is new has version 1; when one changes, `tools/versions.py bump metric` raises it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recpress.headline import HEADLINE, SECOND


@dataclass(frozen=True)
class Hits:
    """The hits of many lists, one entry each, ordered by list and place: most places are misses.

    Attributes
    ----------
    rows : int64 array of shape (n_hits,)
        The list of each hit.
    places : int64 array of shape (n_hits,)
        Its place in the list, from 1.
    ordinals : int64 array of shape (n_hits,)
        How many hits the list has down to it, from 1.
    n_test : int64 array of shape (n,)
        Test items of the user of each list, each at least 1.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    ordinals: NDArray[np.int64]
    n_test: NDArray[np.int64]

    def sum(self, gains: NDArray[np.float64], k: int) -> NDArray[np.float64]:
        """Add up a gain per hit over the hits in the first k places of each list, shape (n,)."""
        inside = self.places <= k
        return np.asarray(np.bincount(self.rows[inside], gains[inside], len(self.n_test)), np.float64)

    def count(self, k: int) -> NDArray[np.int64]:
        """Count the hits in the first k places of each list, shape (n,)."""
        return np.bincount(self.rows[self.places <= k], minlength=len(self.n_test))

    def reachable(self, k: int) -> NDArray[np.int64]:
        """Return the most hits that a list of length k can have, min(k, |test|), shape (n,)."""
        return np.minimum(self.n_test, k)


Score = Callable[[Hits, int], NDArray[np.float64]]


@dataclass(frozen=True)
class Metric:
    """A ranking metric at any cut-off.

    Attributes
    ----------
    name : str
        In records, before the cut-off: ``ndcg`` of ``ndcg@20``.
    label : str
        For people.
    help : str
        What it means, in one sentence, with ``{k}`` for the cut-off.
    score : callable
        From hits and k to float64 of shape (n,) in [0, 1].
    better : {"high", "low"}
        Which end is good.
    """

    name: str
    label: str
    help: str
    score: Score
    better: Literal["high", "low"] = "high"

    def __call__(self, hits: Hits, k: int) -> NDArray[np.float64]:
        """Return the metric of each user, shape (n,)."""
        return self.score(hits, k)


CUTOFFS = (5, 10, 20, 50, 100)
"""The lengths of lists that each metric is computed for."""

METRICS: dict[str, Metric] = {}
"""All metrics by name, in the order in which records hold them."""


def _metric(name: str, label: str, help: str) -> Callable[[Score], Score]:
    def register(score: Score) -> Score:
        METRICS[name] = Metric(name, label, help, score)
        return score

    return register


@_metric("recall", "Recall", "Share of a user's test items that are in the top {k}, averaged over users.")
def recall(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return hits / |test|: below 1 even for a perfect list where the test set is longer than k."""
    return hits.count(k) / hits.n_test


@_metric("recall_capped", "Capped recall", "Recall as a share of the most that {k} items can reach.")
def recall_capped(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return hits / min(k, |test|): 1 for a perfect list."""
    return hits.count(k) / hits.reachable(k)


@_metric("ndcg", "NDCG", "Ranking quality of the top {k} on test, counting higher places more; 1 is perfect.")
def ndcg(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return DCG / ideal DCG with binary gains and the discount 1 / log2(place + 1).

    The ideal list has min(k, |test|) hits at its head (Järvelin & Kekäläinen, TOIS 2002).
    """
    ideal = np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))
    return hits.sum(1.0 / np.log2(hits.places + 1), k) / ideal[hits.reachable(k) - 1]


@_metric("precision", "Precision", "Share of the top {k} that are test items.")
def precision(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return hits / k, also where a list has fewer than k items."""
    return hits.count(k) / k


@_metric("hit_rate", "Hit rate", "Share of users who have a test item in their top {k}.")
def hit_rate(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return 1 where there is a hit, else 0."""
    return (hits.count(k) > 0).astype(np.float64)


@_metric("mrr", "MRR", "1 over the place of the first test item in the top {k}; 0 without one.")
def mrr(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return 1 / place of the first hit, or 0 where the first k places have none."""
    return hits.sum((hits.ordinals == 1) / hits.places, k)


@_metric("map", "MAP", "Mean of the precision at the place of each test item in the top {k}.")
def average_precision(hits: Hits, k: int) -> NDArray[np.float64]:
    """Return the sum over hits of the precision at their place, over min(k, |test|)."""
    return hits.sum(hits.ordinals / hits.places, k) / hits.reachable(k)


def metric_of(name: str) -> Metric:
    """Return the metric that a name in a record stands for: ``ndcg`` of ``ndcg@20``."""
    return METRICS[name.partition("@")[0]]


def label_of(name: str) -> str:
    """Return a metric and its cut-off as people read it: ``NDCG@20`` of ``ndcg@20``."""
    return f"{metric_of(name).label}@{name.partition('@')[2]}"


def help_of(name: str) -> str:
    """Return what a metric at a cut-off means, in one sentence."""
    return metric_of(name).help.format(k=name.partition("@")[2])


# The two that are shown and judged first, as people read them.
LABEL = label_of(HEADLINE)
SECOND_LABEL = label_of(SECOND)
