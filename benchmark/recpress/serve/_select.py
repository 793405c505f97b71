"""Kernels of the exact top-K on a CPU.

A row is first reduced to the maxima of small groups of items. A value that k maxima reach is a floor under the
k-th largest score, so only the few groups that reach it are looked into, with a heap of k entries. No scratch
memory beyond the maxima of one row; exact for any scores, however many of them tie.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recpress.codecs.kernels import shortlist, simd
from recpress.core.jit import ahead, kernel

GROUP = 32
"""Items per group: more make the maxima fewer, and each group that is looked into dearer."""

SEEN = -(2**31)
"""The product of an item that is left out; no product of bytes is as low."""

_HALVINGS = 12
_AHEAD = 8  # Times k: items that are put on a list before they are scored.


@ahead(
    "float32[:, ::1], int64[::1], int32[::1], int64[::1], float64",
    "int32[:, ::1], int64[::1], int32[::1], int64[::1], int64",
)
@kernel
def mask_rows(
    scores: NDArray[np.float32] | NDArray[np.int32],
    indptr: NDArray[np.int64],
    items: NDArray[np.int32],
    users: NDArray[np.int64],
    lowest: float,
) -> None:
    """Set the scores of each row's seen items to `lowest`."""
    for row in range(len(users)):
        for at in range(indptr[users[row]], indptr[users[row] + 1]):
            scores[row, items[at]] = lowest


