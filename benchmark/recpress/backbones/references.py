"""Recommenders without a trained table: what any graph backbone, compressed or not, has to beat.

All but popularity score by ``s_ui = Σ_{j in history of u} W_ij``. The solvers are pure functions of the interactions,
a scipy CSR matrix of ones (users × items), and give the rows of W that are worth storing: for each item the `count`
history items that say most about it. Its own weight is left out: an item of the history is never recommended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack
from scipy.sparse.linalg import svds

from recpress.data.interactions import UserItems

Numbers = NDArray[np.number]
Table = NDArray[np.float32]
# Rows of W that are made at a time: a block of 1,024 rows and 40,000 columns is 160 MB.
BLOCK_ROWS = 1024


def matrix(interactions: UserItems) -> sparse.csr_array:
    """Return the interactions as float32 ones, shape (n_users, n_items)."""
    ones = np.ones(interactions.nnz, np.float32)
    return sparse.csr_array(
        (ones, interactions.items, interactions.indptr), shape=(interactions.n_users, interactions.n_items)
    )


def popularity(interactions: sparse.csr_array) -> Table:
    """Return how many users have each item, float32 of shape (n_items,)."""
    return np.bincount(interactions.indices, minlength=interactions.shape[1]).astype(np.float32)


def item_knn(interactions: sparse.csr_array, count: int, shrink: float) -> sparse.csr_array:
    """Return shrunk cosines of items, ``W_ij = c_ij / (sqrt(c_i c_j) + shrink)``, with the largest of each row.

    ``c_ij`` counts users who have both items, ``c_i`` those who have i (Sarwar et al. 2001, "Item-based collaborative
    filtering recommendation algorithms"; shrinkage as in Bell and Koren 2007).

    Parameters
    ----------
    count : int
        Entries kept in each row, >= 1.
    shrink : float
        >= 0, in users: how far pairs that few users have are trusted less.
    """
    root = np.sqrt(popularity(interactions)).astype(np.float64)

    def cosines(rows: slice, products: sparse.csr_array) -> sparse.csr_array:
        scale = np.repeat(root[rows], np.diff(products.indptr)) * root[products.indices] + shrink
        products.data = products.data / scale
        return products

    return stacked([largest(cosines(*block), count) for block in co_occurrence(interactions)])


def ease(interactions: sparse.csr_array, count: int, l2: float) -> sparse.csr_array:
    """Return EASE's weights, with the largest magnitudes of each row.

    With ``P = (RᵀR + λ I)⁻¹`` the weight of history item j for item i is ``B_ji = -P_ji / P_ii`` (Steck 2019,
    "Embarrassingly shallow autoencoders for sparse data", equation 8, https://arxiv.org/abs/1905.03375).

    Parameters
    ----------
    count : int
        Entries kept in each row, >= 1.
    l2 : float
        λ > 0.

    Raises
    ------
    MemoryError
        When the dense inverse doesn't fit; the message says how much it takes.
    """
    n = interactions.shape[1]
    need, free = 16 * n * n, psutil.virtual_memory().available
    if need > free:
        raise MemoryError(
            f"EASE inverts a dense matrix of {n:,} × {n:,} items: that takes {need / 2**30:.1f} GB, and "
            f"{free / 2**30:.1f} GB are free; itemknn and gfcf need no such matrix"
        )
    gram = np.asarray((interactions.T @ interactions).toarray(), np.float64, order="F")
    gram[np.diag_indices(n)] += l2
    factor, failed = lapack.dpotrf(gram, lower=1, overwrite_a=1)
    inverse, failed_too = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise FloatingPointError(f"RᵀR + {l2:g} I is not positive definite: raise l2")
    kept = []
    for start in range(0, n, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n)
        # Only the lower triangle is filled: row i is what lies left of its diagonal, then what lies below it.
        block = inverse[start:stop].copy()
        for row in range(start, stop):
            block[row - start, row:] = inverse[row:, row]
        own = np.arange(start, stop)
        block /= -block[own - start, own, None]
        block[own - start, own] = 0
        kept.append(largest_dense(block, count))
    return stacked(kept)


@dataclass(frozen=True)
class GraphFilter:
    """GF-CF: a linear and an ideal low-pass graph filter of a user's history, in closed form.

    ``s_u = r_u (R̃ᵀR̃ + α D_I^{-1/2} V Vᵀ D_I^{1/2})`` with ``R̃ = D_U^{-1/2} R D_I^{-1/2}`` and V the singular vectors
    of R̃ with the largest values (Shen et al. 2021, "How powerful is graph convolution for recommendation?", algorithm
    1, https://arxiv.org/abs/2108.07567).

    Attributes
    ----------
    normalised : csr_array of shape (n_users, n_items)
        R̃.
    read, write : float32 arrays of shape (n_items, rank)
        ``D_I^{-1/2} V`` turns a history into a spectrum, and ``α D_I^{1/2} V`` that into scores.
    """

    normalised: sparse.csr_array
    read: Table
    write: Table

    @cached_property
    def turned(self) -> sparse.csr_array:
        """R̃ᵀ by rows."""
        return self.normalised.T.tocsr()

    def scores(self, histories: sparse.csr_array) -> Table:
        """Return the exact scores of some histories, shape (len(histories), n_items)."""
        scores: Table = (histories @ self.turned @ self.normalised).toarray().astype(np.float32)
        scores += (histories @ self.read) @ self.write.T
        return scores

    def linear(self, count: int) -> sparse.csr_array:
        """Return ``R̃ᵀR̃`` without its diagonal, with the `count` largest entries of each row."""
        return stacked([largest(block, count) for _, block in co_occurrence(self.normalised)])


def gfcf(interactions: sparse.csr_array, rank: int = 256, alpha: float = 0.3) -> GraphFilter:
    """Solve GF-CF.

    Parameters
    ----------
    rank : int
        Singular vectors, below both sizes of the matrix; 0 leaves the linear filter alone.
    alpha : float
        Weight of the ideal low-pass filter.
    """
    by_user, by_item = (
        np.sqrt(np.maximum(counts, 1)).astype(np.float64)
        for counts in (np.diff(interactions.indptr), popularity(interactions))
    )
    scale = sparse.diags_array(1 / by_user) @ interactions.astype(np.float64) @ sparse.diags_array(1 / by_item)
    normalised = scale.tocsr()
    basis = singular_vectors(normalised, rank)
    read, write = basis / by_item[:, None], alpha * basis * by_item[:, None]
    return GraphFilter(normalised.astype(np.float32), read.astype(np.float32), write.astype(np.float32))


def singular_vectors(table: sparse.csr_array, rank: int) -> Table:
    """Return the right singular vectors of the `rank` largest values, largest first, shape (columns, rank).

    They come with a sign that doesn't depend on the machine: the entry of largest magnitude is positive.
    """
    columns = table.shape[1]
    rank = min(rank, min(table.shape) - 1)
    if rank < 1:
        return np.zeros((columns, 0), np.float32)
    start = np.random.default_rng(0).standard_normal(min(table.shape))
    turned = svds(table, k=rank, v0=start, which="LM")[2][::-1]
    peaks = turned[np.arange(rank), np.abs(turned).argmax(1)]
    return np.ascontiguousarray((turned * np.sign(peaks)[:, None]).T)


def co_occurrence(table: sparse.csr_array) -> Iterator[tuple[slice, sparse.csr_array]]:
    """Yield blocks of rows of ``tableᵀ table`` with the diagonal taken out."""
    turned = table.T.tocsr()
    for start in range(0, turned.shape[0], BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, turned.shape[0]))
        products = (turned[rows] @ table).tocsr()
        row = np.repeat(np.arange(rows.start, rows.stop), np.diff(products.indptr))
        products.data[row == products.indices] = 0
        yield rows, products


def largest(table: sparse.csr_array, count: int) -> sparse.csr_array:
    """Return the `count` entries of largest magnitude of each row, and no zeros; of equal ones those further left."""
    row = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    order = np.lexsort((table.indices, -np.abs(table.data), row))
    place = np.arange(len(order)) - np.repeat(table.indptr[:-1], np.diff(table.indptr))
    chosen = order[(place < count) & (table.data[order] != 0)]
    return entries(row[chosen], table.indices[chosen], table.data[chosen], table.shape)


def largest_dense(table: NDArray[np.float64], count: int) -> sparse.csr_array:
    """Return what `largest` does, of a dense table; of equal ones at the edge any."""
    count = min(count, table.shape[1])
    chosen = torch.from_numpy(np.abs(table)).topk(count, dim=1).indices.numpy()
    row = np.repeat(np.arange(len(table)), count)
    values = np.take_along_axis(table, chosen, 1).ravel()
    kept = values != 0
    return entries(row[kept], chosen.ravel()[kept], values[kept], table.shape)


def stacked(blocks: list[sparse.csr_array]) -> sparse.csr_array:
    """Return blocks of rows as one matrix."""
    made: sparse.csr_array = sparse.vstack(blocks, format="csr")
    return made


def entries(row: Numbers, column: Numbers, values: Numbers, shape: tuple[int, int]) -> sparse.csr_array:
    """Return a float32 matrix in row order with columns ascending."""
    made = sparse.coo_array((values.astype(np.float32), (row, column)), shape=shape).tocsr()
    made.sort_indices()
    return made
