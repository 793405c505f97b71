"""Scores of drawn items: one product for each, where a product with all items would be mostly for nothing."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recpress.core.jit import ahead, in_threads, summing_kernel


def pair_scores(users: Tensor, items: Tensor, drawn: Tensor) -> Tensor:
    """Return the inner product of each user with each of the items that were drawn for it, without gradient, (B, N).

    Rows are read where they lie: nothing of shape (B, N, d) is made.

    Parameters
    ----------
    users : float32 Tensor of shape (B, d)
    items : float32 Tensor of shape (n, d)
    drawn : int64 Tensor of shape (B, N)
        Rows of `items`. On a CPU all three lie there.
    """
    scores = torch.empty(drawn.shape)
    users, items, drawn = users.detach().contiguous(), items.detach().contiguous(), drawn.contiguous()
    work = partial(_multiply, users.numpy(), items.numpy(), drawn.numpy(), scores.numpy())
    in_threads(work, len(users), min(torch.get_num_threads(), len(users)))
    return scores


@ahead("float32[:, ::1], float32[:, ::1], int64[:, ::1], float32[:, ::1], int64, int64")
@summing_kernel
def _multiply(
    users: NDArray[np.float32],
    items: NDArray[np.float32],
    drawn: NDArray[np.int64],
    scores: NDArray[np.float32],
    start: int,
    stop: int,
) -> None:
    for row in range(start, stop):
        for place in range(drawn.shape[1]):
            item = drawn[row, place]
            total = np.float32(0.0)
            for column in range(users.shape[1]):
                total += users[row, column] * items[item, column]
            scores[row, place] = total
