"""Codebook codes, read by kernels: a look-up per code for few queries, decoded a block at a time for many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import BlockScorer, Scorer, blocks
from recpress.core.jit import ahead, kernel

if TYPE_CHECKING:
    from recpress.codecs.tables.product import Codebooks


class LookupScorer(Scorer):
    """Inner products of a query with all words, made once, are added up by the codes (Jégou et al. 2011, ADC).

    A row then costs M look-ups for each query, against d products for each and d values to decode for all: from
    ``queries · M > d`` on, rows are decoded in blocks and multiplied.

    Parameters
    ----------
    codec : Codebooks
    """

    kernel = "a look-up per code; for many queries decoded blocks, fp32 GEMM"

    def __init__(self, codec: Codebooks) -> None:
        self._codec, self._blocks = codec, BlockScorer(codec)

    def scores(self, queries: Tensor, out: Tensor | None = None) -> Tensor:
        """See `Scorer.scores`."""
        codec = self._codec
        if not codec.looks_up(len(queries)):
            return self._blocks.scores(queries, out)
        out = torch.empty(len(queries), codec.shape[0]) if out is None else out
        products, scores = codec.products(queries).numpy(), out.numpy()
        for rows in blocks(codec.shape[0]):
            add_products(codec.named(rows).numpy(), products, scores[:, rows])
        return out


# No views of rows are made in the loops below: numba counts the references of each.


@ahead("uint8[:, ::1], float32[:, :, ::1], float32[:, ::1]")
@kernel
def add_products(codes: NDArray[np.uint8], products: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write into `out`, of shape (B, n), the sums of the products, of shape (B, M, C), that codes of (n, M) name."""
    for query in range(len(products)):
        for row in range(len(codes)):
            total = np.float32(0.0)
            for place in range(products.shape[1]):
                total += products[query, place, codes[row, place]]
            out[query, row] = total


@ahead(
    "uint8[:, ::1], float32[:, :, ::1], float32[:, ::1]",
    "uint8[:, ::1], float64[:, :, ::1], float64[:, ::1]",
    "uint8[:, ::1], complex128[:, :, ::1], complex128[:, ::1]",
)
@kernel
def lay_out(codes: NDArray[np.uint8], words: NDArray[Any], out: NDArray[Any]) -> None:
    """Write the words, of shape (M, C, w), that codes of shape (n, M) name side by side into `out`, of (n, M · w)."""
    parts, _, width = words.shape
    for row in range(len(codes)):
        for place in range(parts):
            code = codes[row, place]
            for column in range(width):
                out[row, place * width + column] = words[place, code, column]


@ahead("uint8[:, ::1], float32[:, :, ::1], float32[:, ::1]")
@kernel
def add_up(codes: NDArray[np.uint8], words: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Write the sums of the words, of shape (M, C, d), that codes of shape (n, M) name into `out`, of shape (n, d)."""
    parts, _, width = words.shape
    for row in range(len(codes)):
        for column in range(width):
            out[row, column] = words[0, codes[row, 0], column]
        for place in range(1, parts):
            code = codes[row, place]
            for column in range(width):
                out[row, column] += words[place, code, column]


def wide(values: NDArray[np.float32], width: int) -> NDArray[Any]:
    """Return a view of values whose last axis is made of words of this width, in the widest type that divides them.

    A word of four float32 is then moved at once.
    """
    return values.view(np.complex128 if width % 4 == 0 else np.float64 if width % 2 == 0 else np.float32)
