"""Beyond accuracy: what the lists as a whole look like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Lists = NDArray[np.int32]


def exposure(topk: Lists, n_items: int) -> NDArray[np.int64]:
    """Return how many lists hold each item, shape (n_items,). Empty places (-1) don't count."""
    return np.bincount(topk[topk >= 0], minlength=n_items)


def coverage(topk: Lists, n_items: int) -> float:
    """Return the share of the catalogue that is in at least one list."""
    return float(np.count_nonzero(exposure(topk, n_items)) / n_items)


def gini(topk: Lists, n_items: int) -> float:
    """Return the Gini coefficient of exposure over the whole catalogue.

    0 when all items are recommended equally often, (n_items - 1) / n_items when only one ever is; NaN when
    the lists are all empty.
    """
    counts = np.sort(exposure(topk, n_items)).astype(np.float64)
    total = counts.sum()
    if total == 0:
        return float("nan")
    places = np.arange(1, n_items + 1)
    return float((2 * places - n_items - 1) @ counts / (n_items * total))


def mean_popularity(topk: Lists, popularity: NDArray[np.integer]) -> float:
    """Return the mean over users of the mean training interactions of the recommended items.

    Also known as average recommendation popularity (ARP). `popularity` has shape (n_items,).
    """
    return _mean_over_lists(topk, popularity.astype(np.float64))


def novelty(topk: Lists, popularity: NDArray[np.integer], n_users: int) -> float:
    """Return the mean over users of the mean self-information of the recommended items, in bits.

    -log2 of the share of users who have the item in training (Vargas & Castells, RecSys 2011). Items that
    nobody has count as if half a user had them.
    """
    share = np.maximum(popularity, 0.5) / n_users
    return _mean_over_lists(topk, -np.log2(share))


def intra_list_diversity(topk: Lists, attributes: NDArray[np.floating]) -> float:
    """Return the mean over users of the mean pairwise cosine distance within their lists.

    Parameters
    ----------
    topk : int32 array of shape (n, k)
    attributes : float array of shape (n_items, n_attributes)
        Genres or other item attributes, non-negative. Items without any are left out of the pairs.

    Returns
    -------
    float
        In [0, 1]; NaN where no list has two items with attributes.
    """
    norms = np.linalg.norm(attributes, axis=1, keepdims=True)
    unit = np.divide(attributes, norms, out=np.zeros(attributes.shape), where=norms > 0)
    known = (topk >= 0) & (norms[topk, 0] > 0)
    size = known.sum(axis=1)
    total = np.zeros((len(topk), attributes.shape[1]))
    for place in range(topk.shape[1]):
        total += unit[topk[:, place]] * known[:, place, None]
    # |Σ v|² is the sum over ordered pairs of their cosine, and each of the `size` own pairs gives 1.
    pairs = size * (size - 1.0)
    similar = np.einsum("ij,ij->i", total, total) - size
    enough = pairs > 0
    return float(np.mean(1 - similar[enough] / pairs[enough])) if enough.any() else float("nan")


def _mean_over_lists(topk: Lists, values: NDArray[np.float64]) -> float:
    filled = topk >= 0
    size = filled.sum(axis=1)
    total = np.where(filled, values[topk], 0.0).sum(axis=1)
    some = size > 0
    return float(np.mean(total[some] / size[some])) if some.any() else float("nan")
