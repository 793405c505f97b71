"""A navigable graph over the rows of a table, along which a query walks to the best of them. Approximate."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.backbones.references import matrix
from recpress.codecs.base import ALL, Codec, Items, Rows, Scorer, Scores, TopKScorer, nbytes, part, prefixed
from recpress.codecs.composite.sparse import Sparse
from recpress.codecs.kernels.fastscan import faiss_threads
from recpress.codecs.registry import register, restore
from recpress.codecs.search.inverted import ranked
from recpress.codecs.tables.constant import Constant
from recpress.codecs.work import Work
from recpress.data.interactions import UserItems


@register
@dataclass(frozen=True)
class Navigable(Codec):
    """A table and a hierarchical navigable small world (HNSW) of its rows (Malkov and Yashunin 2020), built by FAISS.

    It saves time and no bytes: the graph is charged on top of the table. A row is on one level or more. It has a list
    of neighbours on each, up to ``2 m`` on the lowest level, which all rows are on, and up to m on the others.

    Attributes
    ----------
    table : Codec of shape (n, d)
        What it decodes to, and what scores are of.
    levels : uint8 Tensor of shape (n,)
        How many levels a row is on, at least one.
    lists : Sparse of shape (sum of levels, n)
        The neighbours in each list, as a set: those of row 0 from its lowest level up, then those of row 1, and so on.
    m : int
    entry : int
        The row where a walk starts, one of the highest level.
    depth : int
        Rows that a walk keeps in view beyond those that its user has seen (``efSearch``), and rows that it finds.
    """

    kind = "navigable"
    approximate = True
    table: Codec
    levels: Tensor
    lists: Sparse
    m: int
    entry: int
    depth: int

    @classmethod
    def encode(cls, table: Codec, m: int, build: int, depth: int, seed: int = 0) -> Navigable:
        """Build the graph of the rows as they are stored, in one thread: the same seed gives the same bytes.

        Parameters
        ----------
        table : Codec
            Of one row or more.
        m : int >= 2
            Neighbours of a row on each level; twice as many on the lowest.
        build : int >= 1
            Rows in view while a row's neighbours are looked for (``efConstruction``).
        depth : int >= 1
        seed : int
            Of the levels.

        Raises
        ------
        ValueError
            When there is no row, or a value is not finite.
        """
        rows = finite(table)
        if m < 2 or build < 1 or depth < 1:
            raise ValueError(f"a graph has two neighbours and one row in view at least, not {m}, {build} and {depth}")
        index = empty(rows.shape[1], m)
        index.hnsw.rng = faiss.RandomGenerator(seed)  # type: ignore[attr-defined]  # the stub lacks it
        index.hnsw.efConstruction = build
        with faiss_threads(1):
            index.add(rows)
        levels = faiss.vector_to_array(index.hnsw.levels)
        neighbours = faiss.vector_to_array(index.hnsw.neighbors)
        sizes = np.where(floors(levels) == 0, 2 * m, m)
        owners, filled = np.repeat(np.arange(len(sizes)), sizes), neighbours >= 0
        lists = Sparse.from_csr(
            matrix(UserItems.from_pairs(owners[filled], neighbours[filled], len(sizes), len(levels))), Constant.encode
        )
        return cls(table, torch.from_numpy(levels.astype(np.uint8)), lists, m, index.hnsw.entry_point, depth)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.table.shape

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        return self.table.decode(rows)

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        nested = prefixed("table", self.table.tensors()) | prefixed("lists", self.lists.tensors())
        return nested | {"levels": self.levels}

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        own = {"m": self.m, "entry": self.entry, "depth": self.depth}
        return {"table": self.table.spec(), "lists": self.lists.spec(), **own}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`: lists and levels are ``graph``."""
        return self.table.breakdown() + Counter(graph=self.lists.breakdown().total() + nbytes(self.levels))

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Navigable:
        """See `Codec.restore`."""
        table, lists = (restore(options[name], part(name, tensors)) for name in ("table", "lists"))
        if not isinstance(lists, Sparse):
            raise ValueError(f"neighbours are places of a sparse table, not {lists.kind}")
        own = (int(options[name]) for name in ("m", "entry", "depth"))
        made = cls(table, tensors["levels"], lists, *own)
        made._check()
        return made

    def _check(self) -> None:
        """Raise ValueError where a walk could leave the graph: FAISS looks at nothing itself."""
        n, levels = self.shape[0], self.levels.numpy()
        if self.levels.dtype != torch.uint8 or levels.shape != (n,) or not n or self.m < 2 or self.depth < 1:
            raise ValueError(f"levels of {n} rows were expected, and two neighbours and one row in view at least")
        if levels.min() < 1 or levels.max() > most_levels(self.m) or self.lists.shape != (int(levels.sum()), n):
            raise ValueError(f"lists of shape {self.lists.shape} aren't those of the levels of {n} rows")
        if not 0 <= self.entry < n or levels[self.entry] != levels.max():
            raise ValueError(f"row {self.entry} isn't one of the highest level, where a walk starts")
        pointers, columns, _ = self.lists.compressed_rows
        counts, own = np.diff(pointers.numpy()), floors(levels)
        if (counts > np.where(own == 0, 2 * self.m, self.m)).any():
            raise ValueError(f"a row has more neighbours than a graph of m = {self.m} has room for")
        if (levels[columns.numpy()] <= np.repeat(own, counts)).any():
            raise ValueError("a neighbour isn't on the level of the list that it is in")

    def nominal(self) -> int:
        """Count the table's parameters."""
        return self.table.nominal()

    def nonzero(self) -> int:
        """Count the table's parameters that aren't zero."""
        return self.table.nonzero()

    def work(self, queries: int) -> Work:
        """See `Codec.work`: at most all neighbours of the rows in view, in fp32, as if no two were the same."""
        n, columns = self.shape
        walked = min(n, self.depth * -(-self.lists.values.shape[1] // len(self.levels)))
        rows = queries * walked
        return Work({"fp32": rows * columns}, 4 * (columns + 1) * rows)

    def scorer(self) -> Scorer:
        """Return the kernel that walks."""
        return NavigableScorer(self)


class NavigableScorer(TopKScorer):
    """Keep the rows in fp32 and the graph as FAISS has it, walk for each query, and leave out what its user has seen.

    A walk finds `depth` unseen rows, however long a list is asked for. The best of all others follow them.
    """

    kernel = "navigable graph, fp32 rows (approximate)"

    def __init__(self, codec: Navigable) -> None:
        self.index, self.depth = empty(codec.shape[1], codec.m), codec.depth
        rows: Any = faiss.downcast_index(self.index.storage)
        rows.add(finite(codec.table))
        self.index.ntotal = rows.ntotal
        # A view of the rows that the index holds, and no second copy.
        held = faiss.rev_swig_ptr(rows.get_xb(), rows.ntotal * codec.shape[1])
        self.table = torch.from_numpy(held).view(codec.shape)
        hnsw, levels = self.index.hnsw, codec.levels.numpy().astype(np.int32)
        room = codec.m * (levels.astype(np.int64) + 1)
        starts = np.cumsum(np.where(floors(levels) == 0, 2 * codec.m, codec.m))
        pointers, columns, _ = codec.lists.compressed_rows
        counts = pointers.diff().numpy()
        neighbours = np.full(int(room.sum()), -1, np.int32)
        # Where the first of each list lies, less how many are before it in all lists.
        shift = np.concatenate([[0], starts[:-1]]) - pointers[:-1].numpy()
        neighbours[np.arange(len(columns)) + np.repeat(shift, counts)] = columns.numpy()
        faiss.copy_array_to_vector(levels, hnsw.levels)
        faiss.copy_array_to_vector(np.concatenate([[0], np.cumsum(room)]).astype(np.uint64), hnsw.offsets)
        faiss.copy_array_to_vector(neighbours, hnsw.neighbors)
        hnsw.entry_point, hnsw.max_level = codec.entry, int(levels.max()) - 1

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`: of all rows, none left out."""
        return torch.mm(queries, self.table.T, out=out)

    def top(self, queries: Tensor, seen: UserItems, users: NDArray[np.int64], k: int) -> tuple[Items, Scores]:
        """See `TopKScorer.top`: the rows that a walk finds come before all others."""
        items, best = np.full((len(users), k), -1, np.int32), np.full((len(users), k), -np.inf, np.float32)
        invalid = ~torch.isfinite(queries).all(1).numpy()
        if invalid.any():
            raise ValueError(f"the scores of user {int(users[invalid][0])} contain NaN, which can't be ranked")
        for place, user in enumerate(users.tolist()):
            found, scores = self._walk(queries[place], seen.of(user))
            if len(found) < k:
                every = np.arange(len(self.table))
                left_out = np.concatenate([seen.of(user), found])
                more, their = ranked(every, (self.table @ queries[place]).numpy(), left_out, k - len(found))
                found, scores = np.concatenate([found, more]), np.concatenate([scores, their])
            taken = min(len(found), k)
            items[place, :taken], best[place, :taken] = found[:k], scores[:k]
        return items, best

    def _walk(self, query: Tensor, seen: NDArray[np.int32]) -> tuple[Items, Scores]:
        """Return the unseen rows that a walk finds, at most `depth`; what was seen is walked through."""
        depth = min(self.depth, len(self.table))
        left_out = faiss.IDSelectorNot(faiss.IDSelectorBatch(seen.astype(np.int64)))
        reach = self.depth + len(seen)
        view = faiss.SearchParametersHNSW(sel=left_out, efSearch=reach)  # type: ignore[attr-defined]  # the stub lacks it
        scores, found = self.index.search(query[None].numpy(), depth, params=view)
        some = found[0] >= 0
        return ranked(found[0][some], scores[0][some], seen[:0], depth)


def empty(columns: int, m: int) -> Any:
    """Return FAISS's index without rows, typed as its stub can't: that lacks most of what an HNSW has."""
    return faiss.IndexHNSWFlat(columns, m, faiss.METRIC_INNER_PRODUCT)


def finite(table: Codec) -> NDArray[np.float32]:
    """Return the rows of a table, decoded.

    Raises
    ------
    ValueError
        When there is none, or a value is not finite.
    """
    rows: NDArray[np.float32] = table.decode().contiguous().numpy()
    if not rows.size or not np.isfinite(rows).all():
        raise ValueError("a graph is one of finite rows, one at least")
    return rows


def floors(levels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the level of each list, in the order of lists: 0 … levels - 1 of every row."""
    counts = levels.astype(np.int64)
    return np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)


def most_levels(m: int) -> int:
    """Return how many levels FAISS has at most, with so many neighbours."""
    # Held by a name: what it is asked of is a part of it, which would go with it.
    index = empty(1, m)
    return int(index.hnsw.cum_nneighbor_per_level.size()) - 1
