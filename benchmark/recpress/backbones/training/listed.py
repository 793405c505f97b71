"""Scores of the items on each user's own list, without a copy of an item's row for every place of every list."""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class _Listed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, items: Tensor, lists: Tensor) -> Tensor:
        ctx.save_for_backward(queries, items, lists)
        places = torch.arange(0, lists.numel() + 1, lists.shape[1])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
            # Items of a list aren't in the order of their ids, as a sparse row's columns should be: the product takes
            # them as they come.
            pattern = torch.sparse_csr_tensor(
                places,
                lists.flatten(),
                queries.new_zeros(lists.numel()),
                (len(queries), len(items)),
                check_invariants=False,
            )
            scores: Tensor = torch.sparse.sampled_addmm(pattern, queries, items.T, beta=0.0).values()
        return scores.view_as(lists)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        queries, items, lists = ctx.saved_tensors
        weights, ids, length = gradients[0].flatten(), lists.flatten(), lists.shape[1]
        of_queries = _weighted(items, ids, torch.arange(0, len(ids), length), weights)
        by_item = ids.argsort(stable=True)
        counts = torch.bincount(ids, minlength=len(items))
        of_items = _weighted(queries, by_item // length, counts.cumsum(0) - counts, weights[by_item])
        return of_queries, of_items, None


def _weighted(table: Tensor, ids: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    return F.embedding_bag(ids, table, starts, mode="sum", per_sample_weights=weights)


def listed_scores(queries: Tensor, items: Tensor, lists: Tensor) -> Tensor:
    """Return the inner products of each query with the items on its own list, with their gradients.

    Parameters
    ----------
    queries : float32 Tensor of shape (B, d)
    items : float32 Tensor of shape (n_items, d)
    lists : int64 Tensor of shape (B, K), K at least 1
        Ids of items, in any order; one may be listed twice.

    Returns
    -------
    float32 Tensor of shape (B, K)
    """
    if lists.shape[1] > len(items):
        return (queries @ items.T).gather(1, lists)  # All items are fewer, and more than a sparse row could hold.
    scores: Tensor = _Listed.apply(queries, items, lists)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return scores