@kernel
def _replace_worst(
    heap: NDArray[np.float32], ids: NDArray[np.int32], size: int, score: np.float32, item: np.int32
) -> None:
    """Replace the root, which is the worst entry (the lowest score and of those the highest id)."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (heap[other] < heap[child] or (heap[other] == heap[child] and ids[other] > ids[child])):
            child = other
        if score < heap[child] or (score == heap[child] and item > ids[child]):
            break
        heap[at] = heap[child]
        ids[at] = ids[child]
        at = child
    heap[at] = score
    ids[at] = item


@kernel
def _group_maxima(
    scores: NDArray[np.float32] | NDArray[np.int32], maxima: NDArray[np.float32], nan: NDArray[np.bool_]
) -> bool:
    """Fill in each group's maximum; return whether a score is NaN.

    Group g holds the items g, g + n_groups, g + 2 n_groups, …: neighbouring items go to neighbouring groups,
    so the loop is elementwise, which the compiler vectorises (it may not reorder a maximum over one group).
    """
    maxima[:] = -np.inf
    nan[:] = False
    for start in range(0, len(scores), len(maxima)):
        part = scores[start : start + len(maxima)]
        for group in range(len(part)):
            score = np.float32(part[group])
            maxima[group] = score if score > maxima[group] else maxima[group]
            nan[group] |= score != score
    return bool(nan.any())


@kernel
def _floor(maxima: NDArray[np.float32], k: int) -> np.float32:
    """Return a value that at least k maxima reach, and few more than k, or -inf.

    Found by halving the range: counting is vectorised, so this is faster than to select the k-th. Any value
    that k maxima reach will do, so it may stop anywhere, as it does where infinities leave no range to halve.
    """
    low, high = np.float32(np.inf), np.float32(-np.inf)
    finite = 0
    for maximum in maxima:
        if maximum > -np.inf:
            finite += 1
            low = min(low, maximum)
            high = max(high, maximum)
    if finite < k:
        return np.float32(-np.inf)
    for _ in range(_HALVINGS):
        middle = np.float32(low + (high - low) * np.float32(0.5))
        count = 0
        for maximum in maxima:
            count += maximum >= middle
        if count < k:
            high = middle
        else:
            low = middle
            if count <= k + k // 8:
                break
    return low


@ahead("float32[:, ::1], int32[:, ::1], float32[:, ::1], int64, int64")
@kernel
def select_rows(
    scores: NDArray[np.float32],
    items: NDArray[np.int32],
    best: NDArray[np.float32],
    start: int,
    stop: int,
) -> int:
    """Fill `items` and `best` for rows in [start, stop); return the first row that has a NaN, or -1."""
    k = items.shape[1]
    n_items = scores.shape[1]
    n_groups = (n_items + GROUP - 1) // GROUP
    maxima = np.empty(n_groups, np.float32)
    nan = np.empty(n_groups, np.bool_)
    for row in range(start, stop):
        line, heap, ids = scores[row], best[row], items[row]
        if _group_maxima(line, maxima, nan):
            return row
        if k == 0:
            continue
        heap[:] = -np.inf
        ids[:] = -1
        floor = _floor(maxima, k)
        for group in range(n_groups):
            if maxima[group] < floor or maxima[group] < heap[0]:
                continue
            for item in range(group, n_items, n_groups):
                # A free place scores -inf with id -1 and so loses no tie: an item at -inf never gets in.
                score = line[item]
                if score >= floor and (score > heap[0] or (score == heap[0] and item < ids[0])):
                    _replace_worst(heap, ids, k, score, np.int32(item))
        for size in range(k - 1, 0, -1):
            score, worst = heap[0], ids[0]
            last, item = heap[size], ids[size]
            heap[size], ids[size] = score, worst
            _replace_worst(heap, ids, size, last, item)
    return -1


@kernel
def _product(query: NDArray[np.float32], row: NDArray[np.float32]) -> np.float32:
    """Return the product in float32, always added up in the same order: in eight sums, which fill a vector."""
    zero = np.float32(0)
    first, second, third, fourth, fifth, sixth, seventh, eighth = zero, zero, zero, zero, zero, zero, zero, zero
    whole = len(query) // 8 * 8
    for at in range(0, whole, 8):
        first += query[at] * row[at]
        second += query[at + 1] * row[at + 1]
        third += query[at + 2] * row[at + 2]
        fourth += query[at + 3] * row[at + 3]
        fifth += query[at + 4] * row[at + 4]
        sixth += query[at + 5] * row[at + 5]
        seventh += query[at + 6] * row[at + 6]
        eighth += query[at + 7] * row[at + 7]
    for at in range(whole, len(query)):
        first += query[at] * row[at]
    return ((first + fifth) + (third + seventh)) + ((second + sixth) + (fourth + eighth))


def select_near(
    products: NDArray[np.int32],
    margins: NDArray[np.float64],
    queries: NDArray[np.float32],
    table: NDArray[np.float32],
    items: NDArray[np.int32],
    best: NDArray[np.float32],
) -> int:
    """Fill `items` and `best` from whole numbers that tell scores to within a margin.

    Only the items that may be among the k best by that are scored, in float32. Seen items have the product `SEEN`.

    Returns
    -------
    int
        The first row that has a NaN, or -1.
    """
    k = items.shape[1]
    keys = np.empty((len(products), (_AHEAD + 2) * k + simd.LANES), np.int64)
    counts = np.zeros(len(products), np.int64)
    bad = _score_near(products, margins, queries, table, k, keys, counts)
    shortlist.finish(keys, counts, items, best)
    return bad


@ahead("int32[:, ::1], float64[::1], float32[:, ::1], float32[:, ::1], int64, int64[:, ::1], int64[::1]")
@kernel
def _score_near(
    products: NDArray[np.int32],
    margins: NDArray[np.float64],
    queries: NDArray[np.float32],
    table: NDArray[np.float32],
    k: int,
    keys: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> int:
    """List the items that may be among the k best, with their scores; return the first row with a NaN, or -1."""
    n_items, columns = table.shape
    n_groups = (n_items + GROUP - 1) // GROUP
    maxima = np.empty(n_groups, np.float32)
    nan = np.empty(n_groups, np.bool_)
    near = np.empty(_AHEAD * k + simd.LANES, np.int32)
    for row in range(len(products)):
        line, found, count, waiting = products[row], keys[row], 0, 0
        _group_maxima(line, maxima, nan)
        floor = np.int32(max(np.floor(_floor(maxima, k) - margins[row]), SEEN + 1))
        for start in range(0, n_items, simd.LANES):
            if start + simd.LANES <= n_items:
                mask = simd.at_least(simd.pointer(products, row * n_items + start), floor)
            else:
                mask = 0
                for item in range(start, n_items):
                    mask |= int(line[item] >= floor) << (item - start)
            while mask:
                item = start + simd.lowest(mask)
                near[waiting] = item
                simd.fetch(simd.pointer(table, item * columns), columns)
                mask &= mask - 1
                waiting += 1
            if waiting >= _AHEAD * k or start + simd.LANES >= n_items:
                # Later, when their rows are in the cache.
                for item in near[:waiting]:
                    score = _product(queries[row], table[item])
                    if score != score:
                        return row
                    found[count] = shortlist.key(score, item)
                    count += 1
                waiting = 0
                if count > 2 * k and start + simd.LANES < n_items:
                    count = shortlist.thin(found, count, k, 2 * k)
        counts[row] = count
    return -1
