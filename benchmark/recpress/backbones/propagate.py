"""Linear propagation over the user-item graph, the engine of LightGCN."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recpress.data.graph import Adjacency


class Propagation:
    """The mean of 0 to `layers` steps over a symmetric normalised adjacency, ``P = 1/(L+1) Σ_l Ã^l``.

    A step is an `embedding_bag`: on a CPU it is the fastest sparse product that torch has, and it is bitwise the same
    with any number of threads. `P` is a polynomial of a symmetric matrix, hence symmetric itself, so the gradient of
    ``P x`` is `P` applied to the incoming gradient: the backward pass is the forward pass, and nothing is kept in
    between (LightGCN, He et al. 2020, equations 7 and 8).

    Parameters
    ----------
    adjacency : Adjacency
        Over n nodes.
    layers : int
    """

    def __init__(self, adjacency: Adjacency, layers: int) -> None:
        self.pointers = torch.from_numpy(adjacency.indptr)
        self.neighbours = torch.from_numpy(adjacency.indices)
        self.weights = torch.from_numpy(adjacency.weights)
        self.layers = layers

    def step(self, x: Tensor) -> Tensor:
        """Return ``Ã x`` for x of shape (n, d). Nodes without edges become 0."""
        return F.embedding_bag(
            self.neighbours,
            x,
            self.pointers,
            mode="sum",
            per_sample_weights=self.weights.to(x.dtype),
            include_last_offset=True,
        )

    def apply(self, x: Tensor) -> Tensor:
        """Return ``P x`` without tracking gradients."""
        with torch.no_grad():
            total, power = x.clone(), x
            for _ in range(self.layers):
                power = self.step(power)
                total += power
            return total.div_(self.layers + 1)

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``P x``, differentiable once."""
        result: Tensor = _Propagate.apply(x, self)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return result


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, propagation: Propagation) -> Tensor:
        ctx.propagation = propagation
        return propagation.apply(x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.propagation.apply(gradient.contiguous()), None
