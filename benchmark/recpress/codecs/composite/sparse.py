"""Sparse tables: only the non-zero values, with where they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Encoder, Rows, Scorer, nbytes, part, prefixed
from recpress.codecs.composite import elias_fano
from recpress.codecs.packing import pack, row_bytes, unpack
from recpress.codecs.registry import register, restore
from recpress.codecs.tables.dense import Dense
from recpress.codecs.work import Work
from recpress.core.jit import ahead, kernel

Layout = Literal["csr", "bitmap", "elias-fano"]
LAYOUTS: tuple[Layout, ...] = ("csr", "bitmap", "elias-fano")
# Queries of a table this wide are histories, nearly all zeros, and not vectors.
WIDE = 1024


@register
@dataclass(frozen=True)
class Sparse(Codec):
    """The non-zeros of a table in row order, and where they are in one of three layouts.

    CSR costs a byte per non-zero and a byte per row (two each above 256 columns, four above 65,536); a bitmap costs
    ``d / 8`` bytes per row; an Elias–Fano code of ``row * d + column`` about ``2 + log2(n d / nnz)`` bits per non-zero.
    At d = 64 the bitmap is the smallest until about two thirds of the entries are zero, and Elias–Fano from there on.

    Attributes
    ----------
    values : Codec of shape (1, nnz)
    counts : uint8, uint16 or uint32 Tensor of shape (n,), csr only
        Non-zeros of each row. Row pointers are their running sum, made when loading.
    where : uint8, uint16 or uint32 Tensor
        csr: column of each non-zero, shape (nnz,); bitmap: packed bits, shape (n, ceil(d / 8)); elias-fano: bytes.
    layout : {"csr", "bitmap", "elias-fano"}
    rows, columns : int
    """

    kind = "sparse"
    values: Codec
    counts: Tensor | None
    where: Tensor
    layout: Layout
    rows: int
    columns: int

    @classmethod
    def encode(cls, table: Tensor, values: Encoder = Dense.encode, layout: Layout | None = None) -> Sparse:
        """Store the non-zeros of a table.

        Parameters
        ----------
        table : float32 Tensor of shape (n, d)
        values : callable
            How the non-zeros, as one row of shape (1, nnz), are stored in turn.
        layout : {"csr", "bitmap"}, optional
            By default the smaller of the two.

        Raises
        ------
        ValueError
            When a value is NaN or infinite.
        """
        return cls.from_csr(sparse.csr_array(table.numpy()), values, layout)

    @classmethod
    def from_csr(cls, table: sparse.csr_array, values: Encoder = Dense.encode, layout: Layout | None = None) -> Sparse:
        """Store the entries of a scipy matrix, as `encode` does; nothing dense is made unless the layout is a bitmap.

        Parameters
        ----------
        table : csr_array of shape (n, d)
            Columns of each row ascending, each once. Entries that are zero are kept.
        """
        (rows, columns), counts = table.shape, np.diff(table.indptr)
        layout = layout or smaller_layout(rows, columns, table.nnz)
        stored = values(torch.from_numpy(table.data.astype(np.float32))[None, :])
        if layout == "bitmap":
            mask = torch.zeros(rows, columns, dtype=torch.uint8)
            mask[np.repeat(np.arange(rows), counts), table.indices] = 1
            return cls(stored, None, pack(mask, 1), layout, rows, columns)
        if layout == "elias-fano":
            keys = np.repeat(np.arange(rows, dtype=np.int64) * columns, counts) + table.indices
            where = torch.from_numpy(elias_fano.encode(keys, rows * columns))
            return cls(stored, None, where, layout, rows, columns)
        narrow = table.indices.astype(unsigned(columns - 1))
        return cls(
            stored,
            torch.from_numpy(counts.astype(unsigned(columns))),
            torch.from_numpy(narrow),
            layout,
            rows,
            columns,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.rows, self.columns)

    @cached_property
    def compressed_rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """Row pointers (n + 1), columns (nnz) and values (nnz) as int32, int32 and float32: the form that is served."""
        counts, columns = self._places()
        pointers = F.pad(counts.cumsum(0), (1, 0))
        return pointers.int(), columns.int(), self.values.decode()[0]

    def _places(self) -> tuple[Tensor, Tensor]:
        """Return the non-zeros of each row (int64) and the column of each."""
        if self.layout == "bitmap":
            mask = unpack(self.where, self.columns, 1)
            return mask.sum(1), mask.nonzero()[:, 1]
        if self.layout == "elias-fano":
            keys = elias_fano.decode(self.where.numpy(), self.values.shape[1], self.rows * self.columns)
            row, column = np.divmod(keys, self.columns)
            return torch.from_numpy(np.bincount(row, minlength=self.rows)), torch.from_numpy(column)
        assert self.counts is not None
        return widened(self.counts, np.int64), widened(self.where, np.int32)

    def decode(self, rows: Rows = ALL) -> Tensor:
        """See `Codec.decode`."""
        pointers, columns, values = self.compressed_rows
        starts, counts = pointers[:-1][rows].long(), pointers.diff()[rows].long()
        row = torch.repeat_interleave(torch.arange(len(counts)), counts)
        place = torch.arange(len(row)) + (starts - F.pad(counts.cumsum(0), (1, 0))[:-1])[row]
        table = torch.zeros(len(counts), self.columns)
        table[row, columns[place].long()] = values[place]
        return table

    def tensors(self) -> dict[str, Tensor]:
        """See `Codec.tensors`."""
        stored = prefixed("values", self.values.tensors()) | {"where": self.where}
        return stored if self.counts is None else stored | {"counts": self.counts}

    def options(self) -> dict[str, Any]:
        """See `Codec.options`."""
        return {"values": self.values.spec(), "layout": self.layout, "rows": self.rows, "columns": self.columns}

    def breakdown(self) -> Counter[str]:
        """See `Codec.breakdown`."""
        indices = nbytes(self.where) + (0 if self.counts is None else nbytes(self.counts))
        return self.values.breakdown() + Counter(indices=indices)

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Sparse:
        """See `Codec.restore`."""
        values = restore(options["values"], part("values", tensors))
        layout, rows, columns = options["layout"], int(options["rows"]), int(options["columns"])
        if layout not in LAYOUTS or (layout == "csr") != ("counts" in tensors):
            raise ValueError(f"a layout {layout!r} does not go with the tensors {', '.join(tensors)}")
        codec = cls(values, tensors.get("counts"), tensors["where"], layout, rows, columns)
        if values.shape[0] != 1:
            raise ValueError(f"non-zeros are one row, not {values.shape[0]}")
        codec._check(values.shape[1])
        return codec

    def _check(self, nnz: int) -> None:
        """Raise ValueError where the places are not those of `nnz` values in this table."""
        if self.layout == "bitmap" and tuple(self.where.shape) != (self.rows, row_bytes(self.columns, 1)):
            raise ValueError("a bitmap takes a bit per column and row")
        counts, columns = self._places()
        if len(counts) != self.rows or int(counts.sum()) != nnz or len(columns) != nnz:
            raise ValueError(f"{nnz} non-zeros don't match their places in {self.rows} rows")
        if nnz and int(columns.max()) >= self.columns:
            raise ValueError("a non-zero lies outside the table")

    def work(self, queries: int) -> Work:
        """See `Codec.work`: a product per stored value and query."""
        return Work({"fp32": queries * self.values.shape[1]}, self.breakdown().total())

    def nominal(self) -> int:
        """Count the stored values, for a table too wide to ever be dense; else every entry."""
        return self.values.shape[1] if self.columns > WIDE else super().nominal()

    def nonzero(self) -> int:
        """Count the stored values that aren't zero."""
        return sum(int(torch.count_nonzero(row)) for row in self.values.decode())

    def scorer(self) -> Scorer:
        """Return the sparse product; for wide tables the one that skips the zeros of the queries too."""
        return WideSparseScorer(self) if self.columns > WIDE else SparseScorer(self)


