"""Inverted lists: the rows of a table by the nearest of a few centres, of which a query visits some. Approximate."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Items, Rows, Scorer, Scores, TopKScorer, nbytes, no_floats, part, prefixed
from recpress.codecs.composite.sparse import unsigned, widened
from recpress.codecs.kernels.fastscan import faiss_threads
from recpress.codecs.registry import register, restore
from recpress.codecs.tables.exponent import exponent, lost, shift
from recpress.codecs.tables.product import configure
from recpress.codecs.work import Work
from recpress.data.interactions import UserItems


@register
@dataclass(frozen=True)
class Inverted(Codec):
    """A table, and which list each of its rows is in (the IVF of Sivic and Zisserman 2003 and Jégou et al. 2011).

    It saves time and no bytes: centres and the numbers of lists are charged on top of the table.

    Attributes
    ----------
    table : Codec of shape (n, d)
        What it decodes to, and what scores are of.
    centres : float16 Tensor of shape (c, d)
    lists : uint8, uint16 or uint32 Tensor of shape (n,)
        The centre of each row.
    probes : int
        Lists that a query visits, in the order of its products with the centres.
    """

    kind = "inverted"
    approximate = True
    table: Codec
    centres: Tensor
    lists: Tensor
    probes: int

    @classmethod
    def encode(cls, rows: Tensor, table: Codec, cells: int, probes: int, seed: int = 0) -> Inverted:
        """Find centres by k-means, in one thread: the same seed gives the same bytes.

        Parameters
        ----------
        rows : float32 Tensor of shape (n, d)
        table : Codec
            That stores them.
        cells : int in [1, n]
            Lists.
        probes : int in [1, cells]
        seed : int

        Raises
        ------
        ValueError
            When there are more lists than rows, more visits than lists, or a value is not finite.
        """
        if not 1 <= probes <= cells <= len(rows):
            raise ValueError(f"{probes} of {cells} lists of {len(rows)} rows can't be visited")
        if table.shape != tuple(rows.shape) or not rows.shape[1]:
            raise ValueError(f"rows of shape {tuple(rows.shape)} don't go with a table of {table.shape}")
        if not torch.isfinite(rows).all():
            raise ValueError("a value is not finite")
        if lost(rows, rows.abs().max()):
            # Which centre is nearest doesn't depend on the size of all, nor does the order of products with them.
            rows = shift(rows, -exponent(rows))
        clustering = faiss.Clustering(rows.shape[1], cells)
        configure(clustering, seed)
        with faiss_threads(1):
            found = faiss.IndexFlatL2(rows.shape[1])
            clustering.train(rows.contiguous().numpy(), found)
            stored = torch.from_numpy(faiss.vector_to_array(clustering.centroids)).view(cells, -1).half()
            # The nearest of the centres as they are stored.
            nearest = faiss.IndexFlatL2(rows.shape[1])
            nearest.add(stored.float().numpy())
            lists = nearest.search(rows.contiguous().numpy(), 1)[1][:, 0]
        return cls(table, stored, torch.from_numpy(lists.astype(unsigned(cells - 1))), probes)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.table.shape

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        return self.table.decode(rows)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        return prefixed("table", self.table.tensors()) | {"centres": self.centres, "lists": self.lists}

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"table": self.table.spec(), "probes": self.probes}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        return self.table.breakdown() + Counter(codebooks=nbytes(self.centres), indices=nbytes(self.lists))

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Inverted:
        """See `Codec.restore`."""
        table = restore(options["table"], part("table", tensors))
        centres, lists, probes = tensors["centres"], tensors["lists"], int(options["probes"])
        if (
            no_floats(centres)
            or centres.dim() != 2
            or centres.shape[1] != table.shape[1]
            or not torch.isfinite(centres).all()
        ):
            raise ValueError(f"centres of {tuple(centres.shape)} aren't rows of a table of {table.shape[1]} columns")
        if tuple(lists.shape) != (table.shape[0],) or not 1 <= probes <= len(centres):
            raise ValueError(f"{probes} of {len(centres)} lists can't be visited for {table.shape[0]} rows")
        if len(lists) and int(widened(lists, np.int64).max()) >= len(centres):
            raise ValueError("a row is in a list that isn't there")
        return cls(table, centres, lists, probes)

    def nominal(self) -> int:
        """Count the table's parameters."""
        return self.table.nominal()

    def nonzero(self) -> int:
        """Count the table's parameters that aren't zero."""
        return self.table.nonzero()

    def work(self, queries: int) -> Work:
        """See `Codec.work`: the centres, and fp32 rows of lists of the mean length."""
        (n, columns), cells = self.shape, len(self.centres)
        rows = queries * (cells + n * self.probes // cells)
        return Work({"fp32": rows * columns}, 4 * columns * rows)

    def scorer(self) -> Scorer:
        """Return the kernel that visits lists."""
        return InvertedScorer(self)


class InvertedScorer(TopKScorer):
    """Keep the rows in fp32 in the order of their lists, and multiply those of the lists that a query visits.

    Where they don't hold k unseen rows, the best of the other lists follow them: what comes first does not depend on k.
    """

    kernel = "inverted lists, fp32 rows (approximate)"

    def __init__(self, codec: Inverted) -> None:
        lists = widened(codec.lists, np.int64)
        self.rows = torch.sort(lists, stable=True).indices
        self.ends = np.concatenate([[0], np.cumsum(np.bincount(lists.numpy(), minlength=len(codec.centres)))])
        self.table = codec.table.decode()[self.rows].contiguous()
        self.centres, self.probes = codec.centres.float(), codec.probes

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`: of all rows, none left out."""
        made = torch.empty(len(queries), len(self.rows)) if out is None else out
        made[:, self.rows] = queries @ self.table.T
        return made

    def top(self, queries: Tensor, seen: UserItems, users: NDArray[np.int64], k: int) -> tuple[Items, Scores]:
        """See `TopKScorer.top`: the best of the rows in the lists that are visited come before all others."""
        items, best = np.full((len(users), k), -1, np.int32), np.full((len(users), k), -np.inf, np.float32)
        near = (queries @ self.centres.T).topk(self.probes, dim=1).indices.numpy()
        for place, user in enumerate(users.tolist()):
            found, scores = self._best(queries[place], near[place], seen.of(user), k)
            if len(found) < k:
                others = np.setdiff1d(np.arange(len(self.centres)), near[place])
                more, their = self._best(queries[place], others, seen.of(user), k - len(found))
                found, scores = np.concatenate([found, more]), np.concatenate([scores, their])
            items[place, : len(found)], best[place, : len(found)] = found, scores
        return items, best

    def _best(self, query: Tensor, cells: NDArray[np.int64], seen: NDArray[np.int32], k: int) -> tuple[Items, Scores]:
        if not len(cells):
            return np.empty(0, np.int32), np.empty(0, np.float32)
        spans = [slice(self.ends[cell], self.ends[cell + 1]) for cell in cells.tolist()]
        rows = torch.cat([self.rows[span] for span in spans]).numpy()
        scores = torch.cat([self.table[span] @ query for span in spans]).numpy()
        return ranked(rows, scores, seen, k)


def ranked(rows: NDArray[np.int64], scores: Scores, left_out: NDArray[np.integer], k: int) -> tuple[Items, Scores]:
    """Return the k best of some rows, fewer where there are fewer, by score descending, then by row ascending.

    Parameters
    ----------
    rows : int64 array of shape (m,)
    scores : float32 array of shape (m,)
        Overwritten with -inf where a row is left out.
    left_out : integer array
        Rows that are not ranked.
    k : int

    Raises
    ------
    ValueError
        When a score is NaN.
    """
    if np.isnan(scores).any():
        raise ValueError("a score is NaN, which can't be ranked")
    scores[np.isin(rows, left_out)] = -np.inf
    if 0 < k < len(rows):
        # Ties at the end of the list are all looked at, so that the lowest row wins.
        near = np.flatnonzero(scores >= np.partition(scores, -k)[-k])
        rows, scores = rows[near], scores[near]
    order = np.lexsort((rows, -scores))[:k]
    order = order[scores[order] > -np.inf]
    return rows[order].astype(np.int32), scores[order]
