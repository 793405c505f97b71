"""The graph of a set of interactions and its normalised adjacency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recpress.data.interactions import UserItems, sorted_unique


@dataclass(frozen=True)
class Adjacency:
    """Symmetric normalised adjacency D^-1/2 A D^-1/2 in CSR form.

    Attributes
    ----------
    indptr : int32 array of shape (n_nodes + 1,)
    indices : int32 array of shape (nnz,)
        Neighbours of each node, ascending.
    weights : float32 array of shape (nnz,)
        1 / sqrt(degree of the node · degree of the neighbour).
    """

    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    weights: NDArray[np.float32]

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.indptr) - 1

    @property
    def nbytes(self) -> int:
        """Bytes of the three arrays."""
        return self.indptr.nbytes + self.indices.nbytes + self.weights.nbytes


@dataclass(frozen=True)
class Links:
    """Edges beside the interactions, such as a social graph: they take part in propagation and are never ranked.

    Attributes
    ----------
    ends : int64 array of shape (2, n)
        Both nodes of each edge. Either may come first.
    n_added : int
        Nodes that are neither users nor items, such as genres. They are numbered after both.
    """

    ends: NDArray[np.int64]
    n_added: int = 0


@dataclass(frozen=True)
class Graph:
    """The interactions as a graph.

    Attributes
    ----------
    user_items : UserItems
    bipartite : bool
        Users are nodes 0 … n_users - 1 and the items follow them. False for item-item sets, where users and items are
        the same nodes.
    links : Links, optional
        More edges; of user-item sets only.
    """

    user_items: UserItems
    bipartite: bool = True
    links: Links | None = None

    def __post_init__(self) -> None:
        if not self.bipartite and self.user_items.n_users != self.user_items.n_items:
            raise ValueError("an item-item graph has as many users as items")
        if self.links and not self.bipartite:
            raise ValueError("an item-item graph has no other edges")

    @property
    def n_users(self) -> int:
        """Number of users."""
        return self.user_items.n_users

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.user_items.n_items

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        added = self.links.n_added if self.links else 0
        return self.n_users + self.n_items + added if self.bipartite else self.n_items

    def item_users(self) -> UserItems:
        """Return the users of each item (the CSR of the other direction)."""
        return transpose(self.user_items)

    def adjacency(self) -> Adjacency:
        """Return the symmetric normalised adjacency over all nodes.

        Raises
        ------
        ValueError
            When 2 · nnz doesn't fit into int32.
        """
        rows, columns = self.user_items, self.item_users()
        if 2 * rows.nnz > np.iinfo(np.int32).max:
            raise ValueError("the graph has more directed edges than int32 indices can count")
        if self.bipartite:
            indptr = np.concatenate([rows.indptr, rows.nnz + columns.indptr[1:]]).astype(np.int32)
            indices = np.concatenate([rows.items + np.int32(self.n_users), columns.items])
        else:
            both = rows.union(columns)
            indptr, indices = both.indptr.astype(np.int32), both.items
        if self.links:
            indptr, indices = self._joined(indptr, indices, self.links)
        return Adjacency(indptr, indices, symmetric_weights(indptr, indices))

    def _joined(
        self, indptr: NDArray[np.int32], indices: NDArray[np.int32], links: Links
    ) -> tuple[NDArray[np.int32], ...]:
        """Return a symmetric CSR graph with the links in it, each edge once."""
        n = self.n_nodes
        rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        keys = [rows * n + indices, links.ends[0] * n + links.ends[1], links.ends[1] * n + links.ends[0]]
        rows, columns = np.divmod(sorted_unique(np.concatenate(keys)), n)
        if len(columns) > np.iinfo(np.int32).max:
            raise ValueError("the graph has more directed edges than int32 indices can count")
        return np.searchsorted(rows, np.arange(n + 1)).astype(np.int32), columns.astype(np.int32)


def transpose(user_items: UserItems) -> UserItems:
    """Return the users of each item."""
    shape = (user_items.n_users, user_items.n_items)
    ones = np.ones(user_items.nnz, np.int8)
    turned = sparse.csr_array((ones, user_items.items, user_items.indptr), shape=shape).tocsc()
    return UserItems(turned.indptr.astype(np.int64), turned.indices.astype(np.int32), user_items.n_users)


def symmetric_weights(indptr: NDArray[np.int32], indices: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return 1 / sqrt(d_i · d_j) for each edge of a symmetric CSR graph, shape (nnz,)."""
    degrees = np.diff(indptr)
    scale = np.zeros(len(degrees), np.float64)
    np.divide(1.0, np.sqrt(degrees), out=scale, where=degrees > 0)
    return (np.repeat(scale, degrees) * scale[indices]).astype(np.float32)
