"""Shared parts of pruning methods: exact masks, storage of the remaining values, and the bytes of both."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor

from recpress.codecs.base import Encoder
from recpress.codecs.composite.sparse import LAYOUTS, Sparse, layout_bytes
from recpress.codecs.tables.dense import Dense
from recpress.codecs.tables.uniform import Uniform

ValueName = Literal["fp32", "fp16", "int8"]
ENCODERS: dict[ValueName, Encoder] = {
    "fp32": Dense.encode,
    "fp16": partial(Dense.encode, values="fp16"),
    "int8": partial(Uniform.encode, bits=8, granularity="tensor", symmetric=True),
}
VALUE_BYTES: dict[ValueName, int] = {"fp32": 4, "fp16": 2, "int8": 1}


def largest_mask(scores: Tensor, sparsity: float) -> Tensor:
    """Return the mask that keeps the largest scores of each row.

    Parameters
    ----------
    scores : Tensor of shape (r, size)
        A single row to rank everything at once.
    sparsity : float in [0, 1]
        ``round(sparsity · size)`` entries of each row go. Of equal scores the later one goes first, so that the count
        is exact.

    Returns
    -------
    bool Tensor of the same shape
    """
    keep = scores.shape[1] - round(sparsity * scores.shape[1])
    kept = scores.argsort(dim=1, descending=True, stable=True)[:, :keep]
    return torch.zeros_like(scores, dtype=torch.bool).scatter_(1, kept, True)


def sparsities(columns: int) -> list[float]:
    """Return the sparsities among which a budget is met, least first: a sixteenth of a value a row apart."""
    most = 16 * columns
    return [1 - kept / most for kept in range(most, 0, -1)]


def encode(table: Tensor, values: ValueName) -> Sparse:
    """Store the non-zeros of a table in the layout that takes least."""
    return Sparse.encode(table, ENCODERS[values])


def tensor_bytes(rows: int, columns: int, sparsity: float, values: ValueName) -> int:
    """Return the most bytes that two tables of `rows` rows together take once pruned.

    The sum over both tables of the smallest layout is at most that of one layout for both, which is what is counted.
    """
    kept = rows * columns - round(sparsity * rows * columns)
    return kept * VALUE_BYTES[values] + min(layout_bytes(each, rows, columns, kept) for each in LAYOUTS)
