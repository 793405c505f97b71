"""The k best of a row, kept in a heap whose root is the worst of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recpress.jit import kernel


@kernel
def replace_worst(
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
def sort_best_first(heap: NDArray[np.float32], ids: NDArray[np.int32]) -> None:
    """Turn the heap into a list, best first: by score descending, then by id ascending."""
    for size in range(len(heap) - 1, 0, -1):
        score, worst = heap[0], ids[0]
        last, item = heap[size], ids[size]
        heap[size], ids[size] = score, worst
        replace_worst(heap, ids, size, last, item)
