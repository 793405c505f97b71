"""A block of rows decoded into vectors, a lane for each row, and its products with queries; scores of whole tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recpress.codecs.kernels import simd
from recpress.codecs.kernels.simd import LANES, QUERIES
from recpress.core.jit import ahead, kernel


@kernel
def spread(codes: NDArray[np.uint32], block: int, planes: NDArray[np.int64], together: NDArray[np.uint32]) -> None:
    """Put the planes of a block together: one code per byte."""
    for step in range(len(together)):
        for lane in range(LANES):
            together[step, lane] = 0
    for plane in range(len(planes)):
        width, low, first, words = planes[plane]
        simd.spread(
            simd.pointer(codes, (block * codes.shape[1] + first) * LANES),
            words,
            width,
            np.uint32(low),
            simd.pointer(together, 0),
        )


@kernel
def decode(
    codes: NDArray[np.uint32],
    block: int,
    planes: NDArray[np.int64],
    steps: int,
    zero: float,
    scales: NDArray[np.uint16],
    offsets: NDArray[np.uint16],
    together: NDArray[np.uint32],
    values: NDArray[np.float32],
) -> None:
    """Decode a block: a vector per column. `together` is scratch."""
    spread(codes, block, planes, together)
    simd.values_of(
        simd.pointer(together, 0),
        steps,
        zero,
        simd.pointer(scales, block * int(len(scales) > 1) * LANES),
        simd.pointer(offsets, block * int(len(offsets) > 1) * LANES),
        simd.pointer(values, 0),
    )


@kernel
def widen(halves: NDArray[np.uint16], block: int, brain: bool, values: NDArray[np.float32]) -> None:
    """Decode a block of 16-bit numbers: a vector per column."""
    columns = halves.shape[1]
    here, out = simd.pointer(halves, block * columns * LANES), simd.pointer(values, 0)
    if brain:
        simd.widen_bf16(here, columns, out)
    else:
        simd.widen_fp16(here, columns, out)


@kernel
def multiply(
    values: NDArray[np.float32], queries: NDArray[np.float32], first: int, count: int, scores: NDArray[np.float32]
) -> None:
    """Multiply a decoded block with up to `QUERIES` queries: `scores` of shape (QUERIES, LANES)."""
    columns = queries.shape[1]
    if count == QUERIES:
        simd.dot4(
            simd.pointer(values, 0), columns, simd.pointer(queries, first * columns), columns, simd.pointer(scores, 0)
        )
        return
    for row in range(count):
        simd.dot1(
            simd.pointer(values, 0),
            columns,
            simd.pointer(queries, (first + row) * columns),
            0,
            simd.pointer(scores, row * LANES),
        )


@kernel
def _score_block(
    values: NDArray[np.float32],
    first: int,
    queries: NDArray[np.float32],
    scores: NDArray[np.float32],
    out: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    """Write the scores of a decoded block's rows."""
    last = min(first + LANES, out.shape[1])
    for first_query in range(start, stop, QUERIES):
        count = min(QUERIES, stop - first_query)
        multiply(values, queries, first_query, count, scores)
        for row in range(count):
            for item in range(first, last):
                out[first_query + row, item] = scores[row, item - first]


@ahead(
    "uint32[:, :, ::1], int64[:, ::1], int64, float64, uint16[:, ::1], uint16[:, ::1], float32[:, ::1], "
    "float32[:, ::1], int64, int64",
)
@kernel
def score_codes(
    codes: NDArray[np.uint32],
    planes: NDArray[np.int64],
    steps: int,
    zero: float,
    scales: NDArray[np.uint16],
    offsets: NDArray[np.uint16],
    queries: NDArray[np.float32],
    out: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    """Write the scores of all rows of codes for queries in [start, stop)."""
    together = np.empty((steps, LANES), np.uint32)
    values = np.empty((4 * steps, LANES), np.float32)
    scores = np.empty((QUERIES, LANES), np.float32)
    for block in range(len(codes)):
        decode(codes, block, planes, steps, zero, scales, offsets, together, values)
        _score_block(values, block * LANES, queries, scores, out, start, stop)


@ahead("uint16[:, :, ::1], bool, float32[:, ::1], float32[:, ::1], int64, int64")
@kernel
def score_halves(
    halves: NDArray[np.uint16],
    brain: bool,
    queries: NDArray[np.float32],
    out: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    """Write the scores of all rows of 16-bit numbers for queries in [start, stop)."""
    values = np.empty((halves.shape[1], LANES), np.float32)
    scores = np.empty((QUERIES, LANES), np.float32)
    for block in range(len(halves)):
        widen(halves, block, brain, values)
        _score_block(values, block * LANES, queries, scores, out, start, stop)
