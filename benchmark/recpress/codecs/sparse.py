"""Sparse tables: only the non-zero values, with where they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.codecs.base import ALL, Codec, Encoder, Rows, Scorer, nbytes, part, prefixed
from recpress.codecs.dense import Dense
from recpress.codecs.packing import pack, row_bytes, unpack
from recpress.codecs.work import Work

Layout = Literal["csr", "bitmap"]


@dataclass(frozen=True)
class Sparse(Codec):
    """The non-zeros of a table in row order, and either their columns (csr) or a bit per entry (bitmap).

    CSR costs a byte per non-zero and a byte per row (two each above 256 columns); a bitmap costs ``d / 8`` bytes per
    row. At d = 64 the bitmap is smaller until about 89 % of the entries are zero.

    Attributes
    ----------
    values : Codec of shape (1, nnz)
    counts : uint8 or uint16 Tensor of shape (n,), csr only
        Non-zeros of each row. Row pointers are their running sum, made when loading.
    where : uint8 or uint16 Tensor
        csr: column of each non-zero, shape (nnz,); bitmap: packed bits, shape (n, ceil(d / 8)).
    layout : {"csr", "bitmap"}
    columns : int
    """

    kind = "sparse"
    values: Codec
    counts: Tensor | None
    where: Tensor
    layout: Layout
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
            When a value is NaN or infinite, or there are more than 65,536 columns.
        """
        if table.shape[1] > 2**16:
            raise ValueError(f"at most 65,536 columns can be indexed, not {table.shape[1]}")
        mask = table != 0
        layout = layout or smaller_layout(table.shape[0], table.shape[1], int(mask.sum()))
        stored = values(table[mask][None, :])
        if layout == "bitmap":
            return cls(stored, None, pack(mask.byte(), 1), layout, table.shape[1])
        width = index_type(table.shape[1])
        counts = mask.sum(1).numpy().astype(count_type(table.shape[1]))
        where = mask.nonzero()[:, 1].numpy().astype(width)
        return cls(stored, torch.from_numpy(counts), torch.from_numpy(where), layout, table.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (len(self.where) if self.counts is None else len(self.counts), self.columns)

    @cached_property
    def compressed_rows(self) -> tuple[Tensor, Tensor, Tensor]:
        """Row pointers (n + 1), columns (nnz) and values (nnz) as int32, int32 and float32: the form that is served."""
        if self.counts is None:
            mask = unpack(self.where, self.columns, 1)
            counts, columns = mask.sum(1), mask.nonzero()[:, 1]
        else:
            counts = torch.from_numpy(self.counts.numpy().astype(np.int64))
            columns = torch.from_numpy(self.where.numpy().astype(np.int32))
        pointers = F.pad(counts.cumsum(0), (1, 0))
        return pointers.int(), columns.int(), self.values.decode()[0]

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
        return {"values": self.values.spec(), "layout": self.layout, "columns": self.columns}

    def ledger(self) -> Counter[str]:
        """See `Codec.ledger`."""
        indices = nbytes(self.where) + (0 if self.counts is None else nbytes(self.counts))
        return self.values.ledger() + Counter(indices=indices)

    @classmethod
    def restore(cls, options: dict[str, Any], tensors: dict[str, Tensor]) -> Sparse:
        """See `Codec.restore`."""
        from recpress.codecs import restore

        values = restore(options["values"], part("values", tensors))
        counts, where, columns = tensors.get("counts"), tensors["where"], int(options["columns"])
        if counts is None:
            if where.dim() != 2 or where.shape[1] != row_bytes(columns, 1):
                raise ValueError("a bitmap takes a bit per column and row")
            nnz = int(unpack(where, columns, 1).sum())
        else:
            nnz = int(counts.numpy().astype(np.int64).sum())
            if len(where) != nnz or (nnz and int(where.numpy().max()) >= columns):
                raise ValueError("columns of the non-zeros don't match their counts or lie outside the table")
        if values.shape != (1, nnz):
            raise ValueError(f"{nnz} non-zeros have values of shape {values.shape}")
        return cls(values, counts, where, "bitmap" if counts is None else "csr", columns)

    def work(self, queries: int) -> Work:
        """See `Codec.work`: a product per stored value and query."""
        return Work({"fp32": queries * self.values.shape[1]}, self.ledger().total())

    def scorer(self) -> Scorer:
        """Return the sparse product."""
        return SparseScorer(self)


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


def index_type(columns: int) -> type[np.uint8 | np.uint16]:
    """Return the narrowest type that holds a column."""
    return np.uint8 if columns <= 2**8 else np.uint16


def count_type(columns: int) -> type[np.uint8 | np.uint16]:
    """Return the narrowest type that holds a count of up to `columns`."""
    return np.uint8 if columns < 2**8 else np.uint16


def layout_bytes(layout: Layout, rows: int, columns: int, nnz: int) -> int:
    """Return the index bytes of a layout."""
    if layout == "bitmap":
        return rows * row_bytes(columns, 1)
    return nnz * np.dtype(index_type(columns)).itemsize + rows * np.dtype(count_type(columns)).itemsize


def smaller_layout(rows: int, columns: int, nnz: int) -> Layout:
    """Return the layout with fewer index bytes."""
    layouts: tuple[Layout, Layout] = ("csr", "bitmap")
    return min(layouts, key=lambda layout: layout_bytes(layout, rows, columns, nnz))
