"""Scorers of tables whose rows are codes on an even grid, or 16-bit numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import Items, Scores, TopKScorer
from recpress.codecs.kernels import blocks, scan, shortlist, simd
from recpress.codecs.kernels.lanes import lay_codes, lay_halves, lay_scales
from recpress.core.jit import in_threads
from recpress.data.interactions import UserItems

# Where seen items of each user begin, all of them, the users; k, and the short lists with their counts and floors.
Lists = tuple[
    NDArray[np.int64],
    NDArray[np.int32],
    NDArray[np.int64],
    int,
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.float32],
]

# Below this many products of a query and a row, handing work to a second thread costs more than it saves.
PRODUCTS_PER_THREAD = 1 << 20


class LaneScorer(TopKScorer):
    """Base of the scorers: queries padded to the columns of the layout, and split over torch's threads.

    Parameters
    ----------
    n, columns : int
        Shape of the table.
    padded : int
        Columns as laid out.
    """

    def __init__(self, n: int, columns: int, padded: int) -> None:
        self.n, self.columns, self.padded = n, columns, padded

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`."""
        if out is None:
            out = torch.empty(len(queries), self.n)
        work = partial(self._score, self._pad(queries), out.numpy())
        in_threads(work, len(queries), _threads(len(queries), self.n))
        return out

    def top(self, queries: Tensor, seen: UserItems, users: NDArray[np.int64], k: int) -> tuple[Items, Scores]:
        """See `TopKScorer.top`."""
        if k < 0 or seen.n_items != self.n or users.shape != (len(queries),):
            raise ValueError(f"{len(queries)} queries of {self.n} items don't fit {len(users)} users, k = {k}")
        users = np.ascontiguousarray(users, np.int64)
        if shortlist.longest_history(seen.indptr, users) < 0:
            raise ValueError(f"user ids must lie in [0, {seen.n_users})")
        items, best = np.empty((len(users), k), np.int32), np.empty((len(users), k), np.float32)
        if k == 0:
            return items, best
        counts = np.zeros(len(users), np.int64)
        keys = np.empty((len(users), shortlist.room(k)), np.int64)
        floors = np.full(len(users), -np.inf, np.float32)
        rank = self._ranking(self._pad(queries), (seen.indptr, seen.items, users, k, keys, counts, floors))
        for bad in in_threads(rank, len(users), _threads(len(users), self.n)):
            if bad >= 0:
                raise ValueError(f"the scores of user {int(users[bad])} contain NaN, which can't be ranked")
        shortlist.finish(keys, counts, items, best)
        return items, best

    def _pad(self, queries: Tensor) -> NDArray[np.float32]:
        if queries.shape[1] != self.columns:
            raise ValueError(f"queries have {queries.shape[1]} columns and the table {self.columns}")
        if self.padded == self.columns:
            return queries.detach().contiguous().numpy()
        padded = np.zeros((len(queries), self.padded), np.float32)
        padded[:, : self.columns] = queries.detach().numpy()
        return padded

    @abstractmethod
    def _score(self, queries: NDArray[np.float32], out: NDArray[np.float32], start: int, stop: int) -> None:
        """Write the scores of queries in [start, stop)."""

    @abstractmethod
    def _ranking(self, queries: NDArray[np.float32], lists: Lists) -> Callable[[int, int], int]:
        """Return what ranks queries in [start, stop) and returns the first with a NaN, or -1."""


class CodeScorer(LaneScorer):
    """Rows ``scale · (code - zero) + offset``.

    With AVX-512 VNNI, rows that can't be among the best are passed over by an integer product and a bound; what is
    ranked are float32 products with the decoded values, and so the lists are those of the decoded table.

    Parameters
    ----------
    packed : uint8 Tensor of shape (n, row_bytes(columns, bits))
        As `recpress.codecs.packing` says. It is copied in another order and not kept.
    columns, bits : int
    scale : float16 Tensor of shape (n, 1) or (1, 1)
        Not negative.
    offset : float16 Tensor of either shape, or None
    zero : float
        In [0, 2 ** bits - 1].
    vnni : bool, optional
        Whether to use those instructions; by default where there are any.
    """

    def __init__(
        self,
        packed: Tensor,
        columns: int,
        bits: int,
        scale: Tensor,
        offset: Tensor | None = None,
        zero: float = 0.0,
        vnni: bool | None = None,
    ) -> None:
        lanes = lay_codes(packed.contiguous().numpy(), columns, bits)
        super().__init__(len(packed), columns, 4 * lanes.steps)
        # Products of bytes are summed in 32 bits.
        fits = columns * 127 * (2**bits - 1) < 2**31
        self.vnni = fits and (simd.has_vnni() if vnni is None else vnni)
        self.kernel = f"{bits}-bit codes, " + ("VNNI bound, fp32 rank" if self.vnni else "fp32 blocks")
        offset = torch.zeros(1, 1, dtype=torch.float16) if offset is None else offset
        scales, offsets = (lay_scales(_bits(each)[:, 0], len(lanes.codes)) for each in (scale, offset))
        self._levels, self._zero = 2**bits - 1, float(zero)
        self._table = (lanes.codes, lanes.planes, lanes.steps, self._zero, scales, offsets)
        self._largest_offset = float(offset.float().abs().max()) if len(offset) else 0.0

    def _score(self, queries: NDArray[np.float32], out: NDArray[np.float32], start: int, stop: int) -> None:
        blocks.score_codes(*(*self._table, queries, out, start, stop))

    def _ranking(self, queries: NDArray[np.float32], lists: Lists) -> Callable[[int, int], int]:
        if not self.vnni:
            return partial(scan.rank_codes, *(*self._table, self.n, queries, *lists))
        in_bytes = np.zeros(queries.shape, np.int8)
        bounds = np.empty((len(queries), 4), np.float32)
        scan.bound(queries, self.columns, self._levels, self._zero, self._largest_offset, in_bytes, bounds)
        rounded = (in_bytes.view(np.int32), bounds)
        arguments = (*self._table, *rounded, self.n, queries, *lists)

        def rank(start: int, stop: int) -> int:
            if stop - start == 1:
                return scan.rank_codes_alone(*arguments, start)
            return scan.rank_codes_vnni(*arguments, start, stop)

        return rank


class HalfScorer(LaneScorer):
    """Rows of float16 or bfloat16 numbers, widened in registers: exact products in float32.

    Parameters
    ----------
    values : float16 or bfloat16 Tensor of shape (n, d)
        Copied in another order and not kept.
    """

    def __init__(self, values: Tensor) -> None:
        self._halves = lay_halves(_bits(values))
        super().__init__(len(values), values.shape[1], self._halves.shape[1])
        self._brain = values.dtype == torch.bfloat16
        self.kernel = ("bf16" if self._brain else "fp16") + " rows, fp32 products"

    def _score(self, queries: NDArray[np.float32], out: NDArray[np.float32], start: int, stop: int) -> None:
        blocks.score_halves(self._halves, self._brain, queries, out, start, stop)

    def _ranking(self, queries: NDArray[np.float32], lists: Lists) -> Callable[[int, int], int]:
        return partial(scan.rank_halves, self._halves, self._brain, self.n, queries, *lists)


def _bits(values: Tensor) -> NDArray[np.uint16]:
    return values.contiguous().view(torch.int16).numpy().view(np.uint16)


def _threads(queries: int, rows: int) -> int:
    """Return into how many ranges queries are split: as many as torch has threads, fewer where there is little work."""
    return min(torch.get_num_threads(), queries, queries * rows // PRODUCTS_PER_THREAD)
