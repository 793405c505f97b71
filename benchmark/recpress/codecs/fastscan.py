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

from recpress.codecs.base import BlockScorer, Items, Ranker, Scores
from recpress.data.interactions import UserItems

if TYPE_CHECKING:
    from recpress.codecs.product import Product

BITS = 4
# Candidates taken beyond the list and what its user has seen; twice as many until the bound holds.
SPARE = 64
# Above this share of the rows, candidates cost more than all scores.
DENSE_SHARE = 0.25
# Look-up tables are rounded to this many levels.
TABLE_LEVELS = 255


class FastScanRanker(Ranker):
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
        parts, _, width = codec.words.shape
        flat = faiss.IndexPQ(parts * width, parts, BITS, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(codec.words.float().numpy().ravel(), flat.pq.centroids)
        faiss.copy_array_to_vector(codec.codes.numpy().ravel(), flat.codes)
        flat.is_trained, flat.ntotal = True, codec.shape[0]
        # The index in registers' order keeps a copy: the flat one is let go.
        self._index = faiss.IndexPQFastScan(flat)  # type: ignore[arg-type]  # the stub lacks this constructor
        self._codec, self._dense = codec, BlockScorer(codec)

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`: exact, of all rows."""
        return self._dense.scores(queries, out)

    def top(self, queries: Tensor, seen: UserItems, users: NDArray[np.int64], k: int) -> tuple[Items, Scores]:
        """See `Ranker.top`."""
        n, columns = self._codec.shape
        if k < 0 or seen.n_items != n or users.shape != (len(queries),) or queries.shape[1] != columns:
            raise ValueError(f"{len(queries)} queries of {n} items don't fit {len(users)} users, k = {k}")
        if len(users) and (users.min() < 0 or users.max() >= seen.n_users):
            raise ValueError(f"user ids must lie in [0, {seen.n_users})")
        invalid = ~torch.isfinite(queries).all(1)
        if invalid.any():
            raise ValueError(f"the scores of user {int(users[invalid.numpy()][0])} contain NaN, which can't be ranked")
        items, best = np.full((len(users), k), -1, np.int32), np.full((len(users), k), -np.inf, np.float32)
        if k == 0:
            return items, best
        history = seen.indptr[users + 1] - seen.indptr[users]
        asked, spare = np.arange(len(users)), SPARE
        while len(asked):
            many = k + spare + history[asked] > DENSE_SHARE * n
            for query in asked[many]:
                items[query], best[query] = self._all(queries[query], seen.of(users[query]), k)
            asked, spare = self._some(queries, seen, users, asked[~many], k + spare, items, best), 2 * spare
        return items, best

    def _all(self, query: Tensor, seen: NDArray[np.int32], k: int) -> tuple[Items, Scores]:
        """Return the list of one query from the scores of all rows."""
        scores = self.scores(query[None])[0].numpy()
        scores[seen] = -np.inf
        least = np.partition(scores, len(scores) - k)[len(scores) - k] if k < len(scores) else -np.inf
        rows = np.flatnonzero((scores >= least) & (scores > -np.inf))
        return _best(rows, scores[rows], k)

    def _some(
        self,
        queries: Tensor,
        seen: UserItems,
        users: NDArray[np.int64],
        asked: NDArray[np.int64],
        wanted: int,
        items: Items,
        best: Scores,
    ) -> NDArray[np.int64]:
        """Fill in the lists of the queries asked from this many unseen candidates; return those that may be wrong."""
        if not len(asked):
            return asked
        parts, _, width = self._codec.words.shape
        padded = F.pad(queries[asked], (0, parts * width - queries.shape[1])).contiguous()
        tables = self._codec.products(queries[asked])
        spans = (tables.amax(2) - tables.amin(2)).amax(1)
        slack = ((parts / 2 + 1) * spans / TABLE_LEVELS).numpy()
        taken = wanted + int((seen.indptr[users[asked] + 1] - seen.indptr[users[asked]]).max())
        with faiss_threads(torch.get_num_threads()):
            rough, found = self._index.search(padded.numpy(), taken)
        failed = []
        for place, query in enumerate(asked):
            rows = found[place][~np.isin(found[place], seen.of(users[query]))]
            exact = (self._codec.decode(torch.from_numpy(rows)) @ queries[query]).numpy()
            items[query], best[query] = _best(rows, exact, items.shape[1])
            # A row that isn't a candidate scores at most this, and an equal one could have a lower id.
            if best[query, -1] <= rough[place, -1] + slack[place]:
                failed.append(query)
        return np.array(failed, np.int64)


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
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
