"""Sums over the edges of a graph with a weight on each, differentiable in the weights and in the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.data.graph import Adjacency


class Edges:
    """Edges of a symmetric graph by rows, with a loop at each node if asked for.

    Attributes
    ----------
    pointers : int32 Tensor of shape (n + 1,)
    rows, columns : int64 and int32 Tensor of shape (m,)
        The two ends of each edge; it lies in row `rows` and reads node `columns`.
    reverse : int64 Tensor of shape (m,)
        Position of the edge in the other direction.
    """

    def __init__(self, adjacency: Adjacency, device: torch.device, *, loops: bool) -> None:
        nodes = np.arange(adjacency.n_nodes, dtype=np.int32)
        looped = nodes if loops else nodes[:0]
        rows = np.concatenate([np.repeat(nodes, np.diff(adjacency.indptr)), looped])
        columns = np.concatenate([adjacency.indices, looped])
        order = np.lexsort((columns, rows))
        rows, columns = rows[order], columns[order]
        pointers = np.zeros(len(nodes) + 1, np.int32)
        np.cumsum(np.bincount(rows, minlength=len(nodes)), out=pointers[1:])
        self.pointers = torch.from_numpy(pointers).to(device)
        self.rows = torch.from_numpy(rows.astype(np.int64)).to(device)
        self.columns = torch.from_numpy(columns).to(device)
        self.reverse = torch.from_numpy(np.lexsort((rows, columns))).to(device)

    def softmax(self, logits: Tensor) -> Tensor:
        """Return the softmax of each row's edges, for logits of shape (m,)."""
        offsets = self.pointers.long()
        with torch.no_grad():
            largest = torch.segment_reduce(logits, "max", offsets=offsets)
        raised = (logits - largest[self.rows]).exp()
        return raised / torch.segment_reduce(raised, "sum", offsets=offsets)[self.rows]

    def gather(self, weights: Tensor, x: Tensor) -> Tensor:
        """Return ``Σ_j w_ij x_j`` for weights of shape (m,) and x of shape (n, d), differentiable once."""
        result: Tensor = _Gather.apply(weights, x, self)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return result


def _bag(edges: Edges, weights: Tensor, x: Tensor) -> Tensor:
    return F.embedding_bag(
        edges.columns, x, edges.pointers, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, x: Tensor, edges: Edges) -> Tensor:
        ctx.edges = edges
        ctx.save_for_backward(weights, x)
        return _bag(edges, weights, x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        edges, (weights, x) = ctx.edges, ctx.saved_tensors
        gradient = gradient.contiguous()
        # Of w_ij: g_i · x_j, edge by edge; torch has it as the gradient of embedding_bag by its weights.
        by_weight = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            gradient, x, edges.columns, edges.pointers, edges.rows.int(), 0
        )
        # Of x_j: Σ_i w_ij g_i, a product with the transpose.
        return by_weight, _bag(edges, weights[edges.reverse], gradient), None
