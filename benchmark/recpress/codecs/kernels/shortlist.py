"""The best rows of a query so far: an unordered list that is thinned out when it is full.

An entry is one 64-bit integer, the score's bits in an order-preserving form above the row's complement, so that a
larger one is better by score and then by lowest row, no two are equal, and comparing them is one vector instruction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recpress.codecs.kernels import simd
from recpress.codecs.kernels.simd import LANES
from recpress.core.jit import ahead, kernel

_ROWS = 0x7FFFFFFF
_NONE = -(2**63)


@ahead("int64[::1], int64[::1]")
@kernel
def longest_history(indptr: NDArray[np.int64], users: NDArray[np.int64]) -> int:
    """Return the most items that one of the users has seen, 0 of no user, or -1 where an id is out of range.

    One call of compiled code: a user who asks alone waits longer for NumPy's least, largest and differences.
    """
    longest = 0
    for user in users:
        if user < 0 or user >= len(indptr) - 1:
            return -1
        longest = max(longest, indptr[user + 1] - indptr[user])
    return longest


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
def key(score: np.float32, row: int) -> int:
    """Return the entry of a row."""
    return int(simd.ordered(score) << 32 | (_ROWS - row))


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
        keys[count] = key(score, row)
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
        entry = keys[at]
        keys[left] = entry
        left += entry >= low
    return left


@kernel
def worst_score(keys: NDArray[np.int64], count: int) -> np.float32:
    """Return the least score of `count` entries."""
    low = keys[0]
    for at in range(1, count):
        low = min(low, keys[at])
    return np.float32(simd.score(low >> 32))


def finish(
    keys: NDArray[np.int64], counts: NDArray[np.int64], items: NDArray[np.int32], best: NDArray[np.float32]
) -> None:
    """Write the k best of each list, best first; beyond the end of a short one are -1 and -inf."""
    # NumPy sorts integers with vector instructions, several times as fast as a loop of ours.
    _write(np.sort(keys[:, : _blank(keys, counts)], axis=1), counts, items, best)


@ahead("int64[:, ::1], int64[::1]")
@kernel
def _blank(keys: NDArray[np.int64], counts: NDArray[np.int64]) -> int:
    """Make what is beyond the end of each list come before all entries, and return the length of the longest."""
    longest = 0
    for query in range(len(keys)):
        keys[query, counts[query] :] = _NONE
        longest = max(longest, counts[query])
    return longest


@ahead("int64[:, ::1], int64[::1], int32[:, ::1], float32[:, ::1]")
@kernel
def _write(
    ascending: NDArray[np.int64], counts: NDArray[np.int64], items: NDArray[np.int32], best: NDArray[np.float32]
) -> None:
    last = ascending.shape[1] - 1
    for query in range(len(ascending)):
        listed = min(counts[query], items.shape[1])
        for at in range(listed):
            entry = ascending[query, last - at]
            items[query, at] = _ROWS - (entry & _ROWS)
            best[query, at] = simd.score(entry >> 32)
        items[query, listed:] = -1
        best[query, listed:] = -np.inf
