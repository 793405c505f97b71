"""Agreement of a compressed model's lists with those of its backbone, by user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recpress.core.jit import kernel

Lists = NDArray[np.int32]
RBO_PERSISTENCE = 0.9
"""Persistence p of `rbo`: the first ten places carry about 86 % of the weight of an endless list."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of two sets of lists; each array has shape (n,).

    Attributes
    ----------
    overlap : float64
        Shared items over the length of the longer list, in [0, 1].
    jaccard : float64
        Shared items over items in either list, in [0, 1].
    rbo : float64
        Rank-biased overlap, in [0, 1].
    first_changed : bool
        Whether the first item is another one.
    """

    overlap: NDArray[np.float64]
    jaccard: NDArray[np.float64]
    rbo: NDArray[np.float64]
    first_changed: NDArray[np.bool_]

    def means(self) -> dict[str, float]:
        """Return the mean over users of each; that of `first_changed` is the churn of the first item."""
        return {
            "overlap": float(self.overlap.mean()),
            "jaccard": float(self.jaccard.mean()),
            "rbo": float(self.rbo.mean()),
            "first_item_churn": float(self.first_changed.mean()),
        }


def agreement(ours: Lists, theirs: Lists, k: int, n_items: int, p: float = RBO_PERSISTENCE) -> Agreement:
    """Compare two sets of lists of the same users down to place k.

    Rank-biased overlap is the extrapolated RBO of two lists of the same length (Webber, Moffat & Zobel,
    TOIS 2010): the agreement at depth k is taken to go on below it. Where lists are shorter than k, the
    agreement below the end of the longer one stays what it was at the end; two empty lists agree fully.

    Parameters
    ----------
    ours, theirs : int32 arrays of shape (n, depth)
        Items, best first, -1 in empty places; no item twice in a list.
    k : int
        From 1 to `depth`.
    n_items : int
    p : float
        Persistence of RBO, in (0, 1).
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} lists can't be compared with {len(theirs)}")
    if not 1 <= k <= min(ours.shape[1], theirs.shape[1]):
        raise ValueError(f"k = {k} is outside the lists, which are {ours.shape[1]} and {theirs.shape[1]} long")
    if not 0 < p < 1:
        raise ValueError(f"the persistence of RBO must lie in (0, 1), not {p}")
    ours, theirs = ours[:, :k], theirs[:, :k]
    shared = np.zeros((len(ours), k))
    _shared_by_depth(ours, theirs, n_items, shared)
    sizes = (ours >= 0).sum(axis=1), (theirs >= 0).sum(axis=1)
    longer = np.maximum(*sizes)
    both = shared[:, -1]
    empty = longer == 0
    depth = np.arange(1, k + 1)
    # At each depth the share of places that could agree: a list that has ended offers no more.
    possible = np.minimum(depth, longer[:, None])
    agreed = np.divide(shared, possible, out=np.ones_like(shared), where=possible > 0)
    weights = p ** (depth - 1.0)
    rbo = (1 - p) * (agreed @ weights) + p**k * agreed[:, -1]
    return Agreement(
        overlap=np.divide(both, longer, out=np.ones_like(both), where=~empty),
        jaccard=np.divide(both, sizes[0] + sizes[1] - both, out=np.ones_like(both), where=~empty),
        rbo=rbo,
        first_changed=ours[:, 0] != theirs[:, 0],
    )


@kernel
def _shared_by_depth(ours: Lists, theirs: Lists, n_items: int, shared: NDArray[np.float64]) -> None:
    """Count the items that both lists hold down to each depth."""
    in_ours = np.full(n_items, -1, np.int64)
    in_theirs = np.full(n_items, -1, np.int64)
    for row in range(len(ours)):
        count = 0
        for place in range(ours.shape[1]):
            a, b = ours[row, place], theirs[row, place]
            if a >= 0:
                in_ours[a] = row
                count += in_theirs[a] == row
            if b >= 0:
                in_theirs[b] = row
                count += in_ours[b] == row
            shared[row, place] = count
