"""Statistics of a loaded data set, as `recpress info` shows them."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from recpress.data.dataset import Dataset


@dataclass(frozen=True)
class Description:
    """Numbers of a data set.

    Attributes
    ----------
    density : float
        Interactions over users times items, in [0, 1].
    user_gini, item_gini : float
        Gini coefficient of the degrees over all interactions, in [0, 1): 0 when all are equal.
    table_bytes_d64 : int
        Bytes of fp32 tables for all users and items at d = 64.
    graph_bytes : int
        Bytes of the normalised adjacency of train and valid, as it is kept in memory.
    """

    users: int
    items: int
    interactions: int
    train: int
    valid: int
    test: int
    users_without_test_items: int
    density: float
    user_gini: float
    item_gini: float
    table_bytes_d64: int
    graph_bytes: int
    split_sha256: str
    train_sha256: str
    valid_sha256: str
    test_sha256: str

    def as_dict(self) -> dict[str, int | float | str]:
        """Return the numbers by name, in order."""
        return asdict(self)


def describe(dataset: Dataset) -> Description:
    """Count what `recpress info` tells of a data set."""
    split, interactions = dataset.split, dataset.interactions
    users, items = split.n_users, split.n_items
    return Description(
        users=users,
        items=items,
        interactions=len(interactions),
        train=split.train.nnz,
        valid=split.valid.nnz,
        test=split.test.nnz,
        users_without_test_items=int((split.test.counts == 0).sum()),
        density=len(interactions) / (users * items),
        user_gini=gini(np.bincount(interactions.users, minlength=users)),
        item_gini=gini(np.bincount(interactions.items, minlength=items)),
        table_bytes_d64=(users + items) * 64 * 4,
        graph_bytes=dataset.graph().adjacency().nbytes,
        split_sha256=split.sha256,
        **{f"{part}_sha256": digest for part, digest in split.hashes.items()},
    )


def gini(counts: NDArray[np.integer]) -> float:
    """Return the Gini coefficient of non-negative counts; 0 when there is nothing to share."""
    ordered = np.sort(counts).astype(np.float64)
    n, total = len(ordered), ordered.sum()
    if not total:
        return 0.0
    ranks = np.arange(1, n + 1)
    return float((2 * (ranks * ordered).sum() / total - (n + 1)) / n)
