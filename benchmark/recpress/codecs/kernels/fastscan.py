"""Ranking of 4-bit product codes by FAISS's in-register table look-ups, made exact by a bound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import faiss
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import BlockScorer, Items, Scores, TopKScorer
from recpress.codecs.kernels import shortlist
from recpress.core.jit import ahead, kernel
from recpress.data.interactions import UserItems

if TYPE_CHECKING:
    from recpress.codecs.tables.product import Product

BITS = 4
# Candidates taken beyond the list and what its user has seen; twice as many until the bound holds.
SPARE = 64
# Above this share of the rows, candidates cost more than all scores.
DENSE_SHARE = 0.25
# The most that FAISS has a loop for. For one query of a million rows that takes 0.85 of the time of its default, 32.
ROWS_AT_ONCE = 128
# Look-up tables are rounded to this many levels.
TABLE_LEVELS = 255


class FastScanTopKScorer(TopKScorer):
    """Scan 4-bit codes with tables of 16 bytes held in registers (André et al. 2015), then score candidates exactly.

    The scan rounds its tables to 8 bits: its scores err by at most ``(M / 2 + 1) · span / 255``, with M parts and the
    widest table's span. Candidates are scored again as decoded; when the last exact score taken is above every score
    that a row outside of the candidates could have, the list is the exact one. Otherwise more candidates are asked
    for. What is returned is therefore what scoring the decoded table would give.

    Parameters
    ----------
    codec : Product
        Of 4 bits.
    """

    kernel = "FAISS 4-bit fast scan, refined exactly"

    def __init__(self, codec: Product) -> None:
        if codec.bits != BITS or not codec.shape[0]:
            raise ValueError(
                f"{codec.shape[0]} rows of {codec.bits}-bit codes are not scanned: one row of {BITS} bits is"
            )
        parts, _, width = codec.words.shape
        flat = faiss.IndexPQ(parts * width, parts, BITS, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(codec.floats.numpy().ravel(), flat.pq.centroids)
        faiss.copy_array_to_vector(codec.codes.numpy().ravel(), flat.codes)
        flat.is_trained, flat.ntotal = True, codec.shape[0]
        # The index in registers' order keeps a copy: the flat one is let go.
        self._index = faiss.IndexPQFastScan(flat, ROWS_AT_ONCE)  # type: ignore[arg-type]  # the stub lacks this constructor
        self._codec, self._dense = codec, BlockScorer(codec)
        self._codes, self._words = codec.codes.numpy(), codec.floats.numpy()

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`: exact, of all rows."""
        return self._dense.scores(queries, out)

    def top(self, queries: Tensor, seen: UserItems, users: NDArray[np.int64], k: int) -> tuple[Items, Scores]:
        """See `TopKScorer.top`."""
        n, columns = self._codec.shape
        if k < 0 or seen.n_items != n or users.shape != (len(queries),) or queries.shape[1] != columns:
            raise ValueError(f"{len(queries)} queries of {n} items don't fit {len(users)} users, k = {k}")
        longest = shortlist.longest_history(seen.indptr, users)
        if longest < 0:
            raise ValueError(f"user ids must lie in [0, {seen.n_users})")
        padded = self._pad(queries)
        bad = _not_finite(padded)
        if bad >= 0:
            raise ValueError(f"the scores of user {int(users[bad])} contain NaN, which can't be ranked")
        if k == 0 or not len(users):
            return np.full((len(users), k), -1, np.int32), np.full((len(users), k), -np.inf, np.float32)
        # All at first, without copies of some: with the caches full of other work, each small step is felt by one user.
        if k + SPARE + longest <= DENSE_SHARE * n:
            items, best, left = self._some(padded, seen, users, k, k + SPARE + longest)
        else:
            items, best = np.empty((len(users), k), np.int32), np.empty((len(users), k), np.float32)
            left = np.arange(len(users))
        spare = 2 * SPARE
        while len(left):
            history = seen.indptr[users[left] + 1] - seen.indptr[users[left]]
            many = k + spare + history > DENSE_SHARE * n
            for query in left[many]:
                items[query], best[query] = self._all(queries[query], seen.of(users[query]), k)
            left, history = left[~many], history[~many]
            if len(left):
                own = self._some(padded[left], seen, users[left], k, k + spare + int(history.max()))
                items[left], best[left] = own[:2]
                left, spare = left[own[2]], 2 * spare
        return items, best

    def _pad(self, queries: Tensor) -> NDArray[np.float32]:
        parts, _, width = self._words.shape
        missing = parts * width - queries.shape[1]
        return (F.pad(queries, (0, missing)) if missing else queries).contiguous().numpy()

    def _all(self, query: Tensor, seen: NDArray[np.int32], k: int) -> tuple[Items, Scores]:
        """Return the list of one query from the scores of all rows."""
        scores = self.scores(query[None])[0].numpy()
        scores[seen] = -np.inf
        least = np.partition(scores, len(scores) - k)[len(scores) - k] if k < len(scores) else -np.inf
        rows = np.flatnonzero((scores >= least) & (scores > -np.inf))
        return _best(rows, scores[rows], k)

    def _some(
        self, padded: NDArray[np.float32], seen: UserItems, users: NDArray[np.int64], k: int, taken: int
    ) -> tuple[Items, Scores, NDArray[np.int64]]:
        """Return lists from so many candidates each, and which of them may be wrong."""
        with faiss_threads(torch.get_num_threads()):
            rough, found = self._index.search(padded, taken)
        keys, counts = np.empty((len(users), taken), np.int64), np.empty(len(users), np.int64)
        slack = np.empty(len(users), np.float32)
        _refine(found, self._codes, self._words, padded, seen.indptr, seen.items, users, keys, counts, slack)
        items, best = np.empty((len(users), k), np.int32), np.empty((len(users), k), np.float32)
        shortlist.finish(keys, counts, items, best)
        # A row that isn't a candidate scores at most this, and an equal one could have a lower id.
        return items, best, np.flatnonzero(best[:, -1] <= rough[:, -1] + slack)


