"""The best rows of a query so far: an unordered list that is thinned out when it is full.

An entry is one 64-bit integer, the score's bits in an order-preserving form above the row's complement, so that a
larger one is better by score and then by lowest row, no two are equal, and comparing them is one vector instruction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recpress.codecs.kernels import simd
from recpress.codecs.kernels.simd import LANES
from recpress.jit import kernel

_ROWS = 0x7FFFFFFF
_GAPS = (301, 132, 57, 23, 10, 4, 1)  # Ciura 2001, for Shell's sort.


def room(k: int) -> int:
    """Return the entries that a list of the k best has room for."""
    return k + max(k // 4, LANES) + LANES


@kernel
def contains(rows: NDArray[np.int32], start: int, stop: int, row: int) -> bool:
    """Say whether an ascending range of `rows` holds `row`, without a branch that depends on it."""
    size = stop - start
    if size == 0:
        return False
    while size > 1:
        half = size >> 1
        start += half * (rows[start + half - 1] < row)
        size -= half
    return bool(rows[start] == row)


@kernel
def offer(
    mask: int,
    first: int,
    n: int,
    scores: NDArray[np.float32],
    seen: NDArray[np.int32],
    start: int,
    stop: int,
    keys: NDArray[np.int64],
    count: int,
) -> int:
    """Append the unseen rows of a block that are in `mask`; return the new count, or -1 when a score is NaN."""
    while mask:
        lane = simd.lowest(mask)
        mask &= mask - 1
        row, score = first + lane, scores[lane]
        if row >= n or contains(seen, start, stop, row):
            continue
        if score != score:
            return -1
        keys[count] = simd.ordered(score) << 32 | (_ROWS - row)
        count += 1
    return count


@kernel
def thin(keys: NDArray[np.int64], count: int, least: int, most: int) -> int:
    """Drop the worst of `count` entries until `least` to `most` are left; return how many. Their order is kept."""
    low, high = keys[0], keys[0]
    for at in range(1, count):
        low, high = min(low, keys[at]), max(high, keys[at])
    # Invariant: at least `least` entries reach `low`, and fewer reach `high`, or it is the largest.
    left = count
    while left > most:
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        reach = 0
        for at in range(count):
            reach += keys[at] > middle
        if reach < least:
            high = middle
        else:
            low, left = middle + 1, reach
    left = 0
    for at in range(count):
        key = keys[at]
        keys[left] = key
        left += key >= low
    return left


@kernel
def worst_score(keys: NDArray[np.int64], count: int) -> np.float32:
    """Return the least score of `count` entries."""
    low = keys[0]
    for at in range(1, count):
        low = min(low, keys[at])
    return np.float32(simd.score(low >> 32))


@kernel
def finish(
    keys: NDArray[np.int64], counts: NDArray[np.int64], items: NDArray[np.int32], best: NDArray[np.float32]
) -> None:
    """Write the k best of each list, best first; what is beyond the end of a short one is left as it is."""
    k = items.shape[1]
    for query in range(len(keys)):
        line = keys[query]
        count = thin(line, counts[query], k, k) if counts[query] > k else counts[query]
        for gap in _GAPS:
            for at in range(gap, count):
                key, to = line[at], at
                while to >= gap and line[to - gap] < key:
                    line[to] = line[to - gap]
                    to -= gap
                line[to] = key
        for at in range(count):
            items[query, at] = _ROWS - (line[at] & _ROWS)
            best[query, at] = simd.score(line[at] >> 32)
