"""Exact top-K in one pass over a packed table: the product is looked at while it is in registers and never stored.

Every kernel keeps a short list per query. A row gets an exact score, in float32 over the decoded values, only where it
may enter the list. Blocks of a sample are visited first, so that a table whose best rows come last is not
slower than any other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recpress.codecs.kernels import simd
from recpress.codecs.kernels.blocks import decode, multiply, spread, widen
from recpress.codecs.kernels.shortlist import offer, thin, worst_score
from recpress.codecs.kernels.simd import LANES, QUERIES
from recpress.core.jit import ahead, kernel

SAMPLE = 64
"""One block of so many is visited before the others."""

_NOTHING = -1


@kernel
def _block_at(visit: int, blocks: int) -> int:
    """Return the block of a visit: every 64th first, then all; -1 for one that has been visited."""
    sample = (blocks + SAMPLE - 1) // SAMPLE
    if visit < sample:
        return visit * SAMPLE
    block = visit - sample
    return _NOTHING if block % SAMPLE == 0 else block


@kernel
def _take(
    mask: int,
    block: int,
    n: int,
    scores: NDArray[np.float32],
    seen: NDArray[np.int32],
    start: int,
    stop: int,
    keys: NDArray[np.int64],
    counts: NDArray[np.int64],
    floors: NDArray[np.float32],
    query: int,
    k: int,
) -> bool:
    """Offer rows of a block to a query's list, and thin it when it is full; return whether a score is NaN."""
    line = keys[query]
    count = offer(mask, block * LANES, n, scores, seen, start, stop, line, counts[query])
    if count > len(line) - LANES:
        count = thin(line, count, k, k + k // 16)
        floors[query] = worst_score(line, count)
    counts[query] = count
    return count < 0


@ahead("float32[:, ::1], int64, int64, float64, float64, int8[:, ::1], float32[:, ::1]")
@kernel
def bound(
    queries: NDArray[np.float32],
    columns: int,
    levels: int,
    zero: float,
    largest_offset: float,
    in_bytes: NDArray[np.int8],
    bounds: NDArray[np.float32],
) -> None:
    """Round queries to signed bytes, and fill in what bounds their scores: step, constant, total and slack.

    With ``q = step · b + δ``, ``z`` the code of zero and m half the highest code, a row of codes c scores

        scale · (step · b·c + δ·c - z Σq) + offset · Σq,  where  δ·c <= m Σδ + m Σ|δ|.

    The constant is ``m Σδ + m Σ|δ| - z Σq`` and what rounding in float32 can add to it, the total is ``Σq``, and the
    slack is what rounding can add to the term of the offset.
    """
    for row in range(len(queries)):
        largest, total, magnitude = 0.0, 0.0, 0.0
        for column in range(columns):
            value = np.float64(queries[row, column])
            largest = max(largest, abs(value))
            total += value
            magnitude += abs(value)
        step = np.float64(np.float32(largest / 127))
        rest, error = 0.0, 0.0
        for column in range(columns):
            value = np.float64(queries[row, column])
            byte = min(max(np.rint(value / step), -127.0), 127.0) if step > 0 else 0.0
            in_bytes[row, column] = np.int8(byte)
            left = value - step * byte
            rest += left
            error += abs(left)
        rounding = (columns + 16) * 2.0**-22 * magnitude
        constant = levels / 2 * (rest + error) - zero * total + rounding * levels
        bounds[row, 0] = step
        bounds[row, 1] = constant if np.isfinite(constant) else np.inf
        bounds[row, 2] = total
        bounds[row, 3] = rounding * largest_offset


@ahead(
    "uint32[:, :, ::1], int64[:, ::1], int64, float64, uint16[:, ::1], uint16[:, ::1], int32[:, ::1], "
    "float32[:, ::1], int64, float32[:, ::1], int64[::1], int32[::1], int64[::1], int64, int64[:, ::1], "
    "int64[::1], float32[::1], int64, int64",
    where=simd.has_vnni,
)
@kernel
def rank_codes_vnni(
    codes: NDArray[np.uint32],
    planes: NDArray[np.int64],
    steps: int,
    zero: float,
    scales: NDArray[np.uint16],
    offsets: NDArray[np.uint16],
    words: NDArray[np.int32],
    bounds: NDArray[np.float32],
    n: int,
    queries: NDArray[np.float32],
    indptr: NDArray[np.int64],
    seen: NDArray[np.int32],
    users: NDArray[np.int64],
    k: int,
    keys: NDArray[np.int64],
    counts: NDArray[np.int64],
    floors: NDArray[np.float32],
    start: int,
    stop: int,
) -> int:
    """Rank rows of codes for queries in [start, stop), looking with integer products for rows that may matter.

    `words` are the queries' bytes, four to a word, and `bounds` what `bound` says of them.

    Returns
    -------
    int
        The first query for which a score is NaN, or -1.
    """
    blocks, asked = len(codes), stop - start
    each_scale, each_offset = int(len(scales) > 1), int(len(offsets) > 1)
    together = np.empty((steps, LANES), np.uint32)
    values = np.empty((4 * steps, LANES), np.float32)
    scores = np.empty(LANES, np.float32)
    bytes_plane = np.empty((1, 4), np.int64)
    bytes_plane[0, 0], bytes_plane[0, 1], bytes_plane[0, 2], bytes_plane[0, 3] = 8, 0, 0, steps
    for visit in range(blocks + (blocks + SAMPLE - 1) // SAMPLE):
        block = _block_at(visit, blocks)
        if block < 0:
            continue
        scale = simd.pointer(scales, block * each_scale * LANES)
        offset = simd.pointer(offsets, block * each_offset * LANES)
        spread(codes, block, planes, together)
        decoded = False
        for row in range(asked):
            at = start + row
            floor = floors[at] - bounds[at, 3]
            mask = simd.reaching(
                simd.pointer(together, 0),
                simd.pointer(bytes_plane, 0),
                1,
                simd.pointer(words, at * steps),
                scale,
                offset,
                bounds[at, 0],
                bounds[at, 1],
                bounds[at, 2],
                floor,
            )
            if mask == 0:
                continue
            if not decoded:
                decoded = True
                simd.values_of(simd.pointer(together, 0), steps, zero, scale, offset, simd.pointer(values, 0))
            simd.dot1(
                simd.pointer(values, 0),
                queries.shape[1],
                simd.pointer(queries, at * queries.shape[1]),
                0,
                simd.pointer(scores, 0),
            )
            mask &= simd.reached(simd.pointer(scores, 0), floors[at])
            own, end = indptr[users[at]], indptr[users[at] + 1]
            if mask and _take(mask, block, n, scores, seen, own, end, keys, counts, floors, at, k):
                return at
    return -1


@kernel
def _next_reaching(
    codes: NDArray[np.uint32],
    planes: NDArray[np.int64],
    steps: int,
    scales: NDArray[np.uint16],
    offsets: NDArray[np.uint16],
    words: NDArray[np.int32],
    bounds: NDArray[np.float32],
    at: int,
    floor: np.float32,
    block: int,
    every: int,
) -> int:
    """Return the next block, of every so many from one on, of which a row's bound reaches the floor.

    Those of the sample are passed over when each is visited. Nothing but this is in the loop: most blocks end here.
    """
    each_scale, each_offset = int(len(scales) > 1) * LANES, int(len(offsets) > 1) * LANES
    stride = codes.shape[1] * LANES
    step, constant, total = bounds[at, 0], bounds[at, 1], bounds[at, 2]
    while block < len(codes):
        if every == 1 and block % SAMPLE == 0:
            block += 1
            continue
        mask = simd.reaching(
            simd.pointer(codes, block * stride),
            simd.pointer(planes, 0),
            len(planes),
            simd.pointer(words, at * steps),
            simd.pointer(scales, block * each_scale),
            simd.pointer(offsets, block * each_offset),
            step,
            constant,
            total,
            floor,
        )
        if mask != 0:
            break
        block += every
    return block


@ahead(
    "uint32[:, :, ::1], int64[:, ::1], int64, float64, uint16[:, ::1], uint16[:, ::1], int32[:, ::1], "
    "float32[:, ::1], int64, float32[:, ::1], int64[::1], int32[::1], int64[::1], int64, int64[:, ::1], "
    "int64[::1], float32[::1], int64",
)
@kernel
def rank_codes_alone(
    codes: NDArray[np.uint32],
    planes: NDArray[np.int64],
    steps: int,
    zero: float,
    scales: NDArray[np.uint16],
    offsets: NDArray[np.uint16],
    words: NDArray[np.int32],
    bounds: NDArray[np.float32],
    n: int,
    queries: NDArray[np.float32],
    indptr: NDArray[np.int64],
    seen: NDArray[np.int32],
    users: NDArray[np.int64],
    k: int,
    keys: NDArray[np.int64],
    counts: NDArray[np.int64],
    floors: NDArray[np.float32],
    at: int,
) -> int:
    """Rank rows of codes for one query as `rank_codes_vnni` does, whose codes are multiplied as they lie."""
    together = np.empty((steps, LANES), np.uint32)
    values = np.empty((4 * steps, LANES), np.float32)
    scores = np.empty(LANES, np.float32)
    own, end = indptr[users[at]], indptr[users[at] + 1]
    for every in (SAMPLE, 1):
        block = 0
        while True:
            floor = np.float32(floors[at] - bounds[at, 3])
            block = _next_reaching(codes, planes, steps, scales, offsets, words, bounds, at, floor, block, every)
            if block >= len(codes):
                break
            decode(codes, block, planes, steps, zero, scales, offsets, together, values)
            multiply(values, queries, at, 1, scores)
            mask = simd.reached(simd.pointer(scores, 0), floors[at])
            if mask and _take(mask, block, n, scores, seen, own, end, keys, counts, floors, at, k):
                return at
            block += every
    return -1


@kernel
def _rank_block(
    values: NDArray[np.float32],
    block: int,
    n: int,
    queries: NDArray[np.float32],
    scores: NDArray[np.float32],
    indptr: NDArray[np.int64],
    seen: NDArray[np.int32],
    users: NDArray[np.int64],
    k: int,
    keys: NDArray[np.int64],
    counts: NDArray[np.int64],
    floors: NDArray[np.float32],
    start: int,
    stop: int,
) -> int:
    """Let the rows of a decoded block into the lists; return the first query for which a score is NaN, or -1."""
    for first_query in range(start, stop, QUERIES):
        count = min(QUERIES, stop - first_query)
        multiply(values, queries, first_query, count, scores)
        for row in range(count):
            at = first_query + row
            mask = simd.reached(simd.pointer(scores, row * LANES), floors[at])
            own, end = indptr[users[at]], indptr[users[at] + 1]
            if mask and _take(mask, block, n, scores[row], seen, own, end, keys, counts, floors, at, k):
                return at
    return -1


@ahead(
    "uint32[:, :, ::1], int64[:, ::1], int64, float64, uint16[:, ::1], uint16[:, ::1], int64, "
    "float32[:, ::1], int64[::1], int32[::1], int64[::1], int64, int64[:, ::1], int64[::1], float32[::1], "
    "int64, int64",
)
@kernel
def rank_codes(
    codes: NDArray[np.uint32],
    planes: NDArray[np.int64],
    steps: int,
    zero: float,
    scales: NDArray[np.uint16],
    offsets: NDArray[np.uint16],
    n: int,
    queries: NDArray[np.float32],
    indptr: NDArray[np.int64],
    seen: NDArray[np.int32],
    users: NDArray[np.int64],
    k: int,
    keys: NDArray[np.int64],
    counts: NDArray[np.int64],
    floors: NDArray[np.float32],
    start: int,
    stop: int,
) -> int:
    """Rank rows of codes for queries in [start, stop) on any processor: decode a block, multiply, go on."""
    blocks = len(codes)
    together = np.empty((steps, LANES), np.uint32)
    values = np.empty((4 * steps, LANES), np.float32)
    scores = np.empty((QUERIES, LANES), np.float32)
    for visit in range(blocks + (blocks + SAMPLE - 1) // SAMPLE):
        block = _block_at(visit, blocks)
        if block < 0:
            continue
        decode(codes, block, planes, steps, zero, scales, offsets, together, values)
        bad = _rank_block(values, block, n, queries, scores, indptr, seen, users, k, keys, counts, floors, start, stop)
        if bad >= 0:
            return bad
    return -1


@ahead(
    "uint16[:, :, ::1], bool, int64, float32[:, ::1], int64[::1], int32[::1], int64[::1], int64, "
    "int64[:, ::1], int64[::1], float32[::1], int64, int64",
)
@kernel
def rank_halves(
    halves: NDArray[np.uint16],
    brain: bool,
    n: int,
    queries: NDArray[np.float32],
    indptr: NDArray[np.int64],
    seen: NDArray[np.int32],
    users: NDArray[np.int64],
    k: int,
    keys: NDArray[np.int64],
    counts: NDArray[np.int64],
    floors: NDArray[np.float32],
    start: int,
    stop: int,
) -> int:
    """Rank rows of bfloat16 (`brain`) or float16 numbers for queries in [start, stop)."""
    blocks, columns = len(halves), halves.shape[1]
    values = np.empty((columns, LANES), np.float32)
    scores = np.empty((QUERIES, LANES), np.float32)
    single = stop - start == 1
    for visit in range(blocks + (blocks + SAMPLE - 1) // SAMPLE):
        block = _block_at(visit, blocks)
        if block < 0:
            continue
        here, query, out = (
            simd.pointer(halves, block * columns * LANES),
            simd.pointer(queries, start * columns),
            simd.pointer(scores, 0),
        )
        if single:
            if brain:
                simd.dot1_bf16(here, columns, query, 0, out)
            else:
                simd.dot1_fp16(here, columns, query, 0, out)
            mask = simd.reached(out, floors[start])
            own, end = indptr[users[start]], indptr[users[start] + 1]
            if mask and _take(mask, block, n, scores[0], seen, own, end, keys, counts, floors, start, k):
                return start
            continue
        widen(halves, block, brain, values)
        bad = _rank_block(values, block, n, queries, scores, indptr, seen, users, k, keys, counts, floors, start, stop)
        if bad >= 0:
            return bad
    return -1