class SparseScorer(Scorer):
    """A sparse-times-dense product over compressed rows, as a weighted embedding bag on the queries' columns."""

    kernel = "sparse rows, embedding_bag"

    def __init__(self, codec: Sparse) -> None:
        self.pointers, self.columns, self.values = codec.compressed_rows

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`."""
        products = F.embedding_bag(
            self.columns,
            queries.T.contiguous(),
            self.pointers,
            mode="sum",
            per_sample_weights=self.values,
            include_last_offset=True,
        )
        return products.T if out is None else out.copy_(products.T)


class WideSparseScorer(Scorer):
    """A sparse-times-sparse product: the table by columns, of which each query touches those that it is not zero in."""

    kernel = "sparse columns of non-zero queries"

    def __init__(self, codec: Sparse) -> None:
        pointers, columns, values = (tensor.numpy() for tensor in codec.compressed_rows)
        turned = sparse.csr_array((values, columns, pointers), shape=codec.shape).tocsc()
        self.pointers, self.rows, self.values = turned.indptr, turned.indices, turned.data
        self.n = codec.shape[0]

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`."""
        out = torch.empty(len(queries), self.n) if out is None else out
        add_columns(queries.contiguous().numpy(), self.pointers, self.rows, self.values, out.numpy())
        return out


@ahead("float32[:, ::1], int32[::1], int32[::1], float32[::1], float32[:, ::1]")
@kernel
def add_columns(
    queries: NDArray[np.float32],
    pointers: NDArray[np.int32],
    rows: NDArray[np.int32],
    values: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write ``queries @ table.T`` of a table in CSC form into `out`; each score adds up in the order of the columns."""
    for query in range(len(queries)):
        scores = out[query]
        scores[:] = 0.0
        for column in range(queries.shape[1]):
            weight = queries[query, column]
            if weight != 0:
                for place in range(pointers[column], pointers[column + 1]):
                    scores[rows[place]] += weight * values[place]


def unsigned(largest: int) -> type[np.uint8 | np.uint16 | np.uint32]:
    """Return the narrowest type that holds 0 … `largest`."""
    return np.uint8 if largest < 2**8 else np.uint16 if largest < 2**16 else np.uint32


def widened(tensor: Tensor, type_: type[np.int32 | np.int64]) -> Tensor:
    """Return a tensor of one of torch's unsigned types, which it can't compute with, in a type that it can."""
    return torch.from_numpy(tensor.numpy().astype(type_))


def layout_bytes(layout: Layout, rows: int, columns: int, nnz: int) -> int:
    """Return the index bytes of a layout."""
    if layout == "bitmap":
        return rows * row_bytes(columns, 1)
    if layout == "elias-fano":
        return sum(elias_fano.part_bytes(nnz, rows * columns))
    return nnz * np.dtype(unsigned(columns - 1)).itemsize + rows * np.dtype(unsigned(columns)).itemsize


def smaller_layout(rows: int, columns: int, nnz: int) -> Layout:
    """Return the layout with the fewest index bytes."""
    return min(LAYOUTS, key=lambda layout: layout_bytes(layout, rows, columns, nnz))
