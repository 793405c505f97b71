"""Codebook codes, read by kernels: a look-up per code for few queries, decoded a block at a time for many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.codecs.base import BlockScorer, Scorer
from recpress.jit import kernel

if TYPE_CHECKING:
    from recpress.codecs.product import Codebooks


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
        add_products(codec.codes.numpy(), codec.products(queries).numpy(), codec.bits, out.numpy())
        return out


# Rows whose codes are put into bytes at a time.
ROWS = 1024


@kernel
def put_into_bytes(codes: NDArray[np.uint8], start: int, stop: int, bits: int, out: NDArray[np.uint8]) -> None:
    """Write the codes of some packed rows (see `recpress.codecs.packing`) into the first rows of `out`."""
    for place in range(out.shape[1]):
        first, shift = (place * bits) >> 3, (place * bits) & 7
        for row in range(start, stop):
            word = np.uint32(codes[row, first])
            if shift + bits > 8:
                word |= np.uint32(codes[row, first + 1]) << np.uint32(8)
            out[row - start, place] = (word >> np.uint32(shift)) & np.uint32((1 << bits) - 1)


# No views of rows are made in the loops below: numba counts the references of each.


@kernel
def add_products(codes: NDArray[np.uint8], products: NDArray[np.float32], bits: int, out: NDArray[np.float32]) -> None:
    """Write into `out`, of shape (B, n), the sums of the products, of shape (B, M, 2 ** bits), that the codes name."""
    parts = products.shape[1]
    named = np.empty((ROWS, parts), np.uint8)
    for start in range(0, len(codes), ROWS):
        stop = min(start + ROWS, len(codes))
        if bits < 8:
            put_into_bytes(codes, start, stop, bits, named)
            there, offset = named, start
        else:
            there, offset = codes, 0
        for query in range(len(products)):
            for row in range(start, stop):
                total = np.float32(0.0)
                for place in range(parts):
                    total += products[query, place, there[row - offset, place]]
                out[query, row] = total


@kernel
def lay_out(codes: NDArray[np.uint8], words: NDArray[Any], bits: int, out: NDArray[Any]) -> None:
    """Write the words, of shape (M, 2 ** bits, w), that the codes name side by side into `out`, of shape (n, M · w)."""
    parts, _, width = words.shape
    named = np.empty((ROWS, parts), np.uint8)
    for start in range(0, len(codes), ROWS):
        stop = min(start + ROWS, len(codes))
        put_into_bytes(codes, start, stop, bits, named)
        for row in range(start, stop):
            for place in range(parts):
                code = named[row - start, place]
                for column in range(width):
                    out[row, place * width + column] = words[place, code, column]


@kernel
def add_up(codes: NDArray[np.uint8], words: NDArray[np.float32], bits: int, out: NDArray[np.float32]) -> None:
    """Write the sums of the words, of shape (M, 2 ** bits, d), that the codes name into `out`, of shape (n, d)."""
    parts, _, width = words.shape
    named = np.empty((ROWS, parts), np.uint8)
    for start in range(0, len(codes), ROWS):
        stop = min(start + ROWS, len(codes))
        put_into_bytes(codes, start, stop, bits, named)
        for row in range(start, stop):
            for column in range(width):
                out[row, column] = words[0, named[row - start, 0], column]
            for place in range(1, parts):
                code = named[row - start, place]
                for column in range(width):
                    out[row, column] += words[place, code, column]


def wide(values: NDArray[np.float32], width: int) -> NDArray[Any]:
    """Return a view of values whose last axis is made of words of this width, in the widest type that divides them.

    A word of four float32 is then moved at once.
    """
    return values.view(np.complex128 if width % 4 == 0 else np.float64 if width % 2 == 0 else np.float32)
