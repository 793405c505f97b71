"""Backward elimination of a linear map's inputs by least squares, and the fit of the remaining ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Of the mean of the Gram matrix's diagonal: channels that are always zero (a dead ReLU) make it singular.
RIDGE = 1e-6


class Regression:
    """Least squares of outputs on channels, each of which is one or more columns, with an intercept.

    Parameters
    ----------
    features : float32 Tensors of shape (n, d)
        Column c of each belongs to channel c.
    target : float32 Tensor of shape (n, o)

    Attributes
    ----------
    weights : float64 Tensor of shape (d, k, o)
        Of the channels that are left, for k features; 0 for those that aren't.
    """

    def __init__(self, features: Sequence[Tensor], target: Tensor) -> None:
        stacked = torch.stack(list(features), 2).double()
        self.means = stacked.mean(0)
        self.centre = target.double().mean(0)
        n, d, k = stacked.shape
        flat = (stacked - self.means).view(n, d * k)
        residual = target.double() - self.centre
        gram = flat.T @ flat
        gram.diagonal().add_(RIDGE * gram.diagonal().mean().clamp(min=1e-30))
        inverse = torch.linalg.inv(gram)
        self.energy = float(residual.square().sum())
        self.inverse = inverse.view(d, k, d, k)
        self.weights = (inverse @ (flat.T @ residual)).view(d, k, -1)

    def costs(self) -> Tensor:
        """Return how the squared error grows when a channel goes and all others are fitted again, shape (d,)."""
        own: Tensor = torch.linalg.inv(self.inverse.diagonal(dim1=0, dim2=2).permute(2, 0, 1))
        return torch.einsum("cfo,cfg,cgo->c", self.weights, own, self.weights)

    def remove(self, channel: int) -> None:
        """Take a channel out and fit the others again: a step of the Optimal Brain Surgeon (Hassibi and Stork 1993)."""
        k = self.weights.shape[1]
        gain = self.inverse[:, :, channel] @ torch.linalg.inv(self.inverse[channel, :, channel])
        self.weights = self.weights - gain @ self.weights[channel]
        self.inverse = self.inverse - torch.tensordot(gain, self.inverse[channel], 1)
        # A removed channel has no weight, so its cost is 0 whatever stands here; it must only be invertible.
        self.weights[channel] = 0
        self.inverse[channel], self.inverse[:, :, channel] = 0, 0
        self.inverse[channel, :, channel] = torch.eye(k, dtype=self.inverse.dtype)

    def intercept(self) -> Tensor:
        """Return what is added to the outputs, shape (o,)."""
        added: Tensor = self.centre - torch.tensordot(self.means, self.weights, 2)
        return added


def eliminate(readers: Sequence[Sequence[Regression]], lost: Tensor, remaining: int, heads: int = 1) -> Tensor:
    """Choose channels by taking the one away that costs least, again and again.

    Parameters
    ----------
    readers : sequence of sequences of Regression
        The layers that read the channels, each in parts. They are changed. What a layer's outputs lose counts as a
        share of their variance.
    lost : Tensor of shape (d,)
        What is lost with a channel besides, on the same scale.
    remaining : int
    heads : int
        Equal runs of channels that keep equally many each.

    Returns
    -------
    int64 Tensor of shape (remaining,)
        Ascending.
    """
    size, left = len(lost) // heads, remaining // heads
    alive = torch.ones(heads, size, dtype=torch.bool)
    for _ in range(len(lost) - remaining):
        cost = lost.double().clone()
        for parts in readers:
            cost += sum(part.costs() for part in parts) / max(sum(part.energy for part in parts), 1e-30)
        free = alive & (alive.sum(1, keepdim=True) > left)
        channel = int(cost.masked_fill(~free.flatten(), torch.inf).argmin())
        alive.view(-1)[channel] = False
        for parts in readers:
            for part in parts:
                part.remove(channel)
    return alive.flatten().nonzero().flatten()