@ahead("float32[:, ::1]")
@kernel
def _not_finite(queries: NDArray[np.float32]) -> int:
    """Return the first query with a value that is NaN or infinite, or -1."""
    for query in range(len(queries)):
        for value in queries[query]:
            if not np.isfinite(value):
                return query
    return -1


@ahead(
    "int64[:, ::1], uint8[:, ::1], float32[:, :, ::1], float32[:, ::1], int64[::1], int32[::1], "
    "int64[::1], int64[:, ::1], int64[::1], float32[::1]",
)
@kernel
def _refine(
    found: NDArray[np.int64],
    codes: NDArray[np.uint8],
    words: NDArray[np.float32],
    queries: NDArray[np.float32],
    indptr: NDArray[np.int64],
    seen: NDArray[np.int32],
    users: NDArray[np.int64],
    keys: NDArray[np.int64],
    counts: NDArray[np.int64],
    slack: NDArray[np.float32],
) -> None:
    """List each query's unseen candidates with exact scores, sums of look-ups, and say how far a scan errs."""
    parts, size, width = words.shape
    table = np.empty((parts, size), np.float32)
    for query in range(len(found)):
        widest = np.float32(0)
        for place in range(parts):
            low, high = np.float32(np.inf), np.float32(-np.inf)
            for word in range(size):
                product = np.float32(0)
                for column in range(width):
                    product += queries[query, place * width + column] * words[place, word, column]
                table[place, word] = product
                low, high = min(low, product), max(high, product)
            widest = max(widest, high - low)
        slack[query] = (parts / 2 + 1) * widest / TABLE_LEVELS
        own, end = indptr[users[query]], indptr[users[query] + 1]
        count = 0
        for at in range(found.shape[1]):
            row = found[query, at]
            if row < 0 or shortlist.contains(seen, own, end, row):
                continue
            score = np.float32(0)
            for place in range(parts):
                score += table[place, codes[row, place >> 1] >> (BITS * (place & 1)) & 15]
            keys[query, count] = shortlist.key(score, row)
            count += 1
        counts[query] = count


def _best(rows: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> tuple[Items, Scores]:
    """Return the k best of some rows, by score descending, then by row ascending; -1 where there are no more."""
    order = np.lexsort((rows, -scores))[:k]
    items, best = np.full(k, -1, np.int32), np.full(k, -np.inf, np.float32)
    items[: len(order)], best[: len(order)] = rows[order], scores[order]
    return items, best


@contextmanager
def faiss_threads(count: int) -> Iterator[None]:
    """Run FAISS in so many threads."""
    before = faiss.omp_get_max_threads()
    if before == count:  # Setting the same number again takes time that a single user would feel.
        yield
        return
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
